//! The review: what it finds in the embedded catalogue, and that it finds what is wrong.

use super::{day, embedded};
use crate::catalogue::Catalogue;
use crate::catalogue::review::Severity;

#[test]
fn the_embedded_catalogue_has_no_error_and_all_claims_have_a_source_and_a_day() {
    let catalogue = embedded();
    let review = catalogue.review(catalogue.as_of(), &[], None);
    let errors: Vec<String> = review
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors, [""; 0]);
    assert_eq!(review.errors(), 0);
    for (kind, count) in &review.counts {
        assert_eq!(count.sourced, count.claims, "{kind}");
        assert!(count.claims > 0, "{kind}");
    }
    let claims: usize = review.counts.iter().map(|(_, count)| count.claims).sum();
    assert!(claims > 950, "{claims}");
}

#[test]
fn what_ends_soon_is_told_and_what_is_far_is_not() {
    let catalogue = embedded();
    let told = |today: &str, id: &str| {
        let review = catalogue.review(day(today), &[], None);
        let findings = review
            .findings
            .into_iter()
            .filter(|finding| finding.id == id);
        findings
            .map(|finding| finding.what)
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(told("2026-12-01", "us_fisa_702"), "");
    assert_eq!(
        told("2027-01-05", "us_fisa_702"),
        "its force ends on 2027-03-31"
    );
    assert_eq!(
        told("2027-04-01", "us_fisa_702"),
        "its force ended on 2027-03-31"
    );
    assert!(told("2031-10-01", "GB").contains("(EU) 2025/2574 ends on 2031-12-27"));
    assert!(told("2026-11-22", "HU").is_empty());
    assert!(told("2026-11-22", "outscale-cloudgouv").contains("ends on 2026-11-30"));
    assert!(told("2028-01-01", "zoom").contains("nobody checked it since 2026-11-"));
}

/// A catalogue with one fault of each kind that only a review sees.
const WRONG: &str = r#"as_of = 2026-11-21

[[country]]
code = "FR"
name = { en = "France", fr = "France" }
regime = "FR"
source = "TFEU"
as_of = 2024-01-01

[[country]]
code = "QQ"
name = { en = "Nowhere", fr = "Nulle part" }
regime = "THIRD"
source = "s"
as_of = 2026-11-21

[[country]]
code = "US"
name = { en = "United States", fr = "États-Unis" }
regime = "THIRD"
source = "s"
as_of = 2027-01-01

[[adequacy]]
country = "US"
decision = "one"
extent = "partial"
from = 2000-01-01
until = 2010-01-01
source = "s"
as_of = 2026-11-21

[[adequacy]]
country = "US"
decision = "two"
extent = "partial"
from = 2009-01-01
until = 2020-01-01
source = "s"
as_of = 2026-11-21

[[law]]
id = "act"
name = { en = "Act", fr = "Loi" }
country = "US"
class = "judicial"
extraterritorial = true
reach = "all"
sentence = { en = "same", fr = "same" }
periods = [
    { from = 2010-01-01, until = 2012-01-01, source = "s", as_of = 2026-11-21 },
    { from = 2011-01-01, source = "s", as_of = 2026-11-21 },
]
source = "s"
as_of = 2026-11-21

[[operator]]
id = "one"
name = "One"
kind = "saas"
hq = "US"
parents = [
    { name = "Old", country = "FR", until = 2010-01-01 },
    { name = "New", country = "US", from = 2012-01-01 },
]
asns = [64500]
prefixes = ["192.0.2.0/24"]
source = "s"
as_of = 2026-11-21

[[operator]]
id = "two"
name = "Two"
kind = "saas"
hq = "FR"
parents = [{ name = "A", country = "FR" }, { name = "B", country = "US" }]
prefixes = ["192.0.2.0/25"]
source = "s"
as_of = 2026-11-21

[[operator]]
id = "three"
name = "Three"
kind = "saas"
hq = "FR"
source = "s"
as_of = 2026-11-21

[[service]]
id = "s-one"
name = "Same"
category = "saas"
operator = "one"
domains = ["one.example", "deep.one.example"]
source = "s"
as_of = 2026-11-21

[[service]]
id = "s-two"
name = "Same"
category = "saas"
operator = "two"
domains = ["two.one.example"]
alternatives = ["s-two"]
qualifications = [{ scheme = "secnumcloud", until = 2020-01-01, source = "s", as_of = 2026-11-21 }]
source = "s"
as_of = 2026-11-21
"#;

#[test]
fn each_fault_is_found_with_its_place() {
    let files = [("wrong.toml", WRONG)];
    let catalogue = Catalogue::from_texts(&files).unwrap();
    let no_system = |_| false;
    let review = catalogue.review(day("2026-11-22"), &files, Some(&no_system));
    let told: Vec<String> = review.findings.iter().map(ToString::to_string).collect();
    let all = told.join("\n");
    for expected in [
        "error: country \"AD\": ISO 3166-1 has this code, the catalogue has not",
        "error: wrong.toml:11: country \"QQ\": ISO 3166-1 has no such code",
        "error: wrong.toml:18: country \"US\": as_of (2027-01-01) is in the future",
        "warning: wrong.toml:4: country \"FR\": nobody checked it since 2024-01-01",
        "error: wrong.toml:25: adequacy \"US\": \"one\" and \"two\" overlap from 2009-01-01 to 2010-01-01",
        "warning: wrong.toml:25: adequacy \"US\": two ended on 2020-01-01",
        "error: wrong.toml:43: law \"act\": \"statute\" and \"statute\" overlap from 2011-01-01 to 2012-01-01",
        "warning: wrong.toml:43: law \"act\": sentence is the same in English and French",
        "law \"act\": it compels abroad and reaches no operator of the catalogue",
        "warning: wrong.toml:58: operator \"one\": nothing holds between \"Old\" and \"New\", from 2010-01-01 to 2012-01-01",
        "operator \"one\": AS64500 announces nothing in the routing data",
        "error: wrong.toml:72: operator \"two\": \"A\" and \"B\" overlap: one has no last, or one no first day",
        "operator \"two\": 192.0.2.0/25 lies inside 192.0.2.0/24 of operator \"one\"",
        "operator \"three\": no AS, no prefix and no service with names",
        "service \"s-one\": deep.one.example lies below another of its domains",
        "service \"s-two\": two.one.example lies below a domain of service \"s-one\"",
        "error: wrong.toml:99: service \"s-two\": it is its own alternative",
        "service \"s-two\": service \"s-one\" has the same name",
        "service \"s-two\": its qualification secnumcloud ended on 2020-01-01",
        "service \"s-two\": its qualification secnumcloud has no first day",
    ] {
        assert!(all.contains(expected), "{expected}\nis not in\n{all}");
    }
    assert!(review.errors() >= 249);
    assert!(review.findings.is_sorted_by_key(|finding| finding.severity));
}

#[test]
fn a_review_is_told_as_a_table_and_as_json() {
    let catalogue = embedded();
    let review = catalogue.review(day("2026-11-22"), &[], None);
    let page = review.to_string();
    assert!(page.contains("claims"), "{page}");
    assert!(page.ends_with("warnings"), "{page}");
    let json = serde_json::to_value(&review).unwrap();
    assert_eq!(json["today"], "2026-11-22");
    assert_eq!(json["counts"][0][0], "country");
    assert_eq!(json["counts"][0][1]["claims"], 250);
    assert!(
        json["findings"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
}
