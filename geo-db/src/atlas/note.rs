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

pub(super) fn no_evidence() -> Text {
    Text::new(
        "the evidence of the atlas cannot be read: rebuild it",
        "les éléments de preuve de l'atlas sont illisibles : reconstruisez-le",
    )
}

pub(super) fn not_in_force(day: Date, from: Option<Date>, until: Option<Date>) -> Text {
    let mut note = Text::new(
        format!("not in force on {day}"),
        format!("pas en vigueur le {day}"),
    );
    if let Some(period) = validity(from, until) {
        note.en.extend([": ", &period.en]);
        note.fr.extend([" : ", &period.fr]);
    }
    note
}

pub(super) fn overridden(owner: &str, reason: &str) -> Text {
    Text::new(
        format!("set by {owner}: {reason}"),
        format!("fixé par {owner} : {reason}"),
    )
}

pub(super) fn override_beats() -> Text {
    Text::new(
        "an override of the administrator decides",
        "une dérogation de l'administrateur l'emporte",
    )
}

pub(super) fn narrower_override() -> Text {
    Text::new(
        "a narrower or more trusted override decides",
        "une dérogation plus étroite ou plus fiable l'emporte",
    )
}

pub(super) fn own_prefix() -> Text {
    Text::new(
        "the prefix carries this service alone",
        "ce préfixe ne porte que ce service",
    )
}

pub(super) fn no_end_known() -> Text {
    Text::new("no dates are known", "aucune date n'est connue")
}

pub(super) fn publisher_speaks() -> Text {
    Text::new(
        "its publisher says itself where the prefix is used",
        "son éditeur dit lui-même où le préfixe est utilisé",
    )
}

pub(super) fn own_list_speaks() -> Text {
    Text::new(
        "the operator's own list is more trusted than any database",
        "la liste de l'opérateur lui-même est plus fiable que toute base de données",
    )
}

pub(super) fn anycast_flag() -> Text {
    Text::new(
        "the source flags the address as announced from many places",
        "la source signale une adresse annoncée depuis plusieurs lieux",
    )
}

pub(super) fn most_trusted_location() -> Text {
    Text::new(
        "the most trusted location source that names a country",
        "la plus fiable des sources de localisation qui nomment un pays",
    )
}

pub(super) fn agrees() -> Text {
    Text::new(
        "says the same as the more trusted source",
        "dit la même chose que la source plus fiable",
    )
}

pub(super) fn differs_within(winner: &str) -> Text {
    Text::new(
        format!("differs from {winner}, on the same side of the law"),
        format!("diffère de {winner}, du même côté du droit"),
    )
}

pub(super) fn registered() -> Text {
    Text::new(
        "where the network is registered: no location",
        "là où le réseau est enregistré : ce n'est pas un lieu",
    )
}

pub(super) fn names_operator() -> Text {
    Text::new("names the operator", "nomme l'opérateur")
}

pub(super) fn same_operator() -> Text {
    Text::new(
        "the operator that is named already",
        "l'opérateur déjà nommé",
    )
}

pub(super) fn united(named: &str) -> Text {
    Text::new(
        format!("holds the wire as well: its laws are united with those of {named}"),
        format!("tient aussi le réseau : ses lois s'ajoutent à celles de {named}"),
    )
}

pub(super) fn narrower_operator() -> Text {
    Text::new(
        "a narrower prefix is another operator's",
        "un préfixe plus étroit est à un autre opérateur",
    )
}

pub(super) fn announcement_more_trusted() -> Text {
    Text::new(
        "a more trusted source names the announcing system",
        "une source plus fiable nomme le système autonome annonceur",
    )
}

pub(super) fn old(date: Date) -> Text {
    Text::new(
        format!("lowered because it dates from {date}"),
        format!("abaissée parce qu'elle date du {date}"),
    )
}

pub(super) fn no_source_speaks() -> Text {
    Text::new(
        "no location source names a country",
        "aucune source de localisation ne nomme un pays",
    )
}

pub(super) fn anycast_reviewed() -> Text {
    Text::new(
        "the catalogue knows the network as anycast",
        "le catalogue connaît ce réseau comme anycast",
    )
}

pub(super) fn stranger() -> Text {
    Text::new(
        "its publisher speaks for itself and is not in the catalogue",
        "son éditeur parle pour lui-même et n'est pas dans le catalogue",
    )
}

pub(super) fn several_agree() -> Text {
    Text::new(
        "several location sources agree",
        "plusieurs sources de localisation concordent",
    )
}

pub(super) fn alone() -> Text {
    Text::new(
        "one location source speaks alone",
        "une seule source de localisation se prononce",
    )
}

pub(super) fn alone_and_plausible() -> Text {
    Text::new(
        "one location source speaks alone, and the registration lies on the same side of the law",
        "une seule source de localisation se prononce, et l'enregistrement est du même côté du droit",
    )
}

pub(super) fn alone_against(registered: &str) -> Text {
    Text::new(
        format!("one location source speaks alone, and the network is registered in {registered}"),
        format!(
            "une seule source de localisation se prononce, et le réseau est enregistré : {registered}"
        ),
    )
}

pub(super) fn disagree_across() -> Text {
    Text::new(
        "sources disagree across a border of law",
        "les sources divergent de part et d'autre d'une frontière du droit",
    )
}

pub(super) fn disagree_within() -> Text {
    Text::new(
        "sources disagree, on the same side of the law",
        "les sources divergent, du même côté du droit",
    )
}

pub(super) fn nobody() -> Text {
    Text::new("nobody knows who runs it", "on ne sait pas qui l'exploite")
}

pub(super) fn landlord() -> Text {
    Text::new(
        "the announcing operator houses or carries others, who may run the machine",
        "l'opérateur annonceur héberge ou transporte des tiers, qui peuvent exploiter la machine",
    )
}

pub(super) fn several_hold_the_wire() -> Text {
    Text::new(
        "several operators hold the wire: the laws of all are counted",
        "plusieurs opérateurs tiennent le réseau : les lois de tous sont comptées",
    )
}

pub(super) fn operator_announces() -> Text {
    Text::new(
        "an operator of the catalogue announces it",
        "un opérateur du catalogue l'annonce",
    )
}

pub(super) fn operators_prefix() -> Text {
    Text::new(
        "the prefix is the operator's own",
        "le préfixe est celui de l'opérateur",
    )
}

pub(super) fn no_service() -> Text {
    Text::new(
        "no service is known by this address alone",
        "aucun service n'est connu par cette seule adresse",
    )
}

pub(super) fn not_qualified() -> Text {
    Text::new(
        "no qualification of the service is in force",
        "aucune qualification du service n'est en vigueur",
    )
}

pub(super) fn qualified() -> Text {
    Text::new(
        "a dated qualification of the very service is in force",
        "une qualification datée du service lui-même est en vigueur",
    )
}
