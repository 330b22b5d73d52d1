//! Sets that conditions test a fact against: places, words, prefixes, host names.
//!
//! A list in a policy holds what is wanted and, after `!`, what is not. A value is in the set when
//! nothing unwanted names it and, if anything is wanted, something wanted names it. A fact that is
//! missing is in no set, negated or not.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use octroi_geo_db::catalogue::Group;
use octroi_geo_db::profile::CountryCode;

/// Countries and groups of countries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// Wanted countries, in the order of the policy.
    pub countries: Vec<CountryCode>,
    /// Wanted groups.
    pub groups: Vec<Group>,
    /// Unwanted countries.
    pub not_countries: Vec<CountryCode>,
    /// Unwanted groups.
    pub not_groups: Vec<Group>,
}

impl Places {
    /// Whether a country is in the set; `in_group` says which groups it belongs to.
    pub fn contains(&self, country: CountryCode, in_group: impl Fn(Group) -> bool) -> bool {
        if self.not_countries.contains(&country) {
            return false;
        }
        let wanted = (self.countries.is_empty() && self.groups.is_empty())
            || self.countries.contains(&country)
            || self.groups.iter().any(|&group| in_group(group));
        wanted && !self.not_groups.iter().any(|&group| in_group(group))
    }

    /// The list as a policy would write it.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        let wanted = self.countries.iter().map(ToString::to_string);
        let wanted = wanted.chain(self.groups.iter().map(ToString::to_string));
        let unwanted = self.not_countries.iter().map(ToString::to_string);
        let unwanted = unwanted.chain(self.not_groups.iter().map(ToString::to_string));
        wanted
            .chain(unwanted.map(|item| format!("!{item}")))
            .collect()
    }
}

/// Ids of the catalogue (operators, services, laws...), or other plain words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    /// Wanted, sorted.
    pub wanted: Vec<Arc<str>>,
    /// Unwanted, sorted.
    pub unwanted: Vec<Arc<str>>,
}

impl Words {
    fn names(list: &[Arc<str>], word: &str) -> bool {
        list.binary_search_by(|item| item.as_ref().cmp(word))
            .is_ok()
    }

    /// Whether one word is in the set.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        !Self::names(&self.unwanted, word)
            && (self.wanted.is_empty() || Self::names(&self.wanted, word))
    }

    /// For a fact of several words: none is unwanted, and at least one is wanted if any must be.
    pub fn contains_any<'w>(&self, words: impl Iterator<Item = &'w str> + Clone) -> bool {
        !words.clone().any(|word| Self::names(&self.unwanted, word))
            && (self.wanted.is_empty() || { words }.any(|word| Self::names(&self.wanted, word)))
    }

    /// The list as a policy would write it.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        let wanted = self.wanted.iter().map(ToString::to_string);
        wanted
            .chain(self.unwanted.iter().map(|item| format!("!{item}")))
            .collect()
    }
}

/// Destination prefixes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Prefixes {
    /// Wanted.
    pub wanted: Vec<IpNet>,
    /// Unwanted.
    pub unwanted: Vec<IpNet>,
}

impl Prefixes {
    /// Whether an address (not an IPv4-mapped one) is in the set.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        !self.excludes(address) && self.wants(address)
    }

    /// Whether an address is wanted, or none is in particular.
    #[must_use]
    pub fn wants(&self, address: IpAddr) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|prefix| prefix.contains(&address))
    }

    /// Whether an address is excluded.
    #[must_use]
    pub fn excludes(&self, address: IpAddr) -> bool {
        self.unwanted.iter().any(|prefix| prefix.contains(&address))
    }

    /// The list as a policy would write it.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        let wanted = self.wanted.iter().map(ToString::to_string);
        wanted
            .chain(self.unwanted.iter().map(|item| format!("!{item}")))
            .collect()
    }
}

/// One host name, or all names below one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NamePattern {
    /// Lower case, no trailing dot, without the `*.`.
    pub name: String,
    /// `*.name`: matches what is below the name, not the name itself.
    pub below: bool,
}

impl NamePattern {
    /// Whether a host name (any case, trailing dot or not) is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
        let name = self.name.as_bytes();
        if !self.below {
            return host.eq_ignore_ascii_case(name);
        }
        let Some(cut) = host.len().checked_sub(name.len() + 1) else {
            return false;
        };
        cut > 0
            && host.get(cut) == Some(&b'.')
            && host
                .get(cut + 1..)
                .is_some_and(|end| end.eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

/// Host names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Wanted.
    pub wanted: Vec<NamePattern>,
    /// Unwanted.
    pub unwanted: Vec<NamePattern>,
}

impl Names {
    /// Whether a host name is in the set.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        !self.unwanted.iter().any(|pattern| pattern.matches(host))
            && (self.wanted.is_empty() || self.wanted.iter().any(|pattern| pattern.matches(host)))
    }

    /// The list as a policy would write it.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        let wanted = self.wanted.iter().map(ToString::to_string);
        wanted
            .chain(self.unwanted.iter().map(|item| format!("!{item}")))
            .collect()
    }
}

/// Zones by number; 0 is "in no zone".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ZoneSet(pub u64);

impl ZoneSet {
    /// Whether a zone is in the set.
    #[must_use]
    pub const fn contains(self, zone: u8) -> bool {
        zone < 64 && self.0 >> zone & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(wanted: &[&str], unwanted: &[&str]) -> Words {
        Words {
            wanted: wanted.iter().map(|&word| word.into()).collect(),
            unwanted: unwanted.iter().map(|&word| word.into()).collect(),
        }
    }

    #[test]
    fn unwanted_wins_over_wanted() {
        let set = words(&["ovh", "scaleway"], &["ovh"]);
        assert!(!set.contains("ovh"));
        assert!(set.contains("scaleway"));
        assert!(!set.contains("microsoft"));
        assert!(words(&[], &["ovh"]).contains("microsoft"));
    }

    #[test]
    fn several_words_need_one_wanted_and_none_unwanted() {
        let set = words(&["hds"], &["us_cloud_act"]);
        assert!(set.contains_any(["hds", "c5"].into_iter()));
        assert!(!set.contains_any(["hds", "us_cloud_act"].into_iter()));
        assert!(!set.contains_any(std::iter::empty()));
    }

    #[test]
    fn a_star_means_below_and_not_the_name_itself() {
        let below = NamePattern {
            name: "zoom.us".to_owned(),
            below: true,
        };
        assert!(below.matches("a.ZOOM.us."));
        assert!(below.matches("a.b.zoom.us"));
        assert!(!below.matches("zoom.us"));
        assert!(!below.matches(".zoom.us"));
        assert!(!below.matches("notzoom.us"));
        assert!(!below.matches(""));
        let exact = NamePattern {
            name: "zoom.us".to_owned(),
            below: false,
        };
        assert!(exact.matches("Zoom.Us."));
        assert!(!exact.matches("a.zoom.us"));
    }
}
