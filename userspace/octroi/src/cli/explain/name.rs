//! A host name: whose service it is, what it is judged as, and whether it is known to spy. Nothing
//! is resolved: no packet is sent.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use octroi_events::{Residency, page};
use octroi_geo_db::catalogue::{Catalogue, Language, Service, Text};
use octroi_geo_db::profile::{Profile, Qualification};
use octroi_policy::explain::Way;
use octroi_policy::layout::Page;
use octroi_policy::{Opaque, Subject};
use serde::Serialize;

use super::Desk;
use super::share::{self, Shares};
use super::words::{self, Phrase};
use crate::judge::Named;

/// Rows told of each prefix of a service.
const TOLD: usize = 3;

/// What is known of a name.
#[derive(Debug, Serialize)]
pub(super) struct NameAnswer {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<ServiceLine>,
    /// A finding on names that record who opens them, or look as if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking: Option<Tracking>,
    /// Judged by the name alone, before any address is known.
    residency: Box<Residency>,
    /// Judged under this name at each of the service's own prefixes.
    prefixes: Vec<Shares>,
}

/// The service behind a name.
#[derive(Debug, Serialize)]
struct ServiceLine {
    id: Arc<str>,
    name: String,
    category: &'static str,
    sovereign: bool,
    operator: Arc<str>,
    qualifications: Vec<Qualification>,
    alternatives: Vec<AlternativeLine>,
}

#[derive(Debug, Serialize)]
struct AlternativeLine {
    service: Arc<str>,
    name: String,
    sovereign: bool,
}

/// Why a name is suspicious.
#[derive(Debug, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
enum Tracking {
    /// A host of the catalogue.
    IpLogger {
        host: Arc<str>,
        /// The site behind it.
        family: String,
        /// Lawful uses exist as well.
        dual_use: bool,
        source: String,
    },
    /// Like a known host or the domain of a service: a suspicion, no proof.
    LookAlike {
        like: Arc<str>,
        /// The site behind what it is like, or `imitation` of a service.
        family: Arc<str>,
        likeness: &'static str,
        #[serde(skip)]
        words: Text,
    },
}

/// What the catalogue knows of a name, or suspects.
fn tracking(catalogue: &Catalogue, name: &str) -> Option<Tracking> {
    if let Some(logger) = catalogue.ip_logger(name) {
        return Some(Tracking::IpLogger {
            host: Arc::clone(&logger.host),
            family: logger.family.clone(),
            dual_use: logger.dual_use,
            source: logger.source.clone(),
        });
    }
    let suspicion = catalogue.suspected_ip_logger(name)?;
    let title = |language| suspicion.reason.title(language);
    let like = &suspicion.like;
    Some(Tracking::LookAlike {
        words: Text::new(
            format!(
                "looks like {}: {} {like}",
                suspicion.family,
                title(Language::En)
            ),
            format!(
                "ressemble à {} : {} {like}",
                suspicion.family,
                title(Language::Fr)
            ),
        ),
        like: Arc::clone(like),
        family: Arc::clone(&suspicion.family),
        likeness: suspicion.reason.name(),
    })
}

/// What is known of a name.
pub(super) fn of(desk: &Desk, name: &str) -> NameAnswer {
    let catalogue = desk.judge.atlas.catalogue();
    let service = catalogue.service_of_domain(name);
    let prefixes = service.map_or(&[][..], |service| &service.prefixes);
    NameAnswer {
        name: name.to_owned(),
        service: service.map(|service| service_line(desk, service)),
        tracking: tracking(catalogue, name),
        residency: Box::new(by_name(desk, name, service)),
        prefixes: prefixes
            .iter()
            .map(|prefix| share::named(desk, *prefix, Some(name)))
            .collect(),
    }
}

fn service_line(desk: &Desk, service: &Service) -> ServiceLine {
    let catalogue = desk.judge.atlas.catalogue();
    let offered = service
        .alternatives
        .iter()
        .filter_map(|id| catalogue.service(id));
    ServiceLine {
        id: Arc::clone(&service.id),
        name: service.name.clone(),
        category: service.category.name(),
        sovereign: service.sovereign,
        operator: Arc::clone(&service.operator),
        qualifications: service.qualifications.clone(),
        alternatives: offered
            .map(|offer| AlternativeLine {
                service: Arc::clone(&offer.id),
                name: offer.name.clone(),
                sovereign: offer.sovereign,
            })
            .collect(),
    }
}

/// The judgement while only the name is known: place, network and special use are unknown.
fn by_name(desk: &Desk, name: &str, service: Option<&Service>) -> Residency {
    let atlas = &desk.judge.atlas;
    let catalogue = atlas.catalogue();
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let unknown = Profile::unknown();
    let profile = service.map_or_else(
        || unknown.clone(),
        |service| catalogue.profile_with_service(&unknown, &service.id),
    );
    let mut dossier = atlas.dossier(nowhere);
    dossier.profile = unknown;
    dossier.claims.clear();
    dossier.asn = None;
    let named = Named::asked(Some(name), desk.protocol, desk.port);
    let subject = Subject {
        catalogue,
        zone: desk.zone,
        destination: nowhere,
        profile: &profile,
        asn: None,
        protocol: desk.protocol,
        port: desk.port,
        name: Some(name),
        naming: named.naming,
        speaks: named.speaks,
        ech: named.ech,
        chain: named.chain,
        opaque: Opaque::None,
        at: desk.at,
    };
    let mut explanation = desk.judge.policy.explain(&subject, dossier, catalogue);
    // An exemption for the address of nobody is no way out.
    explanation
        .counterfactuals
        .retain(|other| other.way != Way::Exemption);
    let mut residency = Residency::from_explanation(&explanation, atlas, desk.language);
    residency.prefix = None;
    // Nobody was asked about an address.
    residency.trust = None;
    residency
}

/// The answer as text.
pub(super) fn page(desk: &Desk, answer: &NameAnswer) -> String {
    let language = desk.language;
    let say = |phrase: Phrase| phrase.text().get(language).to_owned();
    let asked = page::Asked {
        destination: answer.name.clone(),
        protocol: desk.protocol,
        port: desk.port,
    };
    let mut page = Page::new(language);
    page.section(&say(Phrase::ByName));
    if answer.service.is_none() {
        page.item("-", &say(Phrase::NoService));
    }
    match &answer.tracking {
        Some(Tracking::IpLogger {
            host,
            family,
            dual_use,
            ..
        }) => {
            page.item(
                "!",
                &format!("{} ({host}, {family})", say(Phrase::KnownLogger)),
            );
            if *dual_use {
                page.item("!", &say(Phrase::DualUse));
            }
        }
        Some(Tracking::LookAlike { words, .. }) => {
            page.item("!", words.get(language));
            page.item("!", &say(Phrase::NoProof));
        }
        None => {}
    }
    let catalogue = desk.judge.atlas.catalogue();
    let head = page::render(&answer.residency, &asked, catalogue, language);
    let mut rest = Page::new(language);
    if answer.service.is_some() {
        rest.section(&say(Phrase::OwnPrefixes));
        if answer.prefixes.is_empty() {
            rest.item("-", &say(Phrase::NoPrefixes));
        }
        for shares in &answer.prefixes {
            for share in shares.inside.iter().take(TOLD) {
                let part = share::percent(share.addresses, shares.addresses, language);
                rest.item(
                    &shares.prefix.to_string(),
                    &format!("{part} {}", words::share(share, desk)),
                );
            }
            let left = shares.inside.get(TOLD..).unwrap_or_default();
            if !left.is_empty() {
                let sum = share::sum(left);
                rest.item(
                    &shares.prefix.to_string(),
                    words::rest(left.len(), sum).get(language),
                );
            }
        }
    }
    [head, page.finish(), rest.finish()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}
