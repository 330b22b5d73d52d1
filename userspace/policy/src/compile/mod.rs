//! From policy to the tables of the kernel.
//!
//! What a rule asks of the zone and of the destination's class is answered here, once for each
//! cell; what it asks of address, protocol and port is left to the entries of the cell's rule set.
//! Cells whose lists of rules are equal share one set.

mod cells;
mod error;
mod marks;
mod strict;

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use jiff::civil::Date;
use octroi_abi::atlas::CLASS_MAX;
use octroi_abi::opaque::Opaque;
use octroi_abi::rules::{ENFORCED, RULE_OPAQUE, RuleEntry};
use octroi_abi::verdict::Verdict;
use octroi_geo_db::Atlas;
use octroi_geo_db::catalogue::Catalogue;
use octroi_geo_db::profile::Profile;

use crate::model::Policy;
use crate::subject::{Facts, Subject};
use crate::tables::{Tables, mapped};

pub use error::CompileError;

use cells::Cells;
use strict::Strict;

/// What compilation needs of an atlas.
pub trait ClassMap {
    /// By class; the first is what nothing is known of.
    fn profiles(&self) -> &[Arc<Profile>];
    /// Every prefix an AS announces, apart from those of any other AS.
    fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet>;
    /// What groups, services and laws mean.
    fn catalogue(&self) -> &Catalogue;
}

impl ClassMap for Atlas {
    fn profiles(&self) -> &[Arc<Profile>] {
        Self::profiles(self)
    }

    fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet> {
        Self::prefixes_of_asn(self, asn)
    }

    fn catalogue(&self) -> &Catalogue {
        Self::catalogue(self)
    }
}

impl Policy {
    /// Compiles the policy for an atlas, as of a day (qualifications and adequacy are dated:
    /// compile again when the day changes).
    ///
    /// # Errors
    ///
    /// The policy does not fit the bounded tables of the kernel; the error names the rule.
    pub fn compile(&self, atlas: &impl ClassMap, at: Date) -> Result<Tables, CompileError> {
        let most = usize::from(CLASS_MAX) + 1;
        let classes = atlas.profiles().len();
        if classes > most {
            return Err(CompileError::TooManyClasses { classes, most });
        }
        let marks = marks::marks(self, atlas)?;
        let mut cells = Cells::new(self, &marks);
        let unknown = Profile::unknown();
        let profiles = atlas.profiles().iter().map(Arc::as_ref);
        // Class 0 exists whatever the atlas.
        let profiles: Vec<&Profile> = match classes {
            0 => vec![&unknown],
            _ => profiles.collect(),
        };
        let mut strict = Strict::new(self, atlas.catalogue(), at);
        let zones = self.zones.len() + 1;
        let mut verdicts = vec![Vec::with_capacity(profiles.len()); zones];
        for (class, &profile) in profiles.iter().enumerate() {
            let subject = Subject::of_class(atlas.catalogue(), profile, at);
            cells.stand(&Facts::new(self, &subject));
            if let Some(strict) = &mut strict {
                strict.stand(profile);
            }
            for (zone, row) in (0u8..).zip(&mut verdicts) {
                let waits = strict.as_mut().is_some_and(|strict| strict.waits(zone));
                row.push(cells.rule_set(zone, class, waits)?);
            }
        }
        Ok(Tables {
            zones: zone_prefixes(self),
            marks: marks.prefixes,
            nat64: self.nat64.clone(),
            rule_sets: cells.sets,
            verdicts,
            opaque: opaque_entries(self),
            policy_name: self.name.clone(),
            policy_sha256: self.sha256.clone(),
        })
    }

    fn enforced_flag(&self) -> u8 {
        if self.enforced() { ENFORCED } else { 0 }
    }
}

/// In the kernel IPv4 lies inside IPv6: a short IPv6 prefix must not take IPv4 sources in.
fn zone_prefixes(policy: &Policy) -> Vec<(IpNet, u8)> {
    let numbered = policy.zones.iter().zip(1u8..);
    let mut prefixes: Vec<(IpNet, u8)> = numbered
        .flat_map(|(zone, number)| zone.prefixes.iter().map(move |&prefix| (prefix, number)))
        .collect();
    let root = IpNet::V4(Ipv4Net::default());
    let (mapped_root, length) = mapped(root);
    let swallows = |&(prefix, _): &(IpNet, u8)| match prefix {
        IpNet::V4(_) => false,
        IpNet::V6(v6) => v6.prefix_len() <= length && v6.contains(&mapped_root),
    };
    if prefixes.iter().any(swallows) && !prefixes.iter().any(|&(prefix, _)| prefix == root) {
        prefixes.push((root, 0));
    }
    prefixes.sort_unstable();
    prefixes
}

fn opaque_entries(policy: &Policy) -> [RuleEntry; Opaque::COUNT as usize] {
    let entry = |verdict: Verdict| RuleEntry {
        rule: RULE_OPAQUE,
        verdict: verdict.code(),
        flags: policy.enforced_flag(),
        ..RuleEntry::default()
    };
    let mut entries = policy.opaque.map(entry);
    // What is not opaque has no verdict of this kind: nothing is stricter than this.
    if let Some(none) = entries.first_mut() {
        *none = entry(Verdict::Allow);
    }
    entries
}
