//! What a client could have said otherwise: how its name is known, what it speaks, how it hides.

use std::sync::Arc;

use octroi_geo_db::catalogue::Text;

use super::super::{Change, Value};
use super::Tried;
use crate::condition::Condition;
use crate::naming::{EchSeen, Naming};
use crate::subject::Facts;

impl Tried<'_> {
    /// What the name could rest on instead; a flow without a name stays one.
    pub(super) fn naming(&self) -> Vec<Change> {
        if self.subject.name.is_none() {
            return Vec::new();
        }
        let sentences = [
            (
                Naming::Confirmed,
                "the client said the name and DNS bore it out",
                "le client donnait le nom et le DNS le confirmait",
            ),
            (
                Naming::Dns,
                "the name were known from DNS alone",
                "le nom n'était connu que par le DNS",
            ),
            (
                Naming::Unasked,
                "no DNS answer had given the address",
                "aucune réponse DNS n'avait donné l'adresse",
            ),
            (
                Naming::Contradicted,
                "DNS had given the address under another name",
                "le DNS avait donné l'adresse sous un autre nom",
            ),
        ];
        sentences
            .into_iter()
            .map(|(naming, en, fr)| Change {
                value: Value::Naming(naming),
                words: Text::new(en, fr),
            })
            .collect()
    }

    /// What could be spoken instead: the words that the policy names, and none of them.
    pub(super) fn speaks(&self) -> Vec<Change> {
        if Facts::new(self.policy, self.subject).speaks().is_none() {
            return Vec::new();
        }
        let conditions = self.policy.rules.iter().flat_map(|rule| &rule.conditions);
        let named = conditions.filter_map(|condition| match condition {
            Condition::Speaks(words) => Some(words.wanted.iter().chain(&words.unwanted)),
            _ => None,
        });
        let named = named.flatten().map(|word| Some(Arc::clone(word)));
        let tls = Some(Arc::from("tls"));
        named
            .chain([tls, None])
            .map(|word: Option<Arc<str>>| Change {
                words: word.as_deref().map_or_else(
                    || {
                        Text::new(
                            "what it speaks were not recognised",
                            "le langage parlé n'était pas reconnu",
                        )
                    },
                    |word| Text::new(format!("it spoke {word}"), format!("il parlait {word}")),
                ),
                value: Value::Speaks(word),
            })
            .collect()
    }

    pub(super) fn ech(&self) -> Vec<Change> {
        if Facts::new(self.policy, self.subject).ech().is_none() {
            return Vec::new();
        }
        let sentences = [
            (
                EchSeen::None,
                "the client did not hide its name (ECH)",
                "le client ne cachait pas son nom (ECH)",
            ),
            (
                EchSeen::Grease,
                "the client sent a placeholder only (ECH)",
                "le client n'envoyait qu'un leurre (ECH)",
            ),
            (
                EchSeen::Possible,
                "the client perhaps hid its name (ECH)",
                "le client cachait peut-être son nom (ECH)",
            ),
            (
                EchSeen::Real,
                "the client hid its name (ECH)",
                "le client cachait son nom (ECH)",
            ),
        ];
        sentences
            .into_iter()
            .map(|(ech, en, fr)| Change {
                value: Value::Ech(ech),
                words: Text::new(en, fr),
            })
            .collect()
    }
}
