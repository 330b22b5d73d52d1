//! Remarks on claims, in English and in French side by side: why one lost, what else to know.

use std::net::Ipv4Addr;

use jiff::civil::Date;

use crate::catalogue::Text;

pub(super) fn stands_for(address: Ipv4Addr) -> Text {
    Text::new(
        format!("stands for {address}"),
        format!("représente {address}"),
    )
}

pub(super) fn region_unknown() -> Text {
    Text::new(
        "the list names no region whose country is known",
        "la liste n'indique aucune région dont le pays soit connu",
    )
}

pub(super) fn narrower_in_list() -> Text {
    Text::new(
        "a narrower prefix of the list says more",
        "un préfixe plus étroit de la liste en dit davantage",
    )
}

pub(super) fn own_list_more_trusted() -> Text {
    Text::new(
        "the provider's own region list is more trusted",
        "la liste de régions du fournisseur lui-même est plus fiable",
    )
}

pub(super) fn no_place() -> Text {
    Text::new(
        "special-use space is no place",
        "une plage à usage spécial n'est pas un lieu",
    )
}

pub(super) fn no_country() -> Text {
    Text::new(
        "no country of the catalogue",
        "n'est pas un pays du catalogue",
    )
}

pub(super) fn location_more_trusted() -> Text {
    Text::new(
        "a more trusted location speaks",
        "une source de localisation plus fiable se prononce",
    )
}

pub(super) fn anycast() -> Text {
    Text::new(
        "anycast: the address has no country",
        "anycast : l'adresse n'a pas de pays",
    )
}

pub(super) fn not_announced() -> Text {
    Text::new("the space is not announced", "la plage n'est pas annoncée")
}

pub(super) fn contests(winner: &str) -> Text {
    Text::new(format!("contests {winner}"), format!("conteste {winner}"))
}

pub(super) fn narrower_service() -> Text {
    Text::new(
        "a narrower prefix carries another service",
        "un préfixe plus étroit porte un autre service",
    )
}

pub(super) fn united_with_service() -> Text {
    Text::new(
        "its laws are united with the service's",
        "ses lois s'ajoutent à celles du service",
    )
}

pub(super) fn no_operator() -> Text {
    Text::new(
        "not an operator of the catalogue",
        "n'est pas un opérateur du catalogue",
    )
}

pub(super) fn presumed() -> Text {
    Text::new(
        "presumed from the registration of the announcing system",
        "présumé d'après l'enregistrement du système autonome annonceur",
    )
}

pub(super) fn weaker_than_operator() -> Text {
    Text::new(
        "registration of the announcing system: weaker than a known operator",
        "enregistrement du système autonome annonceur : plus faible qu'un opérateur connu",
    )
}

pub(super) fn validity(from: Option<Date>, until: Option<Date>) -> Option<Text> {
    Some(match (from, until) {
        (None, None) => return None,
        (Some(from), None) => Text::new(format!("from {from}"), format!("à partir du {from}")),
        (None, Some(until)) => Text::new(format!("until {until}"), format!("jusqu'au {until}")),
        (Some(from), Some(until)) => Text::new(
            format!("{from} to {until}"),
            format!("du {from} au {until}"),
        ),
    })
}
