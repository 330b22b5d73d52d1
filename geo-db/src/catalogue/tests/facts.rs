//! The embedded facts: complete, sourced, and right where we know the answer.

use crate::catalogue::Catalogue;

#[test]
fn the_embedded_catalogue_loads_without_a_problem() {
    let catalogue = Catalogue::embedded().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(catalogue.countries().count(), 250);
    assert!(catalogue.operators().count() >= 220);
    assert!(catalogue.services().count() >= 130);
    assert!(catalogue.ip_loggers().count() >= 100);
}
