//! Every kind of fault a catalogue file can have, with its exact message and place.

use crate::catalogue::Catalogue;

/// A catalogue without faults, for the cases to lean on.
const BASE: &str = r#"as_of = 2026-11-21

[[country]]
code = "FR"
name = { en = "France", fr = "France" }
regime = "FR"
source = "TFEU"
as_of = 2026-11-21

[[country]]
code = "US"
name = { en = "United States", fr = "États-Unis" }
regime = "THIRD"
source = "general knowledge"
as_of = 2026-11-21

[[law]]
id = "us_cloud_act"
name = { en = "CLOUD Act", fr = "CLOUD Act" }
country = "US"
class = "judicial"
extraterritorial = true
reach = "providers"
sentence = { en = "can order", fr = "peut ordonner" }
source = "18 U.S.C. 2713"
as_of = 2026-11-21

[[operator]]
id = "zoom"
name = "Zoom"
kind = "saas"
hq = "US"
laws = ["us_cloud_act"]
asns = [30103]
source = "general knowledge"
as_of = 2026-11-21

[[service]]
id = "zoom"
name = "Zoom"
category = "video"
operator = "zoom"
domains = ["zoom.us"]
prefixes = ["3.7.35.0/25"]
source = "general knowledge"
as_of = 2026-11-21
"#;

/// The end of an entry whose provenance is not the subject.
const SOURCED: &str = "source = \"s\"\nas_of = 2026-11-21\n";

fn faults(text: &str) -> Vec<String> {
    let files = [("base.toml", BASE), ("bad.toml", text)];
    match Catalogue::from_texts(&files) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_base_of_the_cases_has_no_fault() {
    assert_eq!(faults("as_of = 2026-11-22\n"), Vec::<String>::new());
}

/// (what is wrong, the lines after `as_of`, the one message expected)
const CASES: &[(&str, &str, &str)] = &[
    (
        "syntax",
        "[[law]\nid = \"x\"",
        "bad.toml:2:7: unclosed array table, expected `]` (correct the TOML syntax)",
    ),
    (
        "unknown kind",
        "[[operater]]\nid = \"x\"",
        "bad.toml:2:3: unknown kind of entry \"operater\" (did you mean \"operator\"?)",
    ),
    (
        "kind that is no list",
        "[operator]\nid = \"x\"",
        "bad.toml:2:1: \"operator\" is not a list of entries (write [[operator]] above each entry)",
    ),
    (
        "unknown field",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nasn = [1]\n{S}",
        "bad.toml:7:1: unknown field \"asn\" in operator \"x\" (did you mean \"asns\"?)",
    ),
    (
        "unknown field in a nested table",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nparents = [{ name = \"Y\", country = \"FR\", form = 2020-01-01 }]\n{S}",
        "bad.toml:7:42: unknown field \"form\" in parents of operator \"x\" (did you mean \"from\"?)",
    ),
    (
        "missing field",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\n{S}",
        "bad.toml:2:1: operator \"x\" has no \"hq\" (add hq = ...)",
    ),
    (
        "missing source",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nas_of = 2026-11-21",
        "bad.toml:2:1: operator \"x\" has no \"source\" (add source = ...)",
    ),
    (
        "missing day",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nsource = \"s\"",
        "bad.toml:2:1: operator \"x\" has no \"as_of\" (add as_of = ...)",
    ),
    (
        "empty text",
        "[[operator]]\nid = \"x\"\nname = \" \"\nkind = \"saas\"\nhq = \"FR\"\n{S}",
        "bad.toml:4:8: \"name\" of operator \"x\" is empty (write it or leave the field out)",
    ),
    (
        "wrong type",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nanycast = \"yes\"\n{S}",
        "bad.toml:7:11: \"anycast\" of operator \"x\" is of type string (true or false is expected)",
    ),
    (
        "one language only",
        "[[country]]\ncode = \"BE\"\nname = { en = \"Belgium\" }\nregime = \"EU\"\n{S}",
        "bad.toml:4:8: name of country \"BE\" has no \"fr\" (add fr = ...)",
    ),
    (
        "word of a closed list",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"clout\"\nhq = \"FR\"\n{S}",
        "bad.toml:5:8: \"clout\" is no kind of operator (did you mean \"cloud\"?)",
    ),
    (
        "not a country code",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FRA\"\n{S}",
        "bad.toml:6:6: \"FRA\" is not a country code (write the ISO 3166-1 alpha-2 code, such as FR)",
    ),
    (
        "country code in lower case",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"fr\"\n{S}",
        "bad.toml:6:6: \"fr\" is not a country code (write the ISO 3166-1 alpha-2 code, such as FR)",
    ),
    (
        "country nobody defines",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"ZZ\"\n{S}",
        "bad.toml:6:6: country \"ZZ\" of operator \"x\" is not defined (no [[country]] has this code; check ISO 3166-1)",
    ),
    (
        "law nobody defines",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"US\"\nlaws = [\"us_cloud_acts\"]\n{S}",
        "bad.toml:7:9: law \"us_cloud_acts\" of operator \"x\" is not defined (did you mean \"us_cloud_act\"?)",
    ),
    (
        "operator nobody defines",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"quite-another\"\n{S}",
        "bad.toml:6:12: operator \"quite-another\" of service \"x\" is not defined (define the operator or correct the id)",
    ),
    (
        "alternative nobody defines",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"zoom\"\nalternatives = [\"zom\"]\n{S}",
        "bad.toml:7:17: service \"zom\" of service \"x\" is not defined (did you mean \"zoom\"?)",
    ),
    (
        "same id twice",
        "[[operator]]\nid = \"zoom\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\n{S}",
        "bad.toml:3:6: operator \"zoom\" is defined at base.toml:29 already (keep one of them)",
    ),
    (
        "same country twice",
        "[[country]]\ncode = \"FR\"\nname = { en = \"F\", fr = \"F\" }\nregime = \"FR\"\n{S}",
        "bad.toml:3:8: country \"FR\" is defined at base.toml:4 already (keep one of them)",
    ),
    (
        "same AS twice",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nasns = [1, 30103]\n{S}",
        "bad.toml:7:12: AS \"30103\" is given to \"zoom\" at base.toml:34 already (one operator announces it)",
    ),
    (
        "same prefix twice",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"zoom\"\nprefixes = [\"3.7.35.0/25\"]\n{S}",
        "bad.toml:7:13: prefix \"3.7.35.0/25\" is given to \"zoom\" at base.toml:44 already (leave it with one service)",
    ),
    (
        "same domain twice",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"zoom\"\ndomains = [\"zoom.us\"]\n{S}",
        "bad.toml:7:12: domain \"zoom.us\" is given to \"zoom\" at base.toml:43 already (leave it with one service)",
    ),
    (
        "last day before the first",
        "[[law]]\nid = \"x\"\nname = { en = \"X\", fr = \"X\" }\ncountry = \"US\"\nclass = \"judicial\"\nreach = \"all\"\nsentence = { en = \"x\", fr = \"x\" }\nfrom = 2020-01-02\nuntil = 2020-01-01\n{S}",
        "bad.toml:10:9: \"until\" (2020-01-01) is before \"from\" (2020-01-02) (both days are included; swap or correct them)",
    ),
    (
        "day as a text",
        "[[law]]\nid = \"x\"\nname = { en = \"X\", fr = \"X\" }\ncountry = \"US\"\nclass = \"judicial\"\nreach = \"all\"\nsentence = { en = \"x\", fr = \"x\" }\nfrom = \"2020-01-02\"\n{S}",
        "bad.toml:9:8: \"from\" of law \"x\" is of type string (a day such as 2026-11-21, without quotes, is expected)",
    ),
    (
        "wildcard domain",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"zoom\"\ndomains = [\"*.example.org\"]\n{S}",
        "bad.toml:7:12: \"*.example.org\" is not a domain (write the suffix alone: it covers all names below it)",
    ),
    (
        "domain with a space",
        "[[ip_logger]]\nhost = \"exa mple.org\"\nfamily = \"other\"\n{S}",
        "bad.toml:3:8: \"exa mple.org\" is not a domain (two labels or more of a-z, 0-9 and - are expected, such as zoom.us)",
    ),
    (
        "domain beyond ASCII",
        "[[ip_logger]]\nhost = \"discörd.com\"\nfamily = \"grabify\"\n{S}",
        "bad.toml:3:8: \"discörd.com\" is not a domain (write the punycode form (xn--...))",
    ),
    (
        "prefix with host bits",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"zoom\"\nprefixes = [\"192.0.2.1/24\"]\n{S}",
        "bad.toml:7:13: 192.0.2.1/24 has bits set beyond its length (write 192.0.2.0/24)",
    ),
    (
        "ports the wrong way round",
        "[[service]]\nid = \"x\"\nname = \"X\"\ncategory = \"video\"\noperator = \"zoom\"\nports = [\"udp/99-10\"]\n{S}",
        "bad.toml:7:10: \"udp/99-10\" is not a range of ports: tcp/443 or udp/3478-3481 is expected (write protocol/first-last)",
    ),
    (
        "AS beyond 32 bits",
        "[[operator]]\nid = \"x\"\nname = \"X\"\nkind = \"saas\"\nhq = \"FR\"\nasns = [4294967296]\n{S}",
        "bad.toml:7:9: \"asns\" of operator \"x\" is of type integer (a number from 1 to 4294967295 is expected)",
    ),
    (
        "adequacy as a regime",
        "[[country]]\ncode = \"CH\"\nname = { en = \"Switzerland\", fr = \"Suisse\" }\nregime = \"ADEQUATE\"\n{S}",
        "bad.toml:5:10: adequacy is not a regime of country \"CH\" (write THIRD here and an [[adequacy]] entry with its date)",
    ),
    (
        "adequacy without a first day",
        "[[adequacy]]\ncountry = \"US\"\ndecision = \"d\"\nextent = \"full\"\n{S}",
        "bad.toml:2:1: adequacy \"US\" has no \"from\" (add from = ...)",
    ),
    (
        "id with a capital",
        "[[basis]]\nid = \"R9\"\ntitle = { en = \"R\", fr = \"R\" }\ndate = 2023-05-31\neffect = { en = \"e\", fr = \"e\" }\n{S}",
        "bad.toml:3:6: \"R9\" is not an id (a-z, 0-9, - and _ are expected)",
    ),
];

#[test]
fn each_fault_is_told_with_its_place_and_a_remedy() {
    let mut wrong = Vec::new();
    for (what, text, expected) in CASES {
        let text = format!("as_of = 2026-11-21\n{}", text.replace("{S}", SOURCED));
        let found = faults(&text);
        if found != [expected.to_string()] {
            wrong.push(format!(
                "{what}:\n  expected {expected}\n  found    {}",
                found.join("\n           ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_of_all_files_are_told_in_order() {
    let files = [
        ("base.toml", BASE),
        (
            "one.toml",
            "as_of = 2026-11-21\ncolour = 1\n[[service]]\nid = \"x\"\n",
        ),
        ("two.toml", "[[law\n"),
    ];
    let error = Catalogue::from_texts(&files).unwrap_err();
    let told = error.to_string();
    let places: Vec<&str> = told
        .lines()
        .filter_map(|line| line.split(": ").next())
        .collect();
    assert_eq!(
        places,
        [
            "one.toml:2:1", // colour
            "one.toml:3:1", // name, category, operator, source and as_of are missing
            "one.toml:3:1",
            "one.toml:3:1",
            "one.toml:3:1",
            "one.toml:3:1",
            "two.toml:1:6",
        ],
        "{told}"
    );
}

#[test]
fn a_file_without_its_day_is_refused() {
    let found = faults("");
    assert_eq!(
        found,
        ["bad.toml:1:1: the file has no \"as_of\" (add as_of = ...)"]
    );
}

#[test]
fn garbage_is_refused_without_a_panic() {
    for text in [
        "\u{0}",
        "[[[[",
        "as_of = 9999-99-99",
        "é = ",
        "country = 3",
        "a.b.c = 1",
    ] {
        assert!(!faults(text).is_empty(), "{text:?} was accepted");
    }
}
