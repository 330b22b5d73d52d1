//! What values mean, in plain words, English and French side by side.

use octroi_abi::verdict::Verdict;
use octroi_geo_db::catalogue::{Catalogue, Language, Text};
use octroi_geo_db::profile::{ControlBasis, CountryCode, HostingConfidence, Reach};
use octroi_policy::explain::MOST_FACTS;

use crate::class::ResidencyClass;
use crate::model::NameSource;

/// One of two words.
const fn of(language: Language, en: &'static str, fr: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::Fr => fr,
    }
}

/// A verdict as it opens a page: what becomes of the traffic.
#[must_use]
pub const fn verdict(verdict: Verdict, language: Language) -> &'static str {
    match verdict {
        Verdict::Allow => of(language, "ALLOW", "AUTORISÉ"),
        Verdict::Flag => of(language, "FLAG", "SIGNALÉ"),
        Verdict::Reject => of(language, "REJECT", "REJETÉ"),
        Verdict::Block => of(language, "BLOCK", "BLOQUÉ"),
    }
}

/// A verdict within a page.
#[must_use]
pub const fn small_verdict(verdict: Verdict, language: Language) -> &'static str {
    match verdict {
        Verdict::Allow => of(language, "allow", "autorisé"),
        Verdict::Flag => of(language, "flag", "signalé"),
        Verdict::Reject => of(language, "reject", "rejeté"),
        Verdict::Block => of(language, "block", "bloqué"),
    }
}

/// A country by its name and code; the code alone when the catalogue does not hold it.
#[must_use]
pub fn country(catalogue: &Catalogue, code: CountryCode, language: Language) -> String {
    catalogue.country(code).map_or_else(
        || code.to_string(),
        |known| format!("{} ({code})", known.name.get(language)),
    )
}

/// Where something stands.
#[must_use]
pub fn hosting(place: Option<&str>, confidence: HostingConfidence, language: Language) -> String {
    match (place, confidence) {
        (Some(place), HostingConfidence::Located) => place.to_owned(),
        (Some(place), _) => match language {
            Language::En => format!("{place}, contested: sources disagree on the country"),
            Language::Fr => format!("{place}, contesté : les sources divergent sur le pays"),
        },
        (None, HostingConfidence::Anycast) => of(
            language,
            "anycast: announced from many places at once, so it stands in no one country",
            "anycast : annoncé de plusieurs lieux à la fois, donc dans aucun pays en particulier",
        )
        .to_owned(),
        (None, _) => of(
            language,
            "unknown: no source can say where it stands",
            "inconnu : aucune source ne peut dire où l'adresse se trouve",
        )
        .to_owned(),
    }
}

/// How far foreign law reaches.
#[must_use]
pub const fn reach(reach: Reach, language: Language) -> &'static str {
    match reach {
        Reach::NoneKnown => of(
            language,
            "no foreign law is known to reach it (none_known)",
            "aucun droit étranger connu ne l'atteint (none_known)",
        ),
        Reach::Unknown => of(
            language,
            "nobody can say whose law reaches it (unknown)",
            "nul ne peut dire quel droit l'atteint (unknown)",
        ),
        Reach::Presence => of(
            language,
            "an arm of the group is under foreign law (presence)",
            "une branche du groupe relève d'un droit étranger (presence)",
        ),
        Reach::Controlled => of(
            language,
            "foreign law reaches it wherever its servers stand (controlled)",
            "le droit étranger l'atteint où que soient ses serveurs (controlled)",
        ),
    }
}

/// What the control axis rests on, when that must be said.
#[must_use]
pub const fn basis(basis: ControlBasis, language: Language) -> Option<&'static str> {
    match basis {
        ControlBasis::AsCountry => Some(of(
            language,
            "presumed from the country of its AS, the operator is not known",
            "présumé d'après le pays de son système autonome, l'opérateur n'est pas connu",
        )),
        ControlBasis::Service | ControlBasis::Operator | ControlBasis::None => None,
    }
}

/// Nobody is known to run it.
#[must_use]
pub const fn nobody(language: Language) -> &'static str {
    of(
        language,
        "unknown: nobody is known to run it",
        "inconnu : nul opérateur n'est connu",
    )
}

/// What a special use is, by its word in policies.
#[must_use]
pub fn special(word: &str, language: Language) -> String {
    let plain = match word {
        "private" => of(
            language,
            "a network of one's own, not a place on the Internet",
            "un réseau privé, pas un lieu sur Internet",
        ),
        "loopback" => of(language, "this very machine", "la machine elle-même"),
        "link_local" => of(
            language,
            "the same link only, not a place on the Internet",
            "le même lien seulement, pas un lieu sur Internet",
        ),
        "multicast" => of(
            language,
            "a group of receivers, not a place on the Internet",
            "un groupe de destinataires, pas un lieu sur Internet",
        ),
        "documentation" => of(
            language,
            "for examples in texts: nobody may stand there",
            "réservé aux exemples : personne ne peut s'y trouver",
        ),
        "transition" => of(
            language,
            "the address only wraps another one, which is where the traffic goes",
            "l'adresse n'en contient qu'une autre, vraie destination du trafic",
        ),
        _ => of(
            language,
            "not in use on the Internet",
            "hors d'usage sur Internet",
        ),
    };
    format!("{word}: {plain}").replacen(": ", of(language, ": ", " : "), 1)
}

/// What a class says, in a few words.
#[must_use]
pub const fn class(class: ResidencyClass, language: Language) -> &'static str {
    let fr = match class {
        ResidencyClass::Fr => "hébergé en France",
        ResidencyClass::Eu => "hébergé dans l'UE ou l'EEE",
        ResidencyClass::FrHostedNoneuControl => "hébergé en France sous contrôle non européen",
        ResidencyClass::EuHostedNoneuControl => {
            "hébergé dans l'UE ou l'EEE sous contrôle non européen"
        }
        ResidencyClass::Adequate => "hébergé dans un pays jugé adéquat",
        ResidencyClass::ThirdCountry => "hébergé dans un pays tiers",
        ResidencyClass::Contested => "hébergé dans un pays contesté",
        ResidencyClass::Anycast => "anycast, hébergé dans aucun pays en particulier",
        ResidencyClass::Unknown => "hébergé en un lieu inconnu",
        ResidencyClass::Internal => "hors d'Internet",
    };
    of(language, class.title(), fr)
}

/// An axis, by its word in claims.
#[must_use]
pub fn axis(word: &str, language: Language) -> &str {
    match (word, language) {
        ("hosting", Language::Fr) => "hébergement",
        ("control", Language::Fr) => "contrôle",
        _ => word,
    }
}

/// Values of claims that are words and not ids or codes.
#[must_use]
pub fn claimed(value: &str, language: Language) -> &str {
    match (value, language) {
        ("unknown", Language::Fr) => "inconnu",
        _ => value,
    }
}

/// Who said a name.
#[must_use]
pub const fn said_by(source: NameSource, language: Language) -> &'static str {
    match source {
        NameSource::Dns => of(language, "by a DNS answer", "par une réponse DNS"),
        NameSource::Sni => of(
            language,
            "in the TLS handshake",
            "dans la poignée de main TLS",
        ),
        NameSource::Quic => of(
            language,
            "in the QUIC handshake",
            "dans la poignée de main QUIC",
        ),
        NameSource::Host => of(language, "in the HTTP request", "dans la requête HTTP"),
        NameSource::Certificate => of(
            language,
            "in the server's certificate",
            "dans le certificat du serveur",
        ),
    }
}

/// Fixed sentences of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remark {
    /// In monitor mode.
    Monitored,
    /// No qualification.
    NoneKnown,
    /// A name may change the verdict.
    NameMatters,
    /// No AS announces the address.
    NotAnnounced,
    /// Evidence newer than the day asked about.
    Newer,
    /// The service is sovereign.
    Sovereign,
    /// The verdict already lets everything pass.
    NoChange,
    /// A DNS answer bound the name.
    Bound,
    /// None did.
    Unbound,
    /// DNS bound other names to the address.
    Contradicted,
    /// The client hid the name.
    Hidden,
    /// The client may have hidden the name.
    PerhapsHidden,
}

impl Remark {
    /// The sentence.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Monitored => Text::new(
                "monitor mode: recorded, not enforced",
                "mode monitor : constaté, non appliqué",
            ),
            Self::NoneKnown => Text::new("none known", "aucune connue"),
            Self::NameMatters => Text::new(
                "none seen yet; one could change the decision",
                "aucun vu à ce stade ; un nom pourrait changer la décision",
            ),
            Self::NotAnnounced => {
                Text::new("not announced by anybody", "n'est annoncé par personne")
            }
            Self::Newer => Text::new(
                "newer than the day asked about",
                "plus récent que le jour demandé",
            ),
            Self::Sovereign => Text::new("sovereign", "souverain"),
            Self::NoChange => Text::new(
                format!("no change of up to {MOST_FACTS} facts at once does"),
                format!("aucun changement de {MOST_FACTS} faits à la fois ou moins n'y suffit"),
            ),
            Self::Bound => Text::new(
                "a DNS answer binds it to this address",
                "une réponse DNS l'associe à cette adresse",
            ),
            Self::Unbound => Text::new(
                "no DNS answer binds it to this address",
                "aucune réponse DNS ne l'associe à cette adresse",
            ),
            Self::Contradicted => Text::new(
                "DNS gave this address under other names only",
                "le DNS n'a donné cette adresse que sous d'autres noms",
            ),
            Self::PerhapsHidden => Text::new(
                "the client perhaps hid the true one (ECH)",
                "le client a peut-être caché le vrai nom (ECH)",
            ),
            Self::Hidden => Text::new(
                "the client hid the true one (ECH)",
                "le client a caché le vrai nom (ECH)",
            ),
        }
    }
}
