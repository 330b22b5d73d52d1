//! Verdicts as words: how the codes of the kernel ABI read in JSON (`"block"`, never `3`).

use octroi_abi::verdict::Verdict;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The verdict a word means.
#[must_use]
pub fn verdict_of(word: &str) -> Option<Verdict> {
    Verdict::ALL
        .into_iter()
        .find(|verdict| verdict.name() == word)
}

fn parse<E: Error>(word: &str) -> Result<Verdict, E> {
    verdict_of(word).ok_or_else(|| {
        E::custom(format!(
            "\"{word}\" is not a verdict: allow, flag, reject or block is expected"
        ))
    })
}

/// `#[serde(with = "words::verdict")]` for a `Verdict`.
pub mod verdict {
    use super::{Deserialize, Deserializer, Serializer, Verdict, parse};
    use std::borrow::Cow;

    /// As its word.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.name())
    }

    /// From its word.
    ///
    /// # Errors
    /// A word that is no verdict.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
        parse(&Cow::<'de, str>::deserialize(deserializer)?)
    }
}

/// `#[serde(with = "words::verdict_option")]` for an `Option<Verdict>`.
pub mod verdict_option {
    use super::{Deserialize, Deserializer, Serializer, Verdict, parse};

    /// As its word, or `null`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        value: &Option<Verdict>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(verdict) => serializer.serialize_some(verdict.name()),
            None => serializer.serialize_none(),
        }
    }

    /// From its word, or `null`.
    ///
    /// # Errors
    /// A word that is no verdict.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Verdict>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|word| parse(&word))
            .transpose()
    }
}
