//! Spelling keys out: positions in the catalogue become the profile that people and policies read.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::AtlasError;
use super::join::{ControlKey, Key};
use super::names::Names;
use crate::catalogue::Catalogue;
use crate::profile::Profile;
use crate::{CLASS_MAX, CLASS_UNKNOWN, ClassId};

/// The profile of a key. Laws and reach of all operators there are united and never lowered: each
/// of them holds the wire.
pub(crate) fn profile_of(key: &Key, names: &Names, catalogue: &Catalogue) -> Profile {
    let mut profile = Profile {
        hosting: key.hosting,
        special: key.special,
        ..Profile::unknown()
    };
    match key.control {
        ControlKey::Nobody => {}
        ControlKey::Country(country) => profile.control = catalogue.presumed_control(country),
        ControlKey::Operators { named, also, basis } => {
            if let Some(operator) = names.operator_at(named) {
                profile.control.clone_from(&operator.control);
            }
            let control = &mut profile.control;
            control.basis = basis;
            for operator in also.iter().filter_map(|other| names.operator_at(*other)) {
                control.reach = control.reach.max(operator.control.reach);
                control.laws.extend(operator.control.laws.iter().cloned());
            }
            control.laws.sort_unstable();
            control.laws.dedup();
        }
    }
    if let Some(service) = names
        .service_at(key.service)
        .and_then(|service| catalogue.service(&service.id))
    {
        profile.service = Some(Arc::clone(&service.id));
        profile.qualifications.clone_from(&service.qualifications);
    }
    profile
}

/// Numbers distinct profiles in the order in which they come up.
pub(crate) struct Classes {
    profiles: Vec<Arc<Profile>>,
    numbers: HashMap<Arc<Profile>, ClassId, foldhash::fast::RandomState>,
}

impl Classes {
    pub(crate) fn new() -> Self {
        let unknown = Arc::new(Profile::unknown());
        let mut numbers = HashMap::default();
        numbers.insert(Arc::clone(&unknown), CLASS_UNKNOWN);
        Self {
            profiles: vec![unknown],
            numbers,
        }
    }

    /// The class of each key.
    pub(crate) fn of_keys(
        &mut self,
        keys: &[Key],
        names: &Names,
        catalogue: &Catalogue,
    ) -> Result<Vec<ClassId>, AtlasError> {
        keys.iter()
            .map(|key| self.number(profile_of(key, names, catalogue)))
            .collect()
    }

    pub(crate) fn into_profiles(self) -> Vec<Arc<Profile>> {
        self.profiles
    }

    fn number(&mut self, profile: Profile) -> Result<ClassId, AtlasError> {
        if let Some(number) = self.numbers.get(&profile) {
            return Ok(*number);
        }
        let number = ClassId::try_from(self.profiles.len())
            .ok()
            .filter(|number| *number <= CLASS_MAX)
            .ok_or(AtlasError::Bound {
                what: "classes",
                needed: self.profiles.len() + 1,
                limit: usize::from(CLASS_MAX) + 1,
                remedy: "leave out services or operators that share prefixes with many countries",
            })?;
        let profile = Arc::new(profile);
        self.profiles.push(Arc::clone(&profile));
        self.numbers.insert(profile, number);
        Ok(number)
    }
}
