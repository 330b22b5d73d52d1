//! Names that record who opens them: what a policy can ask of a name besides what it says.
//!
//! The catalogue knows hosts of tracking links (IP loggers: grabify and its family) and what names
//! resemble one. The words here are those of the condition `tracking_link`.

use octroi_geo_db::catalogue::Catalogue;

/// How a name is one of a tracking link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TrackingLink {
    /// A host of the catalogue that exists for nothing else.
    Listed,
    /// A host of the catalogue that has lawful uses as well.
    DualUse,
    /// Resembles one, or imitates a service: a suspicion, no proof.
    LookAlike,
}

impl TrackingLink {
    /// All of them, the surest first.
    pub const ALL: [Self; 3] = [Self::Listed, Self::DualUse, Self::LookAlike];

    /// The word used in policies and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::DualUse => "dual_use",
            Self::LookAlike => "look_alike",
        }
    }

    /// What the catalogue says of a name; `None`: nothing of the kind.
    #[must_use]
    pub fn of(catalogue: &Catalogue, name: &str) -> Option<Self> {
        Self::listed(catalogue, name).or_else(|| {
            let suspected = catalogue.suspected_ip_logger(name).is_some();
            suspected.then_some(Self::LookAlike)
        })
    }

    /// The same, of hosts that the catalogue lists: a look-up, where likeness is a search.
    #[must_use]
    pub fn listed(catalogue: &Catalogue, name: &str) -> Option<Self> {
        let logger = catalogue.ip_logger(name)?;
        Some(if logger.dual_use {
            Self::DualUse
        } else {
            Self::Listed
        })
    }
}

/// Whether a name is one of these; likeness is searched for only where it is asked for.
pub(crate) fn is_one_of(wanted: &[TrackingLink], catalogue: &Catalogue, name: &str) -> bool {
    let found = if wanted.contains(&TrackingLink::LookAlike) {
        TrackingLink::of(catalogue, name)
    } else {
        TrackingLink::listed(catalogue, name)
    };
    found.is_some_and(|found| wanted.contains(&found))
}

/// The site behind a name, known or suspected.
pub(crate) fn family(catalogue: &Catalogue, name: &str) -> String {
    match catalogue.ip_logger(name) {
        Some(logger) => logger.family.clone(),
        None => catalogue
            .suspected_ip_logger(name)
            .map_or_else(String::new, |suspicion| suspicion.family.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_catalogue_makes_of_it() {
        let catalogue = Catalogue::embedded().unwrap();
        for (name, expected) in [
            ("grabify.link", Some(TrackingLink::Listed)),
            ("a.b.grabify.link", Some(TrackingLink::Listed)),
            ("x1.canarytokens.com", Some(TrackingLink::DualUse)),
            ("grabify.example", Some(TrackingLink::LookAlike)),
            ("www.impots.gouv.fr", None),
            ("zoom.us", None),
            ("", None),
        ] {
            assert_eq!(TrackingLink::of(&catalogue, name), expected, "{name}");
            for wanted in TrackingLink::ALL {
                assert_eq!(
                    is_one_of(&[wanted], &catalogue, name),
                    expected == Some(wanted),
                    "{name} {wanted:?}"
                );
            }
        }
    }
}
