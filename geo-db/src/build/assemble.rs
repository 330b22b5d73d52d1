//! Putting together what any number of sources say into the layers of one atlas.

use std::collections::HashMap;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::family::{self, Interned};
use super::lists;
use crate::atlas::layers::{Family, Layers, OverrideEntry, PlaceValue, Systems};
use crate::atlas::range::{Address, Partition};
use crate::atlas::{AtlasError, AtlasMeta, SourceInfo, SourceRole};
use crate::source::declaration::hexadecimal;
use crate::source::statements::{Place, Statements};
use crate::source::{DeclaredSource, Origin};

/// Puts the statements of any number of sources together. Of equal priorities the one that comes
/// first is trusted more. `built` is the day of the newest data ([`newest`]), never the clock, so
/// that equal input gives equal layers; it stands in for the day of sources that have none.
///
/// # Errors
/// When there is more than an atlas can number.
pub fn assemble(
    mut sources: Vec<(DeclaredSource, Statements)>,
    built: Date,
) -> Result<Layers, AtlasError> {
    sources.sort_by_key(|(declared, _)| std::cmp::Reverse(declared.priority));
    if u16::try_from(sources.len()).is_err() {
        return Err(too_many("the declaration", "sources"));
    }
    let statements: Vec<&Statements> = sources.iter().map(|(_, said)| said).collect();
    let (texts, lists) = lists::intern(&sources)?;
    let interned = Interned::new(&statements, lists);
    let (v4, v6) = std::thread::scope(|scope| {
        let v6 = scope.spawn(|| family::of::<u128>(&statements, &interned, |said| &said.v6));
        let v4 = family::of::<u32>(&statements, &interned, |said| &said.v4);
        let v6 = v6
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (v4, v6)
    });
    let mut infos: Vec<SourceInfo> = Vec::with_capacity(sources.len());
    for (index, (declared, said)) in (0_u16..).zip(&sources) {
        let date = said.date.or(declared.date).unwrap_or(built);
        infos.push(info((index, date), (declared, said), &v4, &v6));
    }
    let overrides = (0_u16..)
        .zip(&statements)
        .flat_map(|(index, said)| said.overrides.iter().map(move |over| (index, over)))
        .map(|(source, over)| OverrideEntry {
            source,
            network: over.network.trunc(),
            place: over.place.map(|place| match place {
                Place::Country(code) => code.to_string(),
                Place::Anycast => "anycast".to_owned(),
            }),
            operator: over.operator.as_deref().map(str::to_owned),
            service: over.service.as_deref().map(str::to_owned),
            owner: over.owner.clone(),
            reason: over.reason.clone(),
            from: over.from,
            until: over.until,
        })
        .collect();
    let systems = systems(&statements, &interned, &v4, &v6);
    let mut layers = Layers {
        meta: AtlasMeta {
            version: String::new(),
            built,
            sources: infos,
        },
        overrides,
        countries: interned.countries,
        systems,
        texts,
        v4,
        v6,
    };
    layers.meta.version = version(&layers)?;
    Ok(layers)
}

/// The day of the newest data; `None` when nothing says a day.
#[must_use]
pub fn newest(sources: &[(DeclaredSource, Statements)]) -> Option<Date> {
    let days = sources.iter();
    days.filter_map(|(declared, said)| said.date.or(declared.date))
        .max()
}

/// An atlas numbers its texts in 16 bits.
pub(super) fn too_many(place: &str, what: &str) -> AtlasError {
    AtlasError::Table {
        file: place.to_owned(),
        what: format!("more than {} {what}: leave some out", u16::MAX),
    }
}

fn info(
    (index, date): (u16, Date),
    (declared, said): (&DeclaredSource, &Statements),
    v4: &Family<u32>,
    v6: &Family<u128>,
) -> SourceInfo {
    let (origin, pinned) = match &declared.origin {
        Origin::Path(path) => (path.display().to_string(), String::new()),
        Origin::Url(url) => (url.clone(), String::new()),
        Origin::Package(package) => (
            format!("{}:{}", package.registry.name(), package.name),
            package.version.clone(),
        ),
    };
    let mut roles: Vec<SourceRole> = roles(index, v4);
    roles.extend(self::roles(index, v6));
    if !said.overrides.is_empty() {
        roles.push(SourceRole::Override);
    }
    roles.sort_unstable();
    roles.dedup();
    let overrides = |v4: bool| {
        let networks = said.overrides.iter().map(|over| over.network);
        networks.filter(|net| net.addr().is_ipv4() == v4).count() as u64
    };
    SourceInfo {
        id: declared.id.clone(),
        kind: declared.kind.name().to_owned(),
        roles,
        priority: declared.priority,
        origin,
        version: said.version.clone().unwrap_or(pinned),
        date,
        licence: declared.licence.clone(),
        attribution: declared.attribution.trim().to_owned(),
        ranges_v4: ranges(index, v4) + overrides(true),
        ranges_v6: ranges(index, v6) + overrides(false),
    }
}

fn roles<A: Address>(index: u16, family: &Family<A>) -> Vec<SourceRole> {
    let speaks = [
        (
            SourceRole::Location,
            family.locations.iter().any(|layer| layer.source == index),
        ),
        (
            SourceRole::Registration,
            family
                .registrations
                .iter()
                .any(|layer| layer.source == index),
        ),
        (
            SourceRole::Announcement,
            family.systems.iter().any(|layer| layer.source == index),
        ),
        (
            SourceRole::SystemCountry,
            family
                .system_countries
                .iter()
                .any(|layer| layer.source == index),
        ),
        (
            SourceRole::OwnList,
            family
                .listed
                .entries()
                .iter()
                .any(|entry| entry.item.source == index),
        ),
        (
            SourceRole::Service,
            family
                .services
                .entries()
                .iter()
                .any(|entry| entry.item.source == index),
        ),
    ];
    let spoken = speaks.into_iter().filter(|(_, speaks)| *speaks);
    spoken.map(|(role, _)| role).collect()
}

fn ranges<A: Address>(index: u16, family: &Family<A>) -> u64 {
    let countries = family
        .locations
        .iter()
        .chain(&family.registrations)
        .chain(&family.system_countries)
        .filter(|layer| layer.source == index)
        .map(|layer| layer.said.spoken());
    let systems = family.systems.iter();
    let systems = systems
        .filter(|layer| layer.source == index)
        .map(|layer| layer.said.spoken());
    let listed = family.listed.entries().iter();
    let listed = listed.filter(|entry| entry.item.source == index).count();
    let services = family.services.entries().iter();
    let services = services.filter(|entry| entry.item.source == index).count();
    (countries.sum::<usize>() + systems.sum::<usize>() + listed + services) as u64
}

/// The autonomous systems with the name that the most trusted source has, and the country that most
/// of their addresses are registered in.
fn systems(
    statements: &[&Statements],
    interned: &Interned,
    v4: &Family<u32>,
    v6: &Family<u128>,
) -> Systems {
    let numbers = &interned.systems;
    let mut names = String::new();
    let mut name_ends = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut known = statements.iter().filter_map(|said| said.names.get(number));
        names.push_str(known.find(|name| !name.is_empty()).map_or("", |name| name));
        name_ends.push(u32::try_from(names.len()).unwrap_or(u32::MAX));
    }
    Systems {
        countries: registration_countries(numbers.len(), v4, v6),
        numbers: numbers.clone(),
        name_ends,
        names,
    }
}

/// Day of the newest data, and a digest of all of it.
fn version(layers: &Layers) -> Result<String, AtlasError> {
    let failed = |error: serde_json::Error| AtlasError::Table {
        file: "(new)".to_owned(),
        what: error.to_string(),
    };
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(&layers.meta).map_err(failed)?);
    digest.update(serde_json::to_vec(&layers.overrides).map_err(failed)?);
    for section in layers.evidence().map_err(failed)? {
        digest.update((section.len() as u64).to_le_bytes());
        digest.update(&section);
    }
    let digest = hexadecimal(&digest.finalize());
    let newest = layers.meta.sources.iter().map(|source| source.date).max();
    let newest = newest.unwrap_or(layers.meta.built);
    Ok(format!("{newest}-{}", digest.get(..8).unwrap_or_default()))
}

/// For each system the country that most of its addresses are registered in; IPv6 decides only
/// where there is no IPv4.
fn registration_countries(systems: usize, v4: &Family<u32>, v6: &Family<u128>) -> Vec<PlaceValue> {
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
    let countries: Vec<_> = family.system_countries.iter().map(|l| &l.said).collect();
    let countries = Partition::first_of(&countries);
    let systems: Vec<_> = family.systems.iter().map(|layer| &layer.said).collect();
    let systems = Partition::first_of(&systems);
    for piece in systems.pieces().filter(|piece| piece.value != 0) {
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
