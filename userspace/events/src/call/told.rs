//! A call as it is told: with whose law reaches the service, and what could be used instead.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use octroi_geo_db::Catalogue;
use octroi_geo_db::profile::{CountryCode, Reach};
use serde::{Deserialize, Serialize};

use super::Call;

/// The record of one call: the metadata that a foreign operator has of it too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallRecord {
    /// When the record was written.
    pub time: Timestamp,
    /// First packet of its media.
    pub start: Timestamp,
    /// Last packet, to the second.
    pub end: Timestamp,
    /// Who, over what, how much, on what evidence.
    #[serde(flatten)]
    pub call: Call,
    /// Name of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Arc<str>>,
    /// Country of its ultimate parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_country: Option<CountryCode>,
    /// How far foreign law reaches it.
    pub reach: Reach,
    /// Ids of the laws that do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legal_regimes: Vec<Arc<str>>,
    /// Ids of sovereign services that do the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Arc<str>>,
}

impl CallRecord {
    /// What the catalogue adds to a call that began at `start`.
    #[must_use]
    pub fn new(call: Call, time: Timestamp, start: Timestamp, catalogue: &Catalogue) -> Self {
        let seconds = i64::try_from(call.seconds).unwrap_or(i64::MAX);
        let end = start.checked_add(SignedDuration::from_secs(seconds));
        let operator = catalogue.operator(&call.operator_id);
        let control = operator.map(|operator| catalogue.control_of_operator(operator));
        let offered = catalogue
            .service(&call.service)
            .map(|service| &service.alternatives);
        let sovereign = |id: &&Arc<str>| catalogue.service(id).is_some_and(|offer| offer.sovereign);
        Self {
            time,
            start,
            end: end.unwrap_or(start),
            operator: operator.map(|operator| operator.name.as_str().into()),
            control_country: control.as_ref().and_then(|control| control.country),
            reach: control
                .as_ref()
                .map_or(Reach::Unknown, |control| control.reach),
            legal_regimes: control.map(|control| control.laws).unwrap_or_default(),
            alternatives: offered
                .into_iter()
                .flatten()
                .filter(sovereign)
                .cloned()
                .collect(),
            call,
        }
    }
}
