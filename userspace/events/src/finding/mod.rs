//! Findings: what somebody should look into, told once however often it is seen.
//!
//! A link to a host that exists to record who opens it gives away that a person of this network was
//! there. Every name that is asked for or said is compared with the catalogue; a hit is a finding with
//! a life: told when it begins (`create`), again while new hits come, at most every
//! [`UPDATE_S`] (`update`), and when nothing was seen of it for [`QUIET_S`] (`close`). One finding is
//! one client and one host. Counts add up: the last word on a finding holds them all. Somebody who
//! looks into it can say so ([`Findings::acknowledge`]); it goes on being counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use octroi_geo_db::Catalogue;
use serde::{Deserialize, Serialize};

use crate::identity::Fnv;
use crate::model::Severity;

/// Shortest time between two words on one finding, seconds.
pub const UPDATE_S: i64 = 600;
/// Silence after which a finding is closed, seconds.
pub const QUIET_S: i64 = 3_600;
/// Findings that are open at once; of more, the one that was silent longest is closed.
pub const OPEN: usize = 4_096;
/// Names that one finding lists.
const NAMES: usize = 8;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Matter {
    /// A host of the catalogue that records who opens its links.
    IpLogger {
        /// The host as the catalogue writes it; the name is it or below it.
        host: Arc<str>,
        /// The site behind it.
        family: Arc<str>,
        /// Has lawful uses as well.
        dual_use: bool,
        /// Where the catalogue has it from.
        source: Arc<str>,
    },
    /// A name that resembles one: a suspicion, no proof.
    LookAlike {
        /// What it resembles.
        like: Arc<str>,
        /// The site behind that.
        family: Arc<str>,
        /// Edits between the two.
        distance: usize,
        /// In which way: `other_ending`, `homoglyph`, `keyword`, `edits`.
        likeness: Arc<str>,
    },
}

impl Matter {
    /// What the catalogue says of a name.
    #[must_use]
    pub fn of(catalogue: &Catalogue, name: &str) -> Option<Self> {
        if let Some(logger) = catalogue.ip_logger(name) {
            return Some(Self::IpLogger {
                host: Arc::clone(&logger.host),
                family: logger.family.as_str().into(),
                dual_use: logger.dual_use,
                source: logger.source.as_str().into(),
            });
        }
        let suspicion = catalogue.suspected_ip_logger(name)?;
        Some(Self::LookAlike {
            like: suspicion.like,
            family: suspicion.family,
            distance: suspicion.distance,
            likeness: suspicion.reason.name().into(),
        })
    }

    /// The word for its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::IpLogger { .. } => "ip_logger",
            Self::LookAlike { .. } => "look_alike",
        }
    }

    /// The site behind it.
    #[must_use]
    pub fn family(&self) -> &Arc<str> {
        match self {
            Self::IpLogger { family, .. } | Self::LookAlike { family, .. } => family,
        }
    }

    /// How urgent: a known host high, one with lawful uses medium, a mere likeness low.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::IpLogger {
                dual_use: false, ..
            } => Severity::High,
            Self::IpLogger { .. } => Severity::Medium,
            Self::LookAlike { .. } => Severity::Low,
        }
    }

    /// What makes two hits one finding.
    fn key(&self) -> (&'static str, Arc<str>) {
        let (Self::IpLogger { host: word, .. } | Self::LookAlike { like: word, .. }) = self;
        (self.kind(), Arc::clone(word))
    }
}

/// One name that hit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hit {
    /// When.
    pub time: Timestamp,
    /// How often, at least 1.
    pub times: u64,
    /// Who asked for it or said it.
    pub client: IpAddr,
    /// Zone of the client.
    pub zone: Option<Arc<str>>,
    /// The name.
    pub name: Arc<str>,
    /// How it was seen: `query`, `sni`, `quic`, `host`...
    pub seen_by: Arc<str>,
    /// Where it led, when it was said to somebody.
    pub destination: Option<IpAddr>,
    /// What it hit.
    pub matter: Matter,
}

/// Where a finding is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Seen for the first time.
    Create,
    /// Seen again.
    Update,
    /// Not seen any more.
    Close,
}

impl Activity {
    /// The word used in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Close => "close",
        }
    }
}

/// Somebody looks into a finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Since when.
    pub at: Timestamp,
    /// Who, as the gateway knows them.
    pub by: Arc<str>,
}

/// What became of an acknowledgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Acknowledgement {
    /// It is taken: the word to tell of it.
    Taken(Box<Finding>),
    /// Somebody was first.
    Already(Acknowledged),
    /// No finding that is open has this id.
    Unknown,
}

/// One word on a finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// When this word is told.
    pub time: Timestamp,
    /// The same in every word on it: positive, below 2^53.
    pub id: u64,
    /// Which word this is.
    pub activity: Activity,
    /// What was found.
    pub matter: Matter,
    /// Who.
    pub client: IpAddr,
    /// Zone of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
    /// The names that hit, the first of them.
    pub names: Vec<Arc<str>>,
    /// How they were seen.
    pub seen_by: Vec<Arc<str>>,
    /// Where the latest led, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<IpAddr>,
    /// First hit.
    pub first: Timestamp,
    /// Latest hit.
    pub last: Timestamp,
    /// Hits so far.
    pub count: u64,
    /// Who looks into it, when somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

impl Finding {
    /// Where it stands, in one word: `open`, `acknowledged` or `closed`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.activity, &self.acknowledged) {
            (Activity::Close, _) => "closed",
            (_, Some(_)) => "acknowledged",
            (_, None) => "open",
        }
    }

    /// One line for people.
    #[must_use]
    pub fn signature(&self) -> String {
        let name = self.names.first().map_or("", AsRef::as_ref);
        match &self.matter {
            Matter::IpLogger { family, .. } => {
                format!("TRACKING LINK {name}: a host that records who opens its links ({family})")
            }
            Matter::LookAlike {
                like,
                family,
                distance,
                likeness,
            } => format!(
                "TRACKING LINK suspected: {name} resembles {like} ({family}; {likeness}, distance {distance})"
            ),
        }
    }
}

/// The open findings.
#[derive(Debug, Default)]
pub struct Findings {
    open: HashMap<(IpAddr, &'static str, Arc<str>), Open>,
    hits: u64,
}

#[derive(Debug)]
struct Open {
    finding: Finding,
    told: Timestamp,
    /// Hits that no word has told of yet.
    untold: bool,
}

impl Findings {
    /// Hits since the beginning.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// The findings that are open now, the latest first.
    #[must_use]
    pub fn open(&self) -> Vec<&Finding> {
        let mut open: Vec<_> = self.open.values().map(|open| &open.finding).collect();
        open.sort_by_key(|finding| (std::cmp::Reverse(finding.last), finding.id));
        open
    }

    /// Takes in a hit; returns what is to be told now.
    pub fn hit(&mut self, hit: Hit) -> Vec<Finding> {
        self.hits += hit.times;
        let (kind, word) = hit.matter.key();
        let key = (hit.client, kind, word);
        if let Some(open) = self.open.get_mut(&key) {
            open.take(&hit);
            let due = hit.time.duration_since(open.told) >= SignedDuration::from_secs(UPDATE_S);
            return due
                .then(|| open.tell(hit.time, Activity::Update))
                .into_iter()
                .collect();
        }
        let mut told = Vec::new();
        if self.open.len() >= OPEN {
            let silent = self.open.iter().min_by_key(|(_, open)| open.finding.last);
            if let Some(key) = silent.map(|(key, _)| key.clone())
                && let Some(mut open) = self.open.remove(&key)
            {
                told.push(open.tell(hit.time, Activity::Close));
            }
        }
        let finding = Finding {
            time: hit.time,
            id: id(&hit),
            activity: Activity::Create,
            matter: hit.matter,
            client: hit.client,
            zone: hit.zone,
            names: vec![hit.name],
            seen_by: vec![hit.seen_by],
            destination: hit.destination,
            first: hit.time,
            last: hit.time,
            count: hit.times,
            acknowledged: None,
        };
        told.push(finding.clone());
        let open = Open {
            told: finding.time,
            finding,
            untold: false,
        };
        self.open.insert(key, open);
        told
    }

    /// Notes that somebody looks into an open finding.
    pub fn acknowledge(&mut self, id: u64, by: &str, now: Timestamp) -> Acknowledgement {
        let Some(open) = { self.open.values_mut() }.find(|open| open.finding.id == id) else {
            return Acknowledgement::Unknown;
        };
        if let Some(known) = &open.finding.acknowledged {
            return Acknowledgement::Already(known.clone());
        }
        open.finding.acknowledged = Some(Acknowledged {
            at: now,
            by: by.into(),
        });
        Acknowledgement::Taken(Box::new(open.tell(now, Activity::Update)))
    }

    /// Tells what is due: closes what is silent, and hits that waited. To be called now and then.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut told = Vec::new();
        self.open.retain(|_, open| {
            let quiet = now.duration_since(open.finding.last);
            if quiet >= SignedDuration::from_secs(QUIET_S) {
                told.push(open.tell(now, Activity::Close));
                return false;
            }
            let age = now.duration_since(open.told);
            if open.untold && age >= SignedDuration::from_secs(UPDATE_S) {
                told.push(open.tell(now, Activity::Update));
            }
            true
        });
        told.sort_by_key(|finding| (finding.first, finding.id));
        told
    }

    /// Closes every finding.
    pub fn flush(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut told: Vec<Finding> = self
            .open
            .drain()
            .map(|(_, mut open)| open.tell(now, Activity::Close))
            .collect();
        told.sort_by_key(|finding| (finding.first, finding.id));
        told
    }
}

impl Open {
    fn take(&mut self, hit: &Hit) {
        let finding = &mut self.finding;
        finding.count += hit.times;
        finding.last = finding.last.max(hit.time);
        if hit.destination.is_some() {
            finding.destination = hit.destination;
        }
        for (list, word) in [
            (&mut finding.names, &hit.name),
            (&mut finding.seen_by, &hit.seen_by),
        ] {
            if list.len() < NAMES && !list.contains(word) {
                list.push(Arc::clone(word));
            }
        }
        self.untold = true;
    }

    fn tell(&mut self, time: Timestamp, activity: Activity) -> Finding {
        self.told = time;
        self.untold = false;
        self.finding.time = time;
        self.finding.activity = activity;
        self.finding.clone()
    }
}

/// Of the client, the matter and the moment.
fn id(hit: &Hit) -> u64 {
    let (kind, word) = hit.matter.key();
    let mut hash = Fnv::default();
    hash.write(hit.client.to_string().as_bytes());
    hash.write(kind.as_bytes());
    hash.write(word.as_bytes());
    hash.write(&hit.time.as_nanosecond().to_be_bytes());
    // Below 2^53: exact in every JSON reader.
    (hash.finish() >> 11).max(1)
}

#[cfg(test)]
mod tests;
