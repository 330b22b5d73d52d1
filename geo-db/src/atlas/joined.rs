//! The join as it is stored in an atlas file: keys and pieces of both families, and the digest of
//! what they were joined with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{Cutter, Writer, within};
use super::container::{Container, Section};
use super::error::AtlasError;
use super::facts::Facts;
use super::join::{ControlKey, Joined, Key, Rules, Tables, join};
use super::layers::{Layers, OverrideEntry};
use super::names::{Names, fingerprint};
use super::range::Address;
use super::regions::Regions;
use super::special;
use crate::catalogue::Catalogue;

/// What was joined with what, and the ids behind the positions in keys.
#[derive(Serialize, Deserialize)]
struct Head {
    fingerprint: [u8; 32],
    operators: Vec<Arc<str>>,
    services: Vec<Arc<str>>,
}

/// A join on its way into a file.
pub(crate) struct Stored {
    head: Head,
    v4: Joined<u32>,
    v6: Joined<u128>,
}

/// Joins both families, side by side.
pub(crate) fn join_families(layers: &Layers, facts: &Facts) -> Tables {
    std::thread::scope(|scope| {
        let v6 = scope.spawn(|| {
            let rules = Rules {
                layers,
                facts,
                family: &layers.v6,
                family_facts: &facts.v6,
            };
            join(&rules, &special::registry_v6())
        });
        let rules = Rules {
            layers,
            facts,
            family: &layers.v4,
            family_facts: &facts.v4,
        };
        let v4 = join(&rules, &special::registry_v4());
        let v6 = v6
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (v4, v6)
    })
}

impl Stored {
    pub(crate) fn new(
        layers: &Layers,
        catalogue: &Catalogue,
        regions: &Arc<Regions>,
    ) -> Result<Self, AtlasError> {
        let facts = Facts::new(layers, catalogue, Arc::clone(regions))?;
        let (v4, v6) = join_families(layers, &facts);
        Ok(Self {
            head: Head {
                fingerprint: fingerprint(catalogue, regions, &layers.overrides),
                operators: facts.names.operator_ids().collect(),
                services: facts.names.service_ids().collect(),
            },
            v4,
            v6,
        })
    }

    pub(crate) fn head(&self) -> Result<Vec<u8>, AtlasError> {
        packed(&self.head)
    }

    pub(crate) fn v4(&self) -> Result<Vec<u8>, AtlasError> {
        write(&self.v4)
    }

    pub(crate) fn v6(&self) -> Result<Vec<u8>, AtlasError> {
        write(&self.v6)
    }
}

fn packed(value: &impl Serialize) -> Result<Vec<u8>, AtlasError> {
    rmp_serde::to_vec(value).map_err(|error| AtlasError::Damaged {
        file: "(new)".to_owned(),
        what: error.to_string(),
    })
}

fn write<A: Address>(joined: &Joined<A>) -> Result<Vec<u8>, AtlasError> {
    let mut writer = Writer::default();
    writer.bytes(&packed(&joined.keys)?);
    writer.partition(&joined.pieces);
    Ok(writer.bytes)
}

/// The join that is stored in a file; `None` when it was made with other facts.
///
/// # Errors
/// When it is damaged.
pub(crate) fn read(
    container: &Container,
    catalogue: &Catalogue,
    regions: &Regions,
    overrides: &[OverrideEntry],
    names: &Names,
) -> Result<Option<Tables>, AtlasError> {
    let head: Head = container.read(Section::JoinHead, |plain| {
        rmp_serde::from_slice(plain).map_err(|error| error.to_string())
    })?;
    if head.fingerprint != fingerprint(catalogue, regions, overrides) {
        return Ok(None);
    }
    let positions = Positions {
        operators: found(&head.operators, |id| names.operator(id)),
        services: found(&head.services, |id| names.service(id)),
    };
    let (v4, v6) = std::thread::scope(|scope| {
        let v6 = scope.spawn(|| {
            container.read(Section::JoinV6, |plain| {
                read_family::<u128>(plain, &positions)
            })
        });
        let v4 = container.read(Section::JoinV4, |plain| {
            read_family::<u32>(plain, &positions)
        });
        let v6 = v6
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (v4, v6)
    });
    Ok(Some((v4?, v6?)))
}

/// For each position in the file the one in the catalogue.
struct Positions {
    operators: Vec<u16>,
    services: Vec<u16>,
}

fn found(ids: &[Arc<str>], position: impl Fn(&str) -> u16) -> Vec<u16> {
    std::iter::once(0)
        .chain(ids.iter().map(|id| position(id)))
        .collect()
}

fn read_family<A: Address>(plain: &[u8], positions: &Positions) -> Result<Joined<A>, String> {
    let mut cutter = Cutter::new(plain);
    let mut keys: Vec<Key> =
        rmp_serde::from_slice(cutter.bytes()?).map_err(|error| error.to_string())?;
    for key in &mut keys {
        translate(key, positions)?;
    }
    let pieces = cutter.partition::<A, u32>()?;
    cutter.end()?;
    let highest = keys.len().checked_sub(1).ok_or("there is no key")?;
    within(pieces.values(), highest, "key")?;
    Ok(Joined { pieces, keys })
}

fn translate(key: &mut Key, positions: &Positions) -> Result<(), String> {
    let at = |known: &[u16], position: u16, what: &str| {
        let found = known.get(usize::from(position)).copied();
        found
            .filter(|found| (*found == 0) == (position == 0))
            .ok_or_else(|| format!("a key names {what} {position}, which there is not"))
    };
    key.service = at(&positions.services, key.service, "service")?;
    if let ControlKey::Operators { named, also, .. } = &mut key.control {
        *named = at(&positions.operators, *named, "operator")?;
        for other in also {
            *other = at(&positions.operators, *other, "operator")?;
        }
    }
    let hosting = key.hosting;
    if hosting.country.is_some() != hosting.confidence.has_country() {
        return Err("a key names a country where there is none, or none".to_owned());
    }
    Ok(())
}
