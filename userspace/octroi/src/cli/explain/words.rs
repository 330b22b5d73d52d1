//! What the pages of prefixes, names and past flows say, English and French side by side.

use octroi_events::page::{packet, words};
use octroi_geo_db::catalogue::Text;
use octroi_policy::layout::short;

use super::Desk;
use super::share::{Count, Share, Shares};

/// First line of a prefix.
pub(super) fn inside_of(shares: &Shares, desk: &Desk) -> Text {
    let Shares {
        prefix, addresses, ..
    } = shares;
    let name = shares.name.as_deref();
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    let asked = asked(desk);
    let one = *addresses == Count::ONE;
    Text::new(
        format!(
            "{prefix}{name}  {addresses} address{}  {}",
            if one { "" } else { "es" },
            asked.en
        ),
        format!(
            "{prefix}{name}  {addresses} adresse{}  {}",
            if one { "" } else { "s" },
            asked.fr
        ),
    )
}

/// Protocol, zone and day of a question.
pub(super) fn asked(desk: &Desk) -> Text {
    let packet = packet(desk.protocol, desk.port);
    let zone = desk.judge.policy.zone_name(desk.zone);
    let day = desk.at;
    if desk.zone == 0 {
        return Text::new(
            format!("{packet}  from no zone  on {day}"),
            format!("{packet}  hors de toute zone  le {day}"),
        );
    }
    Text::new(
        format!("{packet}  from zone {zone}  on {day}"),
        format!("{packet}  depuis la zone {zone}  le {day}"),
    )
}

pub(super) fn shares() -> Text {
    Text::new(
        "what stands inside, largest first",
        "ce qui s'y trouve, le plus grand d'abord",
    )
}

/// Policy and atlas that judged.
pub(super) fn judged_by(desk: &Desk) -> Text {
    let policy = &desk.judge.policy;
    let version = policy.version.as_deref();
    let version = version
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    let digest = short(&policy.sha256);
    let atlas = &desk.judge.atlas.meta().version;
    Text::new(
        format!(
            "policy {}{version} (sha256 {digest}), atlas {atlas}",
            policy.name
        ),
        format!(
            "politique {}{version} (sha256 {digest}), atlas {atlas}",
            policy.name
        ),
    )
}

/// One share: its size, what stands there, what becomes of it.
pub(super) fn share(share: &Share, desk: &Desk) -> String {
    let language = desk.language;
    let catalogue = desk.judge.atlas.catalogue();
    let verdict = words::small_verdict(share.verdict, language);
    let place = share
        .host_country
        .map(|code| words::country(catalogue, code, language));
    let place = match (share.special, place, share.confidence) {
        (Some(special), _, _) => special.to_owned(),
        (None, Some(place), octroi_events::HostingConfidence::Located) => place,
        (None, Some(place), _) => {
            let contested = Text::new("contested", "contesté");
            format!("{place} {}", contested.get(language))
        }
        (None, None, octroi_events::HostingConfidence::Anycast) => "anycast".to_owned(),
        (None, None, _) => Text::new("place unknown", "lieu inconnu")
            .get(language)
            .to_owned(),
    };
    let operator = match (&share.service, &share.operator_id) {
        (Some(service), Some(operator)) => format!("{operator}/{service}"),
        (None, Some(operator)) => operator.clone(),
        _ => Text::new("operator not known", "opérateur inconnu")
            .get(language)
            .to_owned(),
    };
    let control = share.control_country.map_or_else(String::new, |country| {
        format!(", {country} {}", share.reach.name())
    });
    let (rule, count, example) = (&share.rule, share.addresses, share.example);
    Text::new(
        format!("{verdict} by {rule}: {place}; {operator}{control}; {count} addresses, such as {example}"),
        format!("{verdict} par {rule} : {place} ; {operator}{control} ; {count} adresses, dont {example}"),
    )
    .get(language)
    .to_owned()
}

/// Rows that a page leaves out.
pub(super) fn rest(rows: usize, sum: Count) -> Text {
    Text::new(
        format!("{rows} more shares, {sum} addresses (all with --json)"),
        format!("{rows} autres parts, {sum} adresses (toutes avec --json)"),
    )
}

/// Headings and fixed sentences of names and past flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phrase {
    ByName,
    OwnPrefixes,
    NoService,
    NoPrefixes,
    KnownLogger,
    DualUse,
    NoProof,
    AsTold,
    Today,
    Differences,
    NoDifference,
    SameSentences,
}

impl Phrase {
    pub(super) fn text(self) -> Text {
        let (en, fr) = match self {
            Self::ByName => (
                "by its name alone, the address not known yet",
                "d'après son nom seul, l'adresse n'étant pas encore connue",
            ),
            Self::OwnPrefixes => (
                "under this name, at the service's own prefixes",
                "sous ce nom, aux préfixes propres au service",
            ),
            Self::NoService => (
                "no service of the catalogue has this name: only its address can tell more",
                "aucun service du catalogue ne porte ce nom : seule son adresse peut en dire plus",
            ),
            Self::NoPrefixes => (
                "the catalogue knows no prefix that carries this service alone",
                "le catalogue ne connaît aucun préfixe qui porte ce seul service",
            ),
            Self::KnownLogger => (
                "a known tracking-link host: its links record who opens them",
                "hôte connu de liens de traçage : ses liens enregistrent qui les ouvre",
            ),
            Self::DualUse => (
                "lawful uses exist as well: flag rather than stop",
                "des usages licites existent aussi : signaler plutôt qu'arrêter",
            ),
            Self::NoProof => (
                "a suspicion for a reader, no proof",
                "un soupçon pour le lecteur, pas une preuve",
            ),
            Self::AsTold => ("as it was told then", "tel que constaté à l'époque"),
            Self::Today => (
                "what would be decided today",
                "ce qui serait décidé aujourd'hui",
            ),
            Self::Differences => (
                "differences, then -> today",
                "différences, alors -> aujourd'hui",
            ),
            Self::NoDifference => (
                "nothing differs: the same would be decided today",
                "aucune différence : la même décision serait prise aujourd'hui",
            ),
            Self::SameSentences => (
                "sentences of the record stand in the language in which it was written",
                "les phrases de l'enregistrement restent dans la langue où il a été écrit",
            ),
        };
        Text::new(en, fr)
    }
}
