//! The filter language of the daemon: checked here before it is sent, and told in the help.

use octroi_api::filter::{Field, Filter, Kind};

use crate::model::row::{Confidence, Jurisdiction, Reach};

/// Checks a filter.
///
/// # Errors
/// What is wrong, with the remedy, and the column of the caret in characters from 0.
pub(crate) fn check_filter(text: &str) -> Result<(), (String, usize)> {
    Filter::parse(text)
        .map(drop)
        .map_err(|error| (error.brief(), error.column))
}

/// The fields and what they hold, for the help.
pub(crate) fn filter_help() -> Vec<(String, String)> {
    let mut lines = vec![
        (
            "examples".to_owned(),
            "verdict:block,reject control:US".to_owned(),
        ),
        (
            String::new(),
            "(hosting!=FR or up>1M) !name:example.org".to_owned(),
        ),
        (
            String::new(),
            "dst:203.0.113.0/24 dport:443 age<5m".to_owned(),
        ),
        (
            "text".to_owned(),
            "a word of its own is looked for everywhere".to_owned(),
        ),
    ];
    for &field in Field::ALL {
        let help = field.help().trim_end_matches('.');
        let text = match field.kind() {
            Kind::Word(words) => format!("{help}: {}", words.join(", ")),
            _ => help.to_owned(),
        };
        lines.push((field.name().to_owned(), text));
    }
    lines
}

/// The filter for the flows of one jurisdiction row.
pub(crate) fn jurisdiction_filter(place: &Jurisdiction) -> String {
    let host = place.host.as_deref().unwrap_or("none");
    let confidence = match place.confidence {
        Confidence::Located => "located",
        Confidence::Contested => "contested",
        Confidence::Anycast => "anycast",
        Confidence::Unknown => "unknown",
    };
    let control = place.control.as_deref().unwrap_or("none");
    let reach = match place.reach {
        Reach::NoneKnown => "none_known",
        Reach::Unknown => "unknown",
        Reach::Presence => "presence",
        Reach::Controlled => "controlled",
    };
    format!("control:{control} reach:{reach} hosting:{host} conf:{confidence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jurisdiction_can_be_filtered_for() {
        for confidence in [
            Confidence::Located,
            Confidence::Contested,
            Confidence::Anycast,
            Confidence::Unknown,
        ] {
            for reach in [
                Reach::NoneKnown,
                Reach::Unknown,
                Reach::Presence,
                Reach::Controlled,
            ] {
                for country in [None, Some("US".to_owned())] {
                    let place = Jurisdiction {
                        host: country.clone(),
                        confidence,
                        control: country.clone(),
                        reach,
                        ..Jurisdiction::default()
                    };
                    let filter = jurisdiction_filter(&place);
                    assert_eq!(check_filter(&filter), Ok(()), "{filter}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_filter_says_where_and_what_instead() {
        let (message, column) = check_filter("verdict:block contry:US").unwrap_err();
        assert_eq!(column, 14);
        assert!(message.contains("contry"), "{message}");
    }

    #[test]
    fn the_examples_of_the_help_parse() {
        for (_, example) in &filter_help()[..3] {
            assert_eq!(check_filter(example), Ok(()), "{example}");
        }
    }
}
