//! Closed lists of words as they are written in the catalogue, and texts in two languages.

use serde::{Deserialize, Serialize};

/// A language the catalogue speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// The same words in English and in French.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// French.
    pub fr: String,
}

impl Text {
    /// The same words in both languages, English first.
    #[must_use]
    pub fn new(en: impl Into<String>, fr: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            fr: fr.into(),
        }
    }

    /// Words that are the same in every language: ids, names, what an administrator wrote.
    #[must_use]
    pub fn verbatim(words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            en: words.clone(),
            fr: words,
        }
    }

    /// The words in one language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Fr => &self.fr,
        }
    }
}

/// A closed list of words: one variant, one spelling.
pub(super) trait Word: Sized + Copy + 'static {
    /// What the word says, for messages: "kind of operator".
    const SUBJECT: &'static str;
    /// Every variant with its spelling.
    const WORDS: &'static [(&'static str, Self)];

    fn from_word(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(spelling, _)| *spelling == word)?;
        Some(found.1)
    }
}

/// Defines an enum whose variants are spelled one way in catalogue, policies and messages.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident, $subject:literal { $($(#[$inner:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$inner])* $variant,)+
        }

        impl $name {
            /// The word used in the catalogue and in messages.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $crate::catalogue::words::Word for $name {
            const SUBJECT: &'static str = $subject;
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant),)+];
        }
    };
}
pub(super) use words;
