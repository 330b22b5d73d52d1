//! A `residency` object as a page for people: the verdict first, then the three axes, then why, then
//! what would change it. One renderer for the command line, the dashboard and past events.
//!
//! Labels and values are said in the language asked for. Sentences that the object carries stay in
//! the language in which it was made; what a policy says of itself stays as it is written.

pub mod label;
pub mod words;

use jiff::civil::Date;
use octroi_geo_db::catalogue::{Catalogue, Language};
use octroi_policy::explain::si_before;
use octroi_policy::layout::{Page, short};
use octroi_policy::protocol::{has_ports, protocol_name};
use octroi_policy::{EchSeen, Mode, Naming};

use self::label::Label;
use self::words::Remark;
use crate::residency::{AxisTrust, Counterfactual, Embedded, Evidence, Residency};

/// What was asked: the first line of the page.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Address, prefix or name.
    pub destination: String,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port; 0 when there is none.
    pub port: u16,
}

/// The page, at most 100 columns wide unless a single word is longer; no newline at its end.
#[must_use]
pub fn render(
    residency: &Residency,
    asked: &Asked,
    catalogue: &Catalogue,
    language: Language,
) -> String {
    let mut page = Page::new(language);
    let sheet = Sheet {
        residency,
        catalogue,
        language,
    };
    sheet.head(&mut page, asked);
    sheet.axes(&mut page);
    sheet.embedded(&mut page);
    sheet.why(&mut page);
    sheet.changes(&mut page);
    sheet.evidence(&mut page);
    sheet.foot(&mut page);
    page.finish()
}

/// `tcp/443`, or the protocol alone.
#[must_use]
pub fn packet(protocol: u8, port: u16) -> String {
    if has_ports(protocol) {
        format!("{}/{port}", protocol_name(protocol))
    } else {
        protocol_name(protocol)
    }
}

struct Sheet<'a> {
    residency: &'a Residency,
    catalogue: &'a Catalogue,
    language: Language,
}

impl Sheet<'_> {
    fn label(&self, label: Label) -> &'static str {
        label.text(self.language)
    }

    fn remark(&self, remark: Remark) -> String {
        remark.text().get(self.language).to_owned()
    }

    /// The sentence of the language.
    fn say(&self, en: String, fr: String) -> String {
        match self.language {
            Language::En => en,
            Language::Fr => fr,
        }
    }

    fn head(&self, page: &mut Page, asked: &Asked) {
        let told = self.residency;
        let name = told
            .name
            .as_deref()
            .filter(|name| *name != asked.destination);
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        let what = format!(
            "{}{name}  {}",
            asked.destination,
            packet(asked.protocol, asked.port)
        );
        let zone = match &told.zone {
            Some(zone) => self.say(
                format!("from zone {zone}"),
                format!("depuis la zone {zone}"),
            ),
            None => self.say("from no zone".into(), "hors de toute zone".into()),
        };
        let day = told
            .at
            .map(|day| self.say(format!("  on {day}"), format!("  le {day}")));
        let verdict = words::verdict(told.verdict, self.language);
        page.line(
            0,
            &format!("{verdict}  {what}  {zone}{}", day.unwrap_or_default()),
        );
        let title = told.rule_title.as_deref().unwrap_or_default();
        let mut by = self.say(
            format!("by rule {}: {title}", told.rule),
            format!("par la règle {} : {title}", told.rule),
        );
        if told.mode == Mode::Monitor {
            by = format!("{by} ({})", self.remark(Remark::Monitored));
        }
        page.line(0, &by);
        if let Some(inside) = told.embedded.as_deref()
            && let Some(via) = &inside.judged_via
        {
            let address = inside.address;
            let server = inside.server.map(|server| {
                self.say(
                    format!(", by way of server {server}"),
                    format!(", par le serveur {server}"),
                )
            });
            let line = self.say(
                format!("judged by {address}, which {via} embeds in the destination"),
                format!("jugé sur {address}, que {via} inclut dans la destination"),
            );
            page.line(0, &(line + &server.unwrap_or_default()));
        }
        if let Some(shadow) = &told.shadow {
            let verdict = words::small_verdict(shadow.verdict, self.language);
            let line = self.say(
                format!("shadow rule {} says: {verdict}", shadow.rule),
                format!("la règle à l'essai {} dit : {verdict}", shadow.rule),
            );
            page.line(0, &line);
        }
        page.gap();
    }

    fn axes(&self, page: &mut Page) {
        let told = self.residency;
        if let Some(special) = &told.special {
            page.field(
                self.label(Label::SpecialUse),
                &words::special(special, self.language),
            );
        }
        let place = told
            .host_country
            .map(|code| words::country(self.catalogue, code, self.language));
        let hosting = words::hosting(place.as_deref(), told.confidence, self.language);
        let trust = told.trust.as_deref();
        page.field(self.label(Label::Hosting), &hosting);
        self.trust(page, trust.map(|trust| &trust.hosting));
        page.field(self.label(Label::Control), &self.control());
        self.trust(page, trust.map(|trust| &trust.control));
        page.field(self.label(Label::Qualification), &self.qualification());
        self.trust(page, trust.map(|trust| &trust.qualification));
        if let Some(service) = &told.service {
            let name = told.service_name.as_deref().unwrap_or(service);
            page.field(self.label(Label::Service), &format!("{name} ({service})"));
        }
        if told.prefix.is_some() || told.asn.is_some() {
            page.field(self.label(Label::Network), &self.network());
        }
        if let Some(opaque) = &told.opaque {
            page.field(self.label(Label::Opaque), opaque);
        }
        if let Some(name) = self.name() {
            page.field(self.label(Label::Name), &name);
        }
        if let Some(exemption) = &told.exemption {
            page.field(self.label(Label::Exemption), exemption);
        }
        page.gap();
    }

    /// How far an axis can be trusted, below it; of special-use space there is nothing to trust.
    fn trust(&self, page: &mut Page, trust: Option<&AxisTrust>) {
        let Some(trust) = trust.filter(|_| self.residency.special.is_none()) else {
            return;
        };
        let level = trust.level.name(self.language);
        let label = self.label(Label::Confidence);
        let line = self.say(
            format!("{label} {level}: {}", trust.reason),
            format!("{label} {level} : {}", trust.reason),
        );
        page.field("", &line);
    }

    fn control(&self) -> String {
        let told = self.residency;
        let Some(code) = told.control_country else {
            return words::nobody(self.language).to_owned();
        };
        let mut parts = vec![words::country(self.catalogue, code, self.language)];
        if let Some(id) = &told.operator_id {
            let name = told.operator.as_deref().unwrap_or(id);
            parts.push(format!("{name} ({id})"));
        }
        let mut line = parts.join(", ");
        if told.control_chain.len() > 1 {
            let parents: Vec<&str> = told
                .control_chain
                .iter()
                .skip(1)
                .map(AsRef::as_ref)
                .collect();
            let parents = parents.join(" > ");
            line = self.say(
                format!("{line}, held by {parents}"),
                format!("{line}, détenu par {parents}"),
            );
        }
        let between = self.say("; ".into(), " ; ".into());
        line = format!("{line}{between}{}", words::reach(told.reach, self.language));
        if let Some(basis) = words::basis(told.control_basis, self.language) {
            line = format!("{line}{between}{basis}");
        }
        line
    }

    fn qualification(&self) -> String {
        let held = self.residency.qualification.iter().map(|held| {
            let until = held
                .until
                .map(|day| self.say(format!(" until {day}"), format!(" jusqu'au {day}")));
            let from = held
                .from
                .map(|day| self.say(format!(" from {day}"), format!(" depuis le {day}")));
            format!(
                "{}{}{}",
                held.scheme,
                from.unwrap_or_default(),
                until.unwrap_or_default()
            )
        });
        let held: Vec<String> = held.collect();
        if held.is_empty() {
            self.remark(Remark::NoneKnown)
        } else {
            held.join(", ")
        }
    }

    fn network(&self) -> String {
        let told = self.residency;
        let within = told
            .prefix
            .map(|prefix| self.say(format!(", in {prefix}"), format!(", dans {prefix}")))
            .unwrap_or_default();
        match told.asn {
            Some(asn) => {
                let name = told.as_name.as_deref().unwrap_or_default();
                format!("AS{asn} {name}{within}")
            }
            None => format!("{}{within}", self.remark(Remark::NotAnnounced)),
        }
    }

    fn name(&self) -> Option<String> {
        let told = self.residency;
        let Some(name) = &told.name else {
            return told
                .name_could_change
                .then(|| self.remark(Remark::NameMatters));
        };
        let mut parts = vec![name.to_string()];
        parts.extend(
            told.name_src
                .map(|source| words::said_by(source, self.language).to_owned()),
        );
        parts.extend(told.name_dns_bound.map(|bound| {
            self.remark(if bound {
                Remark::Bound
            } else if told.naming == Naming::Contradicted {
                Remark::Contradicted
            } else {
                Remark::Unbound
            })
        }));
        let hidden = match told.ech_seen {
            Some(EchSeen::Possible) if told.ech == Some(true) => Some(Remark::PerhapsHidden),
            _ => (told.ech == Some(true)).then_some(Remark::Hidden),
        };
        parts.extend(hidden.map(|hidden| self.remark(hidden)));
        Some(parts.join(", "))
    }

    fn embedded(&self, page: &mut Page) {
        let inside = self.residency.embedded.as_deref();
        let Some(inside) = inside.filter(|inside| inside.judged_via.is_none()) else {
            return;
        };
        page.section(self.label(Label::Embedded));
        page.item(
            &inside.address.to_string(),
            words::class(inside.class, self.language),
        );
        if let Some(special) = &inside.special {
            page.item(
                self.label(Label::SpecialUse),
                &words::special(special, self.language),
            );
            return;
        }
        let place = inside
            .host_country
            .map(|code| words::country(self.catalogue, code, self.language));
        let hosting = words::hosting(place.as_deref(), inside.confidence, self.language);
        page.item(self.label(Label::Hosting), &hosting);
        page.item(self.label(Label::Control), &self.control_inside(inside));
        if !inside.legal_regimes.is_empty() {
            page.item(self.label(Label::Laws), &inside.legal_regimes.join(", "));
        }
    }

    fn control_inside(&self, inside: &Embedded) -> String {
        let Some(code) = inside.control_country else {
            return words::nobody(self.language).to_owned();
        };
        let country = words::country(self.catalogue, code, self.language);
        let operator = match (&inside.operator, &inside.operator_id) {
            (Some(name), Some(id)) => format!(", {name} ({id})"),
            (None, Some(id)) => format!(", {id}"),
            _ => String::new(),
        };
        let between = self.say("; ".into(), " ; ".into());
        let reach = words::reach(inside.reach, self.language);
        let basis = words::basis(inside.control_basis, self.language);
        let basis = basis.map(|basis| format!("{between}{basis}"));
        format!(
            "{country}{operator}{between}{reach}{}",
            basis.unwrap_or_default()
        )
    }

    fn why(&self, page: &mut Page) {
        let told = self.residency;
        page.section(self.label(Label::Laws));
        for law in &told.laws {
            let between = self.say(": ".into(), " : ".into());
            page.item(&law.id, &format!("{}{between}{}", law.name, law.sentence));
        }
        page.section(self.label(Label::Rules));
        for step in &told.rule_path {
            let mark = if step.matched { "*" } else { "-" };
            page.item(&format!("{mark} {}", step.rule), &step.reason);
        }
        page.section(self.label(Label::Basis));
        for basis in &told.basis {
            let date = basis.date.map(|date: Date| format!(" ({date})"));
            page.item(
                &basis.id,
                &format!("{}{}", basis.title, date.unwrap_or_default()),
            );
        }
    }

    fn changes(&self, page: &mut Page) {
        let told = self.residency;
        let (facts, others): (Vec<_>, Vec<_>) = told
            .counterfactual
            .iter()
            .partition(|other| other.facts.is_some());
        page.section(self.label(Label::Smallest));
        for other in &facts {
            page.item(
                words::small_verdict(other.verdict, self.language),
                &self.change(other),
            );
        }
        if facts.is_empty() {
            page.item("-", &self.remark(Remark::NoChange));
        }
        page.section(self.label(Label::OtherWays));
        for other in &others {
            page.item(
                words::small_verdict(other.verdict, self.language),
                &self.change(other),
            );
        }
        page.section(self.label(Label::Instead));
        for offer in &told.alternatives {
            page.item(
                &offer.service,
                &format!("{} ({})", offer.name, self.remark(Remark::Sovereign)),
            );
        }
    }

    fn change(&self, other: &Counterfactual) -> String {
        let change = &other.change;
        let count = match other.facts {
            Some(1) => self.say(" (1 fact)".into(), " (1 fait)".into()),
            Some(facts) => self.say(format!(" ({facts} facts)"), format!(" ({facts} faits)")),
            None => String::new(),
        };
        let condition = self.say(
            format!("if {change}"),
            format!("{}{change}", si_before(change)),
        );
        format!("{condition}{count}")
    }

    fn evidence(&self, page: &mut Page) {
        let told = self.residency;
        page.section(self.label(Label::Evidence));
        let mut claims: Vec<&Evidence> = told.evidence.iter().chain(&told.conflicts).collect();
        let order = ["hosting", "control", "service", "qualification"];
        claims.sort_by_key(|claim| order.iter().position(|axis| *axis == &*claim.axis));
        for claim in claims {
            let mark = if claim.won { "*" } else { "-" };
            let value = words::claimed(&claim.value, self.language);
            let mut text = self.say(
                format!("{value}, by {} of {}", claim.src, claim.ver),
                format!("{value}, selon {} du {}", claim.src, claim.ver),
            );
            if !claim.reference.is_empty() {
                text = self.say(
                    format!("{text}: {}", claim.reference),
                    format!("{text} : {}", claim.reference),
                );
            }
            let newer = claim.newer.then(|| self.remark(Remark::Newer));
            for remark in claim
                .note
                .as_deref()
                .map(str::to_owned)
                .into_iter()
                .chain(newer)
            {
                text = self.say(format!("{text}; {remark}"), format!("{text} ; {remark}"));
            }
            page.item(
                &format!("{mark} {}", words::axis(&claim.axis, self.language)),
                &text,
            );
        }
    }

    fn foot(&self, page: &mut Page) {
        let told = self.residency;
        page.gap();
        let version = told.policy_ver.as_deref();
        let version = version
            .map(|version| format!(" {version}"))
            .unwrap_or_default();
        let digest = short(&told.policy_sha256);
        let line = self.say(
            format!(
                "policy {}{version} (sha256 {digest}), atlas {}",
                told.policy, told.db_ver
            ),
            format!(
                "politique {}{version} (sha256 {digest}), atlas {}",
                told.policy, told.db_ver
            ),
        );
        page.line(0, &line);
    }
}
