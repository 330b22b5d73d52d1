//! Verdicts as words in JSON: what crosses the kernel boundary as a code, people read as a word.

/// For `#[serde(with = "...")]`.
pub mod verdict {
    use octroi_abi::verdict::Verdict;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the word.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(verdict.name())
    }

    /// Reads the word.
    ///
    /// # Errors
    ///
    /// A word that is no verdict.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.name() == word)
            .ok_or_else(|| serde::de::Error::custom(format!("\"{word}\" is not a verdict")))
    }
}
