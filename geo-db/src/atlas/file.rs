//! The atlas file: a header with a checksum, then the layers, compressed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::codec::{Cutter, Writer, within};
use super::error::AtlasError;
use super::layers::{AtlasMeta, CloudPrefix, CloudTexts, Family, Layers, SourceRole, Systems};
use super::prefix::PrefixSet;
use super::range::Address;
use crate::profile::CountryCode;

const MAGIC: &[u8; 8] = b"OCTROIAT";
const FORMAT: u16 = 1;
/// Magic, format, reserved, checksum of the compressed body (CRC-32C), length of the compressed
/// body, length of the plain body.
const HEADER_BYTES: usize = 8 + 2 + 2 + 4 + 8 + 8;
/// No atlas has a reason to be larger: the embedded one is a tenth of it.
const PLAIN_LIMIT_BYTES: u64 = 256 << 20;
/// Built once, opened often: level 19 is the highest whose window every reader accepts.
const COMPRESSION_LEVEL: i32 = 19;

/// The small things of an atlas, as JSON.
#[derive(Serialize, Deserialize)]
struct Head {
    meta: AtlasMeta,
    countries: Vec<CountryCode>,
    texts: CloudTexts,
}

impl Layers {
    /// The bytes of an atlas file.
    ///
    /// # Errors
    /// When compression fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AtlasError> {
        let failed = |what: String| AtlasError::Damaged {
            file: "(new)".to_owned(),
            what,
        };
        let head = Head {
            meta: self.meta.clone(),
            countries: self.countries.clone(),
            texts: self.texts.clone(),
        };
        let mut writer = Writer::default();
        writer.bytes(&serde_json::to_vec(&head).map_err(|error| failed(error.to_string()))?);
        write_systems(&mut writer, &self.systems);
        let mut v4 = Writer::default();
        write_family(&mut v4, &self.v4);
        writer.bytes(&v4.bytes);
        let mut v6 = Writer::default();
        write_family(&mut v6, &self.v6);
        writer.bytes(&v6.bytes);

        let body = zstd::bulk::compress(&writer.bytes, COMPRESSION_LEVEL)
            .map_err(|error| failed(error.to_string()))?;
        let mut out = Vec::with_capacity(HEADER_BYTES + body.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        out.extend_from_slice(&(body.len() as u64).to_le_bytes());
        out.extend_from_slice(&(writer.bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Reads the atlas file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is no atlas, is of another format, or damaged.
    pub fn open(path: &Path) -> Result<Self, AtlasError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| AtlasError::Io {
            file: file.clone(),
            operation: "cannot be read",
            source,
        })?;
        Self::from_bytes(&file, &bytes)
    }

    /// Reads the bytes of the atlas `file`.
    ///
    /// # Errors
    /// When it is no atlas, is of another format, or damaged.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, AtlasError> {
        let plain = decompress(file, bytes)?;
        decode(&plain).map_err(|what| AtlasError::Damaged {
            file: file.to_owned(),
            what,
        })
    }
}

fn decompress(file: &str, bytes: &[u8]) -> Result<Vec<u8>, AtlasError> {
    let damaged = |what: String| AtlasError::Damaged {
        file: file.to_owned(),
        what,
    };
    if !bytes.starts_with(MAGIC) {
        return Err(AtlasError::NotAnAtlas {
            file: file.to_owned(),
        });
    }
    let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| {
        damaged(format!(
            "{} bytes, the header alone has {HEADER_BYTES}",
            bytes.len()
        ))
    })?;
    let found = u16::from_le_bytes(field(header, 8));
    if found != FORMAT {
        return Err(AtlasError::Format {
            file: file.to_owned(),
            found,
            expected: FORMAT,
        });
    }
    let checksum = u32::from_le_bytes(field(header, 12));
    let body_length = u64::from_le_bytes(field(header, 16));
    let plain_length = u64::from_le_bytes(field(header, 24));
    if body.len() as u64 != body_length {
        return Err(damaged(format!(
            "{} bytes after the header, {body_length} were written",
            body.len()
        )));
    }
    if crc32c::crc32c(body) != checksum {
        return Err(damaged("the checksum does not match".to_owned()));
    }
    let plain_length = usize::try_from(plain_length)
        .ok()
        .filter(|_| plain_length <= PLAIN_LIMIT_BYTES)
        .ok_or_else(|| damaged(format!("{plain_length} bytes are announced")))?;
    let plain = zstd::bulk::decompress(body, plain_length)
        .map_err(|error| damaged(format!("cannot be decompressed: {error}")))?;
    if plain.len() != plain_length {
        return Err(damaged(format!(
            "{} bytes after decompression, {plain_length} were written",
            plain.len()
        )));
    }
    Ok(plain)
}

/// `N` bytes of the header from `at` on; the header is long enough for all its fields.
fn field<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(found) = header.get(at..at + N) {
        out.copy_from_slice(found);
    }
    out
}

fn decode(plain: &[u8]) -> Result<Layers, String> {
    let mut cutter = Cutter::new(plain);
    let head: Head =
        serde_json::from_slice(cutter.bytes()?).map_err(|error| format!("head: {error}"))?;
    let systems = read_systems(&mut cutter).map_err(|what| format!("systems: {what}"))?;
    within(&systems.countries, head.countries.len(), "country")?;
    let v4 = cutter.bytes()?;
    let v6 = cutter.bytes()?;
    if !cutter.is_empty() {
        return Err("there is more than was announced".to_owned());
    }
    // The families are independent: read them side by side.
    let (v4, v6) = std::thread::scope(|scope| {
        let head = &head;
        let systems = systems.numbers.len();
        let v6 = scope.spawn(move || read_family::<u128>(v6, head, systems));
        let v4 = read_family::<u32>(v4, head, systems).map_err(|what| format!("IPv4: {what}"));
        let v6 = v6
            .join()
            .unwrap_or_else(|_| Err("the reader stopped".to_owned()))
            .map_err(|what| format!("IPv6: {what}"));
        (v4, v6)
    });
    Ok(Layers {
        meta: head.meta,
        countries: head.countries,
        systems,
        texts: head.texts,
        v4: v4?,
        v6: v6?,
    })
}

fn write_systems(writer: &mut Writer, systems: &Systems) {
    writer.addresses(systems.numbers.iter().copied());
    writer.column(&systems.countries);
    let mut previous = 0;
    let lengths: Vec<u32> = systems
        .name_ends
        .iter()
        .map(|end| {
            let length = end - previous;
            previous = *end;
            length
        })
        .collect();
    writer.column(&lengths);
    writer.bytes(systems.names.as_bytes());
}

fn read_systems(cutter: &mut Cutter<'_>) -> Result<Systems, String> {
    let numbers: Vec<u32> = cutter.addresses()?;
    let countries = cutter.column()?;
    let lengths: Vec<u32> = cutter.column()?;
    let names = std::str::from_utf8(cutter.bytes()?).map_err(|error| error.to_string())?;
    if countries.len() != numbers.len() || lengths.len() != numbers.len() {
        return Err("columns of different lengths".to_owned());
    }
    if !numbers.is_sorted_by(|a, b| a < b) {
        return Err("the numbers do not ascend".to_owned());
    }
    let mut end = 0_u32;
    let mut name_ends = Vec::with_capacity(lengths.len());
    for length in lengths {
        end = end.checked_add(length).ok_or("the names are too long")?;
        name_ends.push(end);
    }
    if end as usize != names.len() {
        return Err("the names do not fill their text".to_owned());
    }
    Ok(Systems {
        numbers,
        name_ends,
        names: names.to_owned(),
        countries,
    })
}

fn write_family<A: Address>(writer: &mut Writer, family: &Family<A>) {
    writer.length(family.locations.len());
    for location in &family.locations {
        writer.partition(location);
    }
    writer.partition(&family.systems);
    writer.partition(&family.system_countries);
    writer.prefixes(&family.clouds);
    let entries = family.clouds.entries();
    writer.column(
        &entries
            .iter()
            .map(|entry| entry.item.provider)
            .collect::<Vec<_>>(),
    );
    writer.column(
        &entries
            .iter()
            .map(|entry| entry.item.region)
            .collect::<Vec<_>>(),
    );
    writer.column(
        &entries
            .iter()
            .map(|entry| entry.item.services)
            .collect::<Vec<_>>(),
    );
}

fn read_family<A: Address>(bytes: &[u8], head: &Head, systems: usize) -> Result<Family<A>, String> {
    let mut cutter = Cutter::new(bytes);
    let count = cutter.length()?;
    if count != head.meta.of_role(SourceRole::Location).count() {
        return Err(format!(
            "{count} layers of locations, as many sources are expected"
        ));
    }
    let mut locations = Vec::with_capacity(count);
    for _ in 0..count {
        let location = cutter.partition::<A, u16>()?;
        within(location.values(), head.countries.len(), "country")?;
        locations.push(location);
    }
    let announcing = cutter.partition::<A, u32>()?;
    within(announcing.values(), systems, "system")?;
    let system_countries = cutter.partition::<A, u16>()?;
    within(system_countries.values(), head.countries.len(), "country")?;
    let prefixes = cutter.prefixes::<A>()?;
    let providers: Vec<u16> = cutter.column()?;
    let regions: Vec<u16> = cutter.column()?;
    let services: Vec<u32> = cutter.column()?;
    if [providers.len(), regions.len(), services.len()] != [prefixes.len(); 3] {
        return Err("the cloud prefixes have columns of different lengths".to_owned());
    }
    if !cutter.is_empty() {
        return Err("there is more than was announced".to_owned());
    }
    let items = providers.into_iter().zip(regions).zip(services);
    let clouds = prefixes
        .into_iter()
        .zip(items)
        .map(|((first, bits), ((provider, region), services))| {
            let item = CloudPrefix {
                provider,
                region,
                services,
            };
            (first, bits, item)
        })
        .collect();
    Ok(Family {
        locations,
        systems: announcing,
        system_countries,
        clouds: PrefixSet::new(clouds),
    })
}
