//! Labels and headings of the page, English and French side by side.

use octroi_geo_db::catalogue::Language;

/// A label or heading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// First axis.
    Hosting,
    /// Second axis.
    Control,
    /// Third axis.
    Qualification,
    /// Service of the catalogue.
    Service,
    /// Special use of the address.
    SpecialUse,
    /// Who announces the address.
    Network,
    /// What hides the traffic.
    Opaque,
    /// Host name.
    Name,
    /// Exemption used.
    Exemption,
    /// How far an axis can be trusted.
    Confidence,
    /// Profile of the address inside.
    Embedded,
    /// Laws that reach the operator.
    Laws,
    /// Rules considered.
    Rules,
    /// Legal texts behind the rule.
    Basis,
    /// The smallest changes.
    Smallest,
    /// Ways out that change no fact.
    OtherWays,
    /// Services to use instead.
    Instead,
    /// Claims.
    Evidence,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 18] = [
        Self::Hosting,
        Self::Control,
        Self::Qualification,
        Self::Service,
        Self::SpecialUse,
        Self::Network,
        Self::Opaque,
        Self::Name,
        Self::Exemption,
        Self::Confidence,
        Self::Embedded,
        Self::Laws,
        Self::Rules,
        Self::Basis,
        Self::Smallest,
        Self::OtherWays,
        Self::Instead,
        Self::Evidence,
    ];

    /// The label in a language.
    #[must_use]
    pub const fn text(self, language: Language) -> &'static str {
        let (en, fr) = match self {
            Self::Hosting => ("hosting", "hébergement"),
            Self::Control => ("control", "contrôle"),
            Self::Qualification => ("qualification", "qualification"),
            Self::Service => ("service", "service"),
            Self::SpecialUse => ("special use", "usage spécial"),
            Self::Network => ("network", "réseau"),
            Self::Opaque => ("opaque", "opacité"),
            Self::Name => ("name", "nom"),
            Self::Exemption => ("exemption", "dérogation"),
            Self::Confidence => ("confidence", "confiance"),
            Self::Embedded => ("the address inside", "adresse contenue"),
            Self::Laws => ("laws", "lois"),
            Self::Rules => ("rules, in order", "règles, dans l'ordre"),
            Self::Basis => ("legal basis of the rule", "fondement juridique de la règle"),
            Self::Smallest => (
                "smallest change that turns the verdict round",
                "plus petit changement qui renverse le verdict",
            ),
            Self::OtherWays => ("other ways", "autres voies"),
            Self::Instead => ("to be used instead", "à utiliser à la place"),
            Self::Evidence => ("evidence (* followed)", "preuves (* retenue)"),
        };
        match language {
            Language::En => en,
            Language::Fr => fr,
        }
    }
}
