//! An explanation as text: what was decided first, then why, then what would change it.

use std::fmt;

use octroi_geo_db::Axis;
use octroi_geo_db::profile::{ControlBasis, HostingConfidence, Reach};

use super::Explanation;
use crate::layout::{Page, short};
use crate::model::Mode;
use crate::protocol::{has_ports, protocol_name};

impl fmt::Display for Explanation {
    /// At most 100 columns, unless a single word is longer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page::default();
        self.head(&mut page);
        self.axes(&mut page);
        self.sections(&mut page);
        self.foot(&mut page);
        f.write_str(&page.finish())
    }
}

impl Explanation {
    fn head(&self, page: &mut Page) {
        let mut line = self.destination.to_string();
        if let Some(name) = &self.name {
            line.push_str(" (");
            line.push_str(name);
            line.push(')');
        }
        line.push_str("  ");
        line.push_str(&self.packet());
        line.push_str("  from zone ");
        line.push_str(&self.zone);
        line.push_str("  on ");
        line.push_str(&self.at.to_string());
        page.line(0, &line);
        let verdict = self.verdict.name().to_uppercase();
        let done = match self.mode {
            Mode::Enforce => "",
            Mode::Monitor => " (monitor mode: recorded, not enforced)",
        };
        let decided = format!("{verdict}{done} by {}: {}", self.rule, self.rule_title);
        page.line(0, &decided);
        if let Some(shadow) = &self.shadow {
            let verdict = shadow.verdict.name();
            let line = format!(
                "shadow rule {} would {verdict}: {}",
                shadow.rule, shadow.title
            );
            page.line(0, &line);
        }
        page.gap();
    }

    fn packet(&self) -> String {
        if has_ports(self.protocol) {
            format!("{}/{}", protocol_name(self.protocol), self.port)
        } else {
            protocol_name(self.protocol)
        }
    }

    fn axes(&self, page: &mut Page) {
        if let Some(special) = self.profile.special {
            page.field("special use", special.name());
        }
        page.field("hosting", &self.hosting());
        page.field("control", &self.control());
        let qualifications: Vec<String> = self
            .profile
            .qualifications
            .iter()
            .map(|held| {
                let from = held
                    .from
                    .map(|day| format!(" from {day}"))
                    .unwrap_or_default();
                let until = held
                    .until
                    .map(|day| format!(" until {day}"))
                    .unwrap_or_default();
                format!("{}{from}{until}", held.scheme)
            })
            .collect();
        let qualifications = match qualifications.len() {
            0 => "none known".to_owned(),
            _ => qualifications.join(", "),
        };
        page.field("qualification", &qualifications);
        if let Some(service) = &self.profile.service {
            let name = self.service_name.as_deref().unwrap_or(service);
            page.field("service", &format!("{name} ({service})"));
        }
        let network = match &self.dossier.asn {
            Some(asn) => format!("AS{} {}, in {}", asn.number, asn.name, self.dossier.prefix),
            None => format!("not announced, in {}", self.dossier.prefix),
        };
        page.field("network", &network);
        if let Some(opaque) = &self.opaque {
            page.field("opaque", opaque);
        }
        if self.names_matter {
            page.field("name", "none seen yet; one could change the decision");
        }
        page.gap();
    }

    fn hosting(&self) -> String {
        let hosting = self.profile.hosting;
        let country = hosting.country.map(|country| country.to_string());
        match (country, hosting.confidence) {
            (Some(country), HostingConfidence::Located) => country,
            (Some(country), HostingConfidence::Contested) => {
                format!("{country}, contested: sources disagree")
            }
            (_, HostingConfidence::Anycast) => {
                "anycast: announced from many places, no country".to_owned()
            }
            _ => "unknown".to_owned(),
        }
    }

    fn control(&self) -> String {
        let control = &self.profile.control;
        let country = control
            .country
            .map_or("unknown".to_owned(), |code| code.to_string());
        let operator = match (&self.operator_name, &control.operator) {
            (Some(name), Some(id)) => format!(", {name} ({id})"),
            (None, Some(id)) => format!(", {id}"),
            _ => String::new(),
        };
        let reach = match control.reach {
            Reach::NoneKnown => "no foreign law known to reach it",
            Reach::Unknown => "nobody can say whose law reaches it",
            Reach::Presence => "an arm of the group is under foreign law (presence)",
            Reach::Controlled => "foreign law reaches it wherever its servers stand (controlled)",
        };
        let presumed = match control.basis {
            ControlBasis::AsCountry => "; presumed from the country of its AS",
            _ => "",
        };
        if control.basis == ControlBasis::None {
            "unknown".to_owned()
        } else {
            format!("{country}{operator}; {reach}{presumed}")
        }
    }

    fn sections(&self, page: &mut Page) {
        page.section("laws");
        for law in &self.laws {
            page.item(&law.id, &format!("{}: {}", law.name, law.sentence));
        }
        page.section("rules, in order");
        for step in &self.path {
            let mark = if step.matched { "*" } else { "-" };
            page.item(&format!("{mark} {}", step.rule), &step.reason);
        }
        page.section("legal basis of the rule");
        for basis in &self.basis {
            let date = basis
                .date
                .map(|date| format!(" ({date})"))
                .unwrap_or_default();
            page.item(&basis.id, &format!("{}{date}", basis.title));
        }
        page.section("what would change the verdict");
        for other in &self.counterfactuals {
            page.item(other.verdict.name(), &format!("if {}", other.change));
        }
        page.section("to be used instead");
        for offer in &self.alternatives {
            let sovereign = if offer.sovereign { " (sovereign)" } else { "" };
            page.item(&offer.service, &format!("{}{sovereign}", offer.name));
        }
        page.section("evidence");
        for claim in &self.dossier.claims {
            let mark = if claim.won { "*" } else { "-" };
            let note = claim
                .note
                .as_ref()
                .map(|note| format!("; {}", note.en))
                .unwrap_or_default();
            let text = format!(
                "{}, by {} of {}: {}{note}",
                claim.value, claim.source, claim.date, claim.reference
            );
            page.item(&format!("{mark} {}", axis_name(claim.axis)), &text);
        }
    }

    fn foot(&self, page: &mut Page) {
        page.gap();
        let version = self.policy_version.as_deref();
        let version = version
            .map(|version| format!(" {version}"))
            .unwrap_or_default();
        let line = format!(
            "policy {}{version} (sha256 {}), atlas {}",
            self.policy_name,
            short(&self.policy_sha256),
            self.atlas_version
        );
        page.line(0, &line);
    }
}

const fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Hosting => "hosting",
        Axis::Control => "control",
        Axis::Qualification => "qualification",
        Axis::Service => "service",
    }
}
