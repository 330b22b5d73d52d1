//! The reason of a verdict, from the wire to the model.

use std::sync::Arc;

use octroi_api as api;
use octroi_api::events::{self, ControlBasis, Residency};

use super::{confidence, reach, verdict};
use crate::model::reason::{Evidence, Reason, Step};
use crate::model::row::{Judgement, Jurisdiction};

/// The reason of a flow, with what only the daemon's detail tells.
#[must_use]
pub fn flow_reason(detail: &api::FlowDetail) -> Reason {
    Reason {
        interface: detail.interface.as_deref().map(str::to_owned),
        community_id: detail.community_id.as_deref().map(str::to_owned),
        ..reason(&detail.residency)
    }
}

/// A name, who said it, and how far it can be trusted.
fn named(name: &str, residency: &Residency) -> String {
    let source = residency.name_src.map_or("", |source| source.name());
    let bound = match residency.name_dns_bound {
        Some(true) => ", a DNS answer binds it to this address",
        Some(false) if residency.naming == events::Naming::Contradicted => {
            ", DNS gave this address under other names only"
        }
        Some(false) => ", no DNS answer binds it to this address",
        None => "",
    };
    let hidden = match residency.ech_seen {
        Some(events::EchSeen::Possible) => ", the client perhaps hid the true one (ECH)",
        _ if residency.ech == Some(true) => ", the client hid the true one (ECH)",
        _ => "",
    };
    format!("{name} (by {source}{bound}{hidden})")
}

/// The reason a residency object tells.
pub(crate) fn reason(residency: &Residency) -> Reason {
    let owned = |value: &Option<Arc<str>>| value.as_deref().map(str::to_owned);
    let network = residency.asn.map(|asn| {
        let name = residency.as_name.as_deref().unwrap_or_default();
        let registered = residency
            .registered_country
            .map_or_else(String::new, |code| format!(" (registered in {code})"));
        format!("AS{asn} {name}{registered}")
    });
    let version = residency
        .policy_ver
        .as_ref()
        .map_or_else(String::new, |version| format!(" {version}"));
    let digest: String = residency.policy_sha256.chars().take(12).collect();
    Reason {
        judgement: Judgement {
            verdict: verdict(residency.verdict),
            enforced: residency.enforced,
            rule: residency.rule.to_string(),
            shadow: residency
                .shadow
                .as_ref()
                .map(|shadow| format!("{} by rule {}", shadow.verdict.name(), shadow.rule)),
        },
        rule_title: owned(&residency.rule_title).unwrap_or_default(),
        mode: match residency.mode {
            events::Mode::Enforce => "enforce".to_owned(),
            events::Mode::Monitor => "monitor".to_owned(),
        },
        zone: owned(&residency.zone).unwrap_or_default(),
        name: residency.name.as_deref().map(|name| named(name, residency)),
        network,
        jurisdiction: jurisdiction(residency),
        control_chain: strings(&residency.control_chain),
        control_basis: match residency.control_basis {
            ControlBasis::Service => "the catalogue's service".to_owned(),
            ControlBasis::Operator => "the catalogue's operator of the network".to_owned(),
            ControlBasis::AsCountry => {
                "only the country of the announcing network: presumed".to_owned()
            }
            ControlBasis::None => String::new(),
        },
        service: owned(&residency.service),
        opaque: owned(&residency.opaque),
        special: owned(&residency.special),
        exemption: owned(&residency.exemption),
        evidence: evidence(residency),
        path: residency
            .rule_path
            .iter()
            .map(|step| Step {
                rule: step.rule.to_string(),
                matched: step.matched,
                reason: step.reason.to_string(),
            })
            .collect(),
        laws: residency
            .laws
            .iter()
            .map(|law| (law.name.to_string(), law.sentence.to_string()))
            .collect(),
        basis: residency
            .basis
            .iter()
            .map(|line| {
                let date = line.date.map(|date| date.to_string()).unwrap_or_default();
                (line.title.to_string(), date)
            })
            .collect(),
        counterfactuals: residency
            .counterfactual
            .iter()
            .map(|line| (line.change.to_string(), verdict(line.verdict)))
            .collect(),
        alternatives: residency
            .alternatives
            .iter()
            .map(|alternative| alternative.name.to_string())
            .collect(),
        policy: format!("{}{version}  sha256 {digest}", residency.policy),
        atlas: residency.db_ver.to_string(),
        interface: None,
        community_id: None,
        note: None,
    }
}

fn strings(values: &[Arc<str>]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn jurisdiction(residency: &Residency) -> Jurisdiction {
    let qualifications = residency
        .qualification
        .iter()
        .map(|qualification| {
            let until = qualification
                .until
                .map_or_else(String::new, |date| format!(" until {date}"));
            format!("{}{until}", qualification.scheme)
        })
        .collect();
    Jurisdiction {
        host: residency.host_country.map(|code| code.to_string()),
        confidence: confidence(residency.confidence),
        control: residency.control_country.map(|code| code.to_string()),
        reach: reach(residency.reach),
        presumed: residency.control_basis == ControlBasis::AsCountry,
        class: residency.class.title().to_owned(),
        operator: residency
            .operator
            .as_ref()
            .or(residency.operator_id.as_ref())
            .map(ToString::to_string),
        laws: strings(&residency.legal_regimes),
        qualifications,
        asn: residency.asn,
    }
}

fn evidence(residency: &Residency) -> Vec<Evidence> {
    let claim = |evidence: &events::Evidence, agrees: bool| Evidence {
        axis: evidence.axis.to_string(),
        value: evidence.value.to_string(),
        source: evidence.src.to_string(),
        date: evidence.ver.to_string(),
        reference: evidence.reference.to_string(),
        won: agrees,
        note: evidence.note.as_deref().map(str::to_owned),
    };
    let agree = residency
        .evidence
        .iter()
        .map(|evidence| claim(evidence, true));
    let contradict = residency
        .conflicts
        .iter()
        .map(|evidence| claim(evidence, false));
    agree.chain(contradict).collect()
}
