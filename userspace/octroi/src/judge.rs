//! The judge: one atlas and one policy, put together. The live slow path, `explain` and `analyze`
//! all ask here, so that they cannot disagree.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use octroi_events::class::CatalogueOn;
use octroi_events::{Residency, page};
use octroi_geo_db::catalogue::Language;
use octroi_geo_db::profile::Profile;
use octroi_geo_db::{Atlas, Catalogue, ClassId};
use octroi_policy::{
    Decision, EchSeen, Explanation, Naming, Opaque, PRESETS, Policy, Subject, service_behind,
};

/// How a flow is named: what the judge may know of its client's words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Named<'a> {
    /// What the flow was named.
    pub(crate) name: Option<&'a str>,
    /// What the name rests on.
    pub(crate) naming: Naming,
    /// What is spoken; `None`: not recognised, or not heard yet.
    pub(crate) speaks: Option<&'a str>,
    /// Whether the client hid its name.
    pub(crate) ech: EchSeen,
    /// Where the DNS answer for the name led: CNAME targets, in order.
    pub(crate) chain: &'a [String],
}

impl<'a> Named<'a> {
    /// As somebody means it who asks about a name: said by the client in the language of the port,
    /// borne out by DNS. Without a name, one may still come.
    pub(crate) fn asked(name: Option<&'a str>, protocol: u8, port: u16) -> Self {
        let Some(name) = name else {
            return Self::default();
        };
        Self {
            name: Some(name),
            naming: Naming::Confirmed,
            speaks: match (protocol, port) {
                (6, 443) => Some("tls"),
                (17, 443) => Some("quic"),
                (6, 80) => Some("http"),
                _ => None,
            },
            ..Self::default()
        }
    }
}

/// A conversation as the policy sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// Zone number of the source.
    pub(crate) zone: u8,
    /// Destination.
    pub(crate) destination: IpAddr,
    /// IP protocol number.
    pub(crate) protocol: u8,
    /// Destination port.
    pub(crate) port: u16,
    /// What is known of its name.
    pub(crate) named: Named<'a>,
    /// Why it is opaque, if it is.
    pub(crate) opaque: Opaque,
    /// The day for which laws and qualifications are read.
    pub(crate) at: Date,
}

/// One atlas and one policy.
#[derive(Clone)]
pub(crate) struct Judge {
    /// Whose law reaches which address.
    pub(crate) atlas: Arc<Atlas>,
    /// What may leave.
    pub(crate) policy: Arc<Policy>,
}

impl Judge {
    /// The profile of a destination, with what its name adds.
    #[must_use]
    pub(crate) fn profile(&self, class: ClassId, named: &Named<'_>) -> Arc<Profile> {
        let base = self.atlas.profile(class);
        let catalogue = self.atlas.catalogue();
        let service = named
            .name
            .and_then(|name| service_behind(catalogue, name, named.chain));
        service.map_or_else(
            || Arc::clone(base),
            |(service, _)| Arc::new(catalogue.profile_with_service(base, &service.id)),
        )
    }

    /// The class of a destination, or of the IPv4 address that it embeds.
    #[must_use]
    pub(crate) fn class_of(&self, destination: IpAddr) -> ClassId {
        self.atlas.class_of(self.policy.looked_up(destination))
    }

    /// The number of the AS that announces a destination, or the IPv4 address that it embeds.
    #[must_use]
    pub(crate) fn asn_number_of(&self, destination: IpAddr) -> Option<u32> {
        let destination = self.policy.looked_up(destination);
        self.atlas.asn_number_of(destination)
    }

    /// The verdict.
    #[must_use]
    pub(crate) fn decide(&self, question: &Question<'_>) -> Decision {
        let profile = self.profile(self.class_of(question.destination), &question.named);
        self.policy.evaluate(&self.subject(question, &profile))
    }

    /// The verdict and all that led to it.
    #[must_use]
    pub(crate) fn explain(&self, question: &Question<'_>) -> Explanation {
        let mut dossier = self
            .atlas
            .dossier(self.policy.looked_up(question.destination));
        let profile = self.profile(dossier.class, &question.named);
        dossier.profile = (*profile).clone();
        self.policy.explain(
            &self.subject(question, &profile),
            dossier,
            self.atlas.catalogue(),
        )
    }

    /// The one object that tells a decision: alerts, flow records, the dashboard and `explain` all
    /// carry it as it is made here.
    #[must_use]
    pub(crate) fn residency(&self, question: &Question<'_>, language: Language) -> Residency {
        Residency::from_explanation(&self.explain(question), &self.atlas, language)
    }

    /// A `residency` object as a page for people.
    #[must_use]
    pub(crate) fn page(
        &self,
        question: &Question<'_>,
        residency: &Residency,
        language: Language,
    ) -> String {
        let asked = page::Asked {
            destination: question.destination.to_string(),
            protocol: question.protocol,
            port: question.port,
        };
        page::render(residency, &asked, self.atlas.catalogue(), language)
    }

    /// The day for which laws, parents, seats and qualifications are read.
    #[must_use]
    pub(crate) fn day(&self) -> Date {
        self.atlas.catalogue().day()
    }

    /// The catalogue's groups of countries as they are on that day.
    #[must_use]
    pub(crate) fn regions(&self) -> CatalogueOn<'_> {
        self.regions_on(self.day())
    }

    /// The catalogue's groups of countries as they are on a day.
    #[must_use]
    pub(crate) fn regions_on(&self, day: Date) -> CatalogueOn<'_> {
        CatalogueOn {
            catalogue: self.atlas.catalogue(),
            day,
        }
    }

    fn subject<'a>(&'a self, question: &Question<'a>, profile: &'a Profile) -> Subject<'a> {
        Subject {
            catalogue: self.atlas.catalogue(),
            zone: question.zone,
            destination: question.destination,
            profile,
            // The atlas reads its evidence for it: not for a policy that does not ask.
            asn: (self.policy.asks_asn())
                .then(|| self.asn_number_of(question.destination))
                .flatten(),
            protocol: question.protocol,
            port: question.port,
            name: question.named.name,
            naming: question.named.naming,
            speaks: question.named.speaks,
            ech: question.named.ech,
            chain: question.named.chain,
            opaque: question.opaque,
            at: question.at,
        }
    }
}

/// The text of a policy and its name in messages: a preset, or a file.
///
/// # Errors
/// When there is neither.
pub(crate) fn policy_text(name_or_path: &str) -> Result<(String, String)> {
    if let Some(text) = Policy::preset(name_or_path) {
        return Ok((text.to_owned(), format!("preset:{name_or_path}")));
    }
    if !Path::new(name_or_path).exists() {
        bail!(
            "there is no policy file {name_or_path}, and no preset of that name (presets: {})",
            PRESETS.join(", ")
        );
    }
    let text = std::fs::read_to_string(name_or_path)
        .with_context(|| format!("cannot read the policy {name_or_path}"))?;
    Ok((text, name_or_path.to_owned()))
}

/// Reads a policy: the name of a preset, or a file.
///
/// # Errors
/// When there is neither, or when the policy does not parse (every problem with file, line, column
/// and remedy).
pub(crate) fn read_policy(name_or_path: &str, catalogue: &Catalogue) -> Result<Policy> {
    let (text, file) = policy_text(name_or_path)?;
    Ok(Policy::parse(&text, &file, catalogue)?)
}

/// The number of a zone by its name.
///
/// # Errors
/// When the policy has no zone of that name; the error tells which it has.
pub(crate) fn zone_number(policy: &Policy, name: &str) -> Result<u8> {
    let found = policy
        .zones
        .iter()
        .zip(1_u8..)
        .find(|(zone, _)| zone.name == name);
    found.map(|(_, number)| number).with_context(|| {
        let known: Vec<_> = policy.zones.iter().map(|zone| zone.name.as_str()).collect();
        format!(
            "policy \"{}\" has no zone \"{name}\" (it has: {})",
            policy.name,
            known.join(", ")
        )
    })
}

/// Opens an atlas, a file or the one inside the binary, with the laws, parents and seats of a day.
///
/// # Errors
/// When the file is not an atlas of this version, or is damaged.
pub(crate) fn open_atlas(path: Option<&Path>, day: Date) -> Result<Arc<Atlas>> {
    let atlas = match path {
        Some(path) => Atlas::open_at(path, day)
            .with_context(|| format!("cannot use the atlas {}", path.display()))?,
        None => Atlas::embedded_at(day).context("the atlas inside the binary cannot be opened")?,
    };
    Ok(Arc::new(atlas))
}

/// The same data as of another day.
///
/// # Errors
/// When the catalogue of that day makes more classes than there are class numbers.
pub(crate) fn atlas_at(atlas: &Atlas, day: Date) -> Result<Arc<Atlas>> {
    let catalogue = Arc::new(atlas.catalogue().at(day));
    let atlas = atlas
        .with_catalogue(catalogue)
        .with_context(|| format!("cannot lay the catalogue of {day} under the atlas"))?;
    Ok(Arc::new(atlas))
}

/// The day for which laws, parents, seats and qualifications are read when nobody names one: today,
/// but never before the day on which the facts were checked. A clock that says so is wrong, and a
/// law that was not there yet must not open the gate.
#[must_use]
pub(crate) fn day_of_law() -> Date {
    let checked = Catalogue::embedded().map(|catalogue| catalogue.as_of());
    checked.map_or_else(|_| today(), |checked| today().max(checked))
}

/// Today, by the clock.
#[must_use]
pub(crate) fn today() -> Date {
    jiff::Zoned::now().date()
}

#[cfg(test)]
mod tests {
    use octroi_inspect::name::AppProtocol;

    use super::*;

    fn judge() -> Judge {
        let atlas = Arc::new(Atlas::embedded().unwrap());
        let policy = read_policy("cloud-au-centre", atlas.catalogue()).unwrap();
        Judge {
            atlas,
            policy: Arc::new(policy),
        }
    }

    #[test]
    fn a_vanity_name_brings_the_service_behind_its_alias() {
        let judge = judge();
        let chain = ["ministry.azureedge.net".to_owned()];
        let question = |chain| Question {
            zone: 1,
            destination: "192.0.2.7".parse().unwrap(),
            protocol: 6,
            port: 443,
            named: Named {
                chain,
                ..Named::asked(Some("static.ministry.example"), 6, 443)
            },
            opaque: Opaque::None,
            at: judge.day(),
        };
        let plain = judge.residency(&question(&[]), Language::En);
        assert_eq!(plain.service, None);
        let behind = judge.residency(&question(&chain), Language::En);
        assert_eq!(behind.service.as_deref(), Some("ms-azure"));
        assert_eq!(behind.operator_id.as_deref(), Some("microsoft"));
        assert_eq!(behind.name_chain, ["ministry.azureedge.net".into()]);
        let alias = behind
            .evidence
            .iter()
            .find(|told| &*told.src == "dns-cname");
        let alias = alias.unwrap();
        assert_eq!(&*alias.reference, "ministry.azureedge.net");
        assert!(alias.note.as_deref().unwrap().starts_with("by CNAME"));
        // Whoever asks about a name brings no packets along.
        assert_eq!((behind.name_dns_bound, behind.ech), (None, None));
    }

    #[test]
    fn policies_know_every_language_that_is_heard() {
        let heard = AppProtocol::ALL.map(AppProtocol::name);
        for word in heard {
            assert!(octroi_policy::naming::SPEECH.contains(&word), "{word}");
        }
        assert_eq!(heard.len(), octroi_policy::naming::SPEECH.len());
    }
}
