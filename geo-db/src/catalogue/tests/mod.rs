//! The catalogue under test: the embedded facts, bad files, look-ups against naive ones.

mod at;
mod control;
mod facts;
mod faults;
mod groups;
mod look_alike;
mod names;
mod review;

use std::sync::Arc;

use jiff::civil::Date;

use super::Catalogue;
use crate::profile::CountryCode;

fn embedded() -> Arc<Catalogue> {
    Catalogue::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn code(text: &str) -> CountryCode {
    text.parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}
