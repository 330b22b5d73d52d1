//! Names that look like a known tracking-link host: a suspicion for a reader, never a proof.
//!
//! Only the label that somebody registered is compared (`grabify` of `www.grabify.lol`), with the
//! distinctive words of the catalogue (`word` of a tracking-link host).

mod skeleton;

use std::fmt;
use std::sync::Arc;

use self::skeleton::{skeleton, unicode};
use super::Catalogue;
use super::service::IpLogger;
use super::words::Language;

/// Words shorter than this are compared for equality only.
const EDITS_FROM_LENGTH: usize = 7;
/// From this length two edits are still alike.
const TWO_EDITS_FROM_LENGTH: usize = 10;
/// Labels of hosts shorter than this are too ordinary to be known again under another ending.
const LABEL_MIN_LENGTH: usize = 6;
/// Names of services shorter than this are too easily met by accident.
const SERVICE_MIN_LENGTH: usize = 5;

/// What people put before a word to get a name that is still free.
const BEFORE: [&str; 10] = [
    "best", "free", "get", "go", "my", "new", "real", "the", "try", "web",
];

/// Second-level names under which names are registered (`example.co.uk`, `service.gouv.fr`).
const SECOND_LEVEL: [&str; 12] = [
    "ac", "asso", "co", "com", "edu", "gob", "gouv", "gov", "ne", "net", "or", "org",
];

/// Endings so common that sharing one says nothing.
const COMMON_ENDINGS: [&str; 18] = [
    "app", "be", "cloud", "co", "com", "de", "dev", "eu", "fr", "info", "io", "link", "net", "org",
    "pl", "ru", "site", "us",
];

/// In which way a name is like a known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// The same label under another ending.
    OtherEnding,
    /// The same to the eye: digits for letters, letters of other scripts or with marks.
    Homoglyph,
    /// The word with something before or behind it.
    Keyword,
    /// A letter or two more, less or other.
    Edits,
}

impl Likeness {
    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherEnding => "other_ending",
            Self::Homoglyph => "homoglyph",
            Self::Keyword => "keyword",
            Self::Edits => "edits",
        }
    }

    /// The likeness in words, to be followed by what the name is like.
    #[must_use]
    pub const fn title(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::OtherEnding, Language::En) => "the same name under another ending as",
            (Self::OtherEnding, Language::Fr) => "le même nom sous une autre extension que",
            (Self::Homoglyph, Language::En) => "the same to the eye as",
            (Self::Homoglyph, Language::Fr) => "identique à l'œil à",
            (Self::Keyword, Language::En) => "made of the name of",
            (Self::Keyword, Language::Fr) => "formé sur le nom de",
            (Self::Edits, Language::En) => "a letter or two away from",
            (Self::Edits, Language::Fr) => "à une ou deux lettres de",
        }
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a name is suspected to be a tracking-link host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The family of the host it is like; `imitation` when it imitates a service by other letters.
    pub family: Arc<str>,
    /// What it is like: a known host, or the domain of a service.
    pub like: Arc<str>,
    /// Edits between the two labels as they are read: 0 for the same label.
    pub distance: usize,
    /// In which way.
    pub reason: Likeness,
}

/// A distinctive word with the host that brings it.
#[derive(Clone, Debug)]
struct Known {
    word: Arc<str>,
    skeleton: String,
    host: Arc<str>,
    family: Arc<str>,
    unlike: Vec<Arc<str>>,
}

/// What names are compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct LookAlikes {
    words: Vec<Known>,
    /// (label, family, host) of every host whose label is long enough.
    labels: Vec<(String, Arc<str>, Arc<str>)>,
    /// (family, ending) of every host, common endings left out.
    endings: Vec<(Arc<str>, String)>,
}

impl LookAlikes {
    pub(super) fn new(loggers: &[IpLogger]) -> Self {
        let mut all = Self::default();
        for logger in loggers {
            let family: Arc<str> = Arc::from(logger.family.as_str());
            let host = Arc::clone(&logger.host);
            let Some((label, ending)) = registered(&host) else {
                continue;
            };
            if label.len() >= LABEL_MIN_LENGTH && !logger.dual_use {
                let label = label.to_owned();
                all.labels
                    .push((label, Arc::clone(&family), Arc::clone(&host)));
            }
            if !COMMON_ENDINGS.contains(&ending) {
                all.endings.push((Arc::clone(&family), ending.to_owned()));
            }
            if let Some(word) = &logger.word {
                all.words.push(Known {
                    word: Arc::clone(word),
                    skeleton: skeleton(word),
                    host,
                    family,
                    unlike: logger.unlike.clone(),
                });
            }
        }
        all
    }

    /// The nearest word, or a known label under an ending that its family likes.
    fn suspect(&self, label: &str, ending: &str) -> Option<Suspicion> {
        let read = unicode(label)?;
        let alike = self.words.iter().filter_map(|known| known.compare(&read));
        let nearest = alike.min_by_key(|found| (found.reason, found.distance));
        nearest.or_else(|| {
            let (_, family, host) = self.labels.iter().find(|(known, family, _)| {
                known == label && self.endings.iter().any(|(f, e)| f == family && e == ending)
            })?;
            Some(Suspicion {
                family: Arc::clone(family),
                like: Arc::clone(host),
                distance: 0,
                reason: Likeness::OtherEnding,
            })
        })
    }
}

impl Known {
    /// In which way a label, as it is read, is like this word.
    fn compare(&self, read: &str) -> Option<Suspicion> {
        if self.unlike.iter().any(|other| **other == *read) {
            return None;
        }
        let bare: String = read.chars().filter(|letter| *letter != '-').collect();
        let distance = strsim::damerau_levenshtein(&bare, &self.word);
        let folded = skeleton(read);
        let reason = if bare == *self.word {
            Likeness::OtherEnding
        } else if folded == self.skeleton {
            Likeness::Homoglyph
        } else if self.within(read, &folded) {
            Likeness::Keyword
        } else if self.near(&bare) {
            Likeness::Edits
        } else {
            return None;
        };
        Some(Suspicion {
            family: Arc::clone(&self.family),
            like: Arc::clone(&self.host),
            distance,
            reason,
        })
    }

    /// Does a part of the label begin with the word, or is it the word behind a filler?
    fn within(&self, read: &str, folded: &str) -> bool {
        if self.skeleton.len() < EDITS_FROM_LENGTH {
            return false;
        }
        let parts = read.split('-').map(skeleton);
        parts.chain([folded.to_owned()]).any(|part| {
            let filler = part.strip_suffix(&self.skeleton);
            part.starts_with(&self.skeleton)
                || filler.is_some_and(|filler| BEFORE.iter().any(|word| skeleton(word) == filler))
        })
    }

    /// Few edits, the first two letters kept: who imitates a name keeps its beginning.
    fn near(&self, bare: &str) -> bool {
        let allowed = match self.word.len() {
            TWO_EDITS_FROM_LENGTH.. => 2,
            EDITS_FROM_LENGTH.. => 1,
            _ => 0,
        };
        allowed > 0
            && bare.len().abs_diff(self.word.len()) <= allowed
            && bare.get(..2) == self.word.get(..2)
            && strsim::damerau_levenshtein(bare, &self.word) <= allowed
    }
}

impl Catalogue {
    /// Does a name look like a tracking-link host without being a known one? `None` for known
    /// hosts, for the domains of services, and for names that look like nothing in particular.
    /// A suspicion is for a reader and for flags: names are free, and likeness is no proof.
    #[must_use]
    pub fn suspected_ip_logger(&self, name: &str) -> Option<Suspicion> {
        if self.ip_logger(name).is_some() || self.service_of_domain(name).is_some() {
            return None;
        }
        self.look_alike(name)
    }

    /// The heuristic alone, without the names that the catalogue knows.
    pub(super) fn look_alike(&self, name: &str) -> Option<Suspicion> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if name.len() > 253 {
            return None;
        }
        let (label, ending) = registered(&name)?;
        let like_a_host = self.facts.look_alikes.suspect(label, ending);
        like_a_host.or_else(|| self.imitated_service(label))
    }

    /// The service whose domain a label in other letters reads like.
    fn imitated_service(&self, label: &str) -> Option<Suspicion> {
        let read = unicode(label).filter(|read| !read.is_ascii())?;
        let folded = skeleton(&read);
        if folded.len() < SERVICE_MIN_LENGTH {
            return None;
        }
        let domains = self.services().flat_map(|service| &service.domains);
        let same =
            |domain: &&Arc<str>| registered(domain).is_some_and(|(own, _)| skeleton(own) == folded);
        let like = domains.into_iter().find(same)?;
        let (own, _) = registered(like)?;
        Some(Suspicion {
            family: Arc::from("imitation"),
            like: Arc::clone(like),
            distance: strsim::damerau_levenshtein(&read, own),
            reason: Likeness::Homoglyph,
        })
    }
}

/// The label that somebody registered and what follows it: (`grabify`, `co.uk`). Without a list of
/// public suffixes, names under the usual second-level names of two-letter endings are known.
fn registered(name: &str) -> Option<(&str, &str)> {
    let (rest, top) = name.rsplit_once('.')?;
    let (before, second) = rest
        .rsplit_once('.')
        .map_or((None, rest), |(before, second)| (Some(before), second));
    let (label, ending) = match before {
        Some(before) if top.len() == 2 && SECOND_LEVEL.contains(&second) => {
            let label = before.rsplit_once('.').map_or(before, |(_, label)| label);
            (label, name.get(name.len() - second.len() - 3..)?)
        }
        _ => (second, top),
    };
    (!label.is_empty() && !ending.is_empty()).then_some((label, ending))
}
