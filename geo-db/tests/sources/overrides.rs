//! Local overrides: everything wrong is told at once, nothing is guessed.

use crate::read;

pub(crate) const GOOD: &str = r#"[[override]]
prefix = "192.0.2.0/24"
country = "FR"
operator = "ovh"
owner = "noc@example.gouv.fr"
reason = "Hosting contract 12: the rack is in Roubaix"
from = 2026-01-01
until = "2026-12-31"

[[override]]
prefix = "2001:db8::/32"
anycast = true
service = "zoom"
owner = "noc"
reason = "ticket 7"

[[override]]
prefix = "192.0.2.0/24"
country = "DE"
owner = "noc"
reason = "moves next year"
from = "2027-01-01"
"#;

#[test]
fn both_families_and_every_axis_are_read() {
    let said = read("overrides", "", GOOD).expect("reads");
    let told: Vec<String> = said
        .overrides
        .iter()
        .map(|said| {
            let days =
                |day: Option<jiff::civil::Date>| day.map_or("-".to_owned(), |day| day.to_string());
            format!(
                "{} {} {} {} {} {} {}",
                said.network,
                said.place.map_or("-".to_owned(), crate::place),
                said.operator.as_deref().unwrap_or("-"),
                said.service.as_deref().unwrap_or("-"),
                said.owner,
                days(said.from),
                days(said.until)
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "192.0.2.0/24 FR ovh - noc@example.gouv.fr 2026-01-01 2026-12-31",
            "2001:db8::/32 anycast - zoom noc - -",
            "192.0.2.0/24 DE - - noc 2027-01-01 -",
        ]
    );
}

#[test]
fn what_is_wrong_is_told_with_place_and_remedy() {
    let with = |fields: &str| {
        format!(
            "[[override]]\nowner = \"o\"\nreason = \"r\"\nprefix = \"192.0.2.0/24\"\n{fields}\n"
        )
    };
    let cases = [
        (
            with("contry = \"FR\""),
            "x.data:5:1: \"contry\" is not a known key (did you mean \"country\"?)",
        ),
        (
            with(""),
            "x.data:1:1: nothing is overridden (give country, anycast = true, operator or service)",
        ),
        (with("anycast = false"), "nothing is overridden"),
        (
            with("country = \"FRA\""),
            "x.data:5:11: country: \"FRA\" is not a country code (write two letters",
        ),
        (
            with("country = \"UK\""),
            "the code of the United Kingdom is GB",
        ),
        (
            with("country = \"FR\"\nanycast = true"),
            "country and anycast exclude each other (keep one of them)",
        ),
        (
            with("anycast = \"yes\""),
            "anycast: expected true or false, found string",
        ),
        (
            with("operator = \"OVH SAS\""),
            "operator: \"OVH SAS\" is not an id",
        ),
        (
            with("country = \"FR\"\nfrom = 2026-02-01\nuntil = 2026-01-01"),
            "x.data:7:9: until (2026-01-01) is before from (2026-02-01) (exchange them)",
        ),
        (
            with("country = \"FR\"\nuntil = \"soon\""),
            "until: \"soon\" is not a day",
        ),
        (
            GOOD.replace("owner = \"noc\"\n", ""),
            "x.data:10:1: \"owner\" is missing (say who answers for it)",
        ),
        (
            GOOD.replace("reason = \"ticket 7\"", "reason = \"\""),
            "reason is blank",
        ),
        (
            GOOD.replace("2001:db8::/32", "2001:db8::1/32"),
            "x.data:11:10: prefix: 2001:db8::1/32 has bits behind its length; 2001:db8::/32 is the prefix around it",
        ),
        (
            GOOD.replace("2001:db8::/32", "fr"),
            "prefix: \"fr\" is not a prefix (write a prefix such as",
        ),
        (
            GOOD.replace("2027-01-01", "2026-12-31"),
            "192.0.2.0/24 is overridden twice for the same days (first at x.data:1; join them)",
        ),
        (
            "[[overide]]".to_owned(),
            "\"overide\" is not a known key (did you mean \"override\"?)",
        ),
        (
            "override = 1".to_owned(),
            "override: expected tables, found integer (write [[override]])",
        ),
        (
            "[[override]]\nprefix = ".to_owned(),
            "(correct the TOML syntax there)",
        ),
    ];
    for (text, expected) in cases {
        let error = read("overrides", "", &text).expect_err(&text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
    let error = read("overrides", "", b"owner = \"\xff\"").expect_err("not UTF-8");
    assert!(
        error.contains("x.data: byte 9: not UTF-8 text (save the file as UTF-8)"),
        "{error}"
    );
}
