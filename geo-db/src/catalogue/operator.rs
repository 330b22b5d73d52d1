//! Operators: who runs networks and services, who owns them, which laws reach them.

use std::sync::Arc;

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
    /// Countries of subsidiaries, listings or data centres whose law reaches that part of it.
    pub presence: Vec<CountryCode>,
    /// How far the law of States outside the Union reaches it; derived from `laws` and `presence`.
    pub reach: Reach,
    /// Ids of the laws that reach it, sorted; the law of its own State included.
    pub laws: Vec<LawId>,
    /// Autonomous systems it announces from.
    pub asns: Vec<u32>,
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
    /// Who controls the operator on a day.
    #[must_use]
    pub fn parent_at(&self, day: Date) -> Option<&Parent> {
        self.parents.iter().find(|parent| {
            parent.from.is_none_or(|from| from <= day)
                && parent.until.is_none_or(|until| day <= until)
        })
    }

    /// Country of whoever controls it on a day: the parent's, else its own.
    #[must_use]
    pub fn country_at(&self, day: Date) -> CountryCode {
        self.parent_at(day).map_or(self.hq, |parent| parent.country)
    }
}
