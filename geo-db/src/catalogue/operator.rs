//! Operators: who runs networks and services, who owns them, which laws reach them.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;

use super::law::LawId;
use super::words::words;
use crate::profile::{CountryCode, Reach};

words! {
    /// What an operator mainly does.
    OperatorKind, "kind of operator" {
        /// Artificial intelligence.
        Ai = "ai",
        /// Content delivery.
        Cdn = "cdn",
        /// Infrastructure and platforms by the hour.
        Cloud = "cloud",
        /// Housing: the tenant holds the data, not the landlord.
        Datacentre = "datacentre",
        /// Name resolution and registries.
        Dns = "dns",
        /// Payments.
        Finance = "finance",
        /// Public bodies.
        Government = "government",
        /// Hospitals and health.
        Health = "health",
        /// Servers and web sites.
        Hosting = "hosting",
        /// Access providers that are not carriers.
        Isp = "isp",
        /// Domain names.
        Registrar = "registrar",
        /// Research and education networks.
        Research = "research",
        /// Software as a service.
        Saas = "saas",
        /// Web search.
        Search = "search",
        /// Security products and services.
        Security = "security",
        /// Information-technology services.
        Services = "services",
        /// Stored objects and backups.
        Storage = "storage",
        /// Carriers.
        Telecom = "telecom",
        /// International transit.
        Transit = "transit",
        /// Makers of hardware and software.
        Vendor = "vendor",
        /// Private tunnels.
        Vpn = "vpn",
    }
}

/// Who controls an operator, for as long as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Company, foundation or State.
    pub name: String,
    /// Where it has its seat.
    pub country: CountryCode,
    /// First day of control, when known.
    pub from: Option<Date>,
    /// Last day of control, when it ended.
    pub until: Option<Date>,
}

/// A country in which an operator had its headquarters before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastSeat {
    /// The country.
    pub country: CountryCode,
    /// First day, when known.
    pub from: Option<Date>,
    /// Last day.
    pub until: Date,
}

/// Who runs networks or services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Id, such as `ovh`.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// What it mainly does.
    pub kind: OperatorKind,
    /// Who controls it, past ones included; empty when the operator is its own master.
    pub parents: Vec<Parent>,
    /// Country of its headquarters.
    pub hq: CountryCode,
    /// Where its headquarters stood before.
    pub past_seats: Vec<PastSeat>,
    /// Countries of subsidiaries, listings or data centres whose law reaches that part of it.
    pub presence: Vec<CountryCode>,
    /// How far the law of States outside the Union reaches it; derived from `laws` and `presence`.
    pub reach: Reach,
    /// Ids of the laws that reach it or did under a past parent, sorted; the law of its own State
    /// included. Which of them count on a day is [`super::Catalogue::laws_on`]'s answer.
    pub laws: Vec<LawId>,
    /// Autonomous systems it announces from.
    pub asns: Vec<u32>,
    /// Prefixes that are its own whoever announces them; they come before the AS.
    pub prefixes: Vec<IpNet>,
    /// Its addresses are announced from many places: they have no country.
    pub anycast: bool,
    /// Where the facts come from.
    pub source: String,
    /// Day on which the facts were last checked.
    pub as_of: Date,
    /// Remark for whoever reviews.
    pub note: Option<String>,
}

impl Operator {
    /// Everybody who controls the operator on a day.
    fn parents_at(&self, day: Date) -> impl Iterator<Item = &Parent> {
        self.parents.iter().filter(move |parent| {
            parent.from.is_none_or(|from| from <= day)
                && parent.until.is_none_or(|until| day <= until)
        })
    }

    /// Who controls the operator on a day.
    #[must_use]
    pub fn parent_at(&self, day: Date) -> Option<&Parent> {
        self.parents_at(day).next()
    }

    /// Country of its headquarters on a day.
    #[must_use]
    pub fn seat_at(&self, day: Date) -> CountryCode {
        let past = self
            .past_seats
            .iter()
            .find(|seat| seat.from.is_none_or(|from| from <= day) && day <= seat.until);
        past.map_or(self.hq, |seat| seat.country)
    }

    /// Country of whoever controls it on a day: the parent's, else its own.
    #[must_use]
    pub fn country_at(&self, day: Date) -> CountryCode {
        self.parent_at(day)
            .map_or_else(|| self.seat_at(day), |parent| parent.country)
    }

    /// Does the law of a State count on a day? Not when the State is only that of parents or
    /// seats of other times. A State that is none of them is listed for a reason without a date.
    pub(super) fn state_counts_at(&self, state: CountryCode, day: Date) -> bool {
        let is_parent = self.parents.iter().any(|parent| parent.country == state);
        let is_seat = self.hq == state || self.past_seats.iter().any(|seat| seat.country == state);
        (!is_parent && !is_seat)
            || self.seat_at(day) == state
            || self.parents_at(day).any(|parent| parent.country == state)
    }
}
