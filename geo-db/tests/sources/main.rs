//! Every kind of source: what is taken from it, and that bad input is an error with file, place
//! and remedy. All fixtures are made here.

mod containers;
mod lists;
mod overrides;
mod ranges;
mod vendors;

use octroi_geo_db::source::statements::{Listed, Place, Statements};
use octroi_geo_db::source::{Declaration, DeclaredSource, SourceKind};

/// A source of `kind` as an administrator would declare it, with more fields.
fn source(kind: &str, more: &str) -> DeclaredSource {
    let text = format!(
        "[[source]]\nid = \"x\"\nkind = \"{kind}\"\npath = \"x.data\"\nlicence = \"l\"\n{more}\n"
    );
    let declaration = Declaration::parse("s.toml", &text).expect("a right declaration");
    declaration.sources[0].clone()
}

fn read(kind: &str, more: &str, bytes: impl AsRef<[u8]>) -> Result<Statements, String> {
    source(kind, more)
        .read_bytes("x.data", bytes.as_ref().to_vec())
        .map_err(|error| error.to_string())
}

/// `AU`, `anycast`.
fn place(place: Place) -> String {
    match place {
        Place::Country(code) => code.to_string(),
        Place::Anycast => "anycast".to_owned(),
    }
}

/// `1.0.0.0/8 aws us-east-1 EC2 -`: network, provider, region, service, place.
fn row(row: &Listed) -> String {
    let or_dash = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {} {}",
        row.network,
        row.provider,
        or_dash(&row.region),
        or_dash(&row.service),
        row.place.map_or("-".to_owned(), place)
    )
}

fn rows(said: &Statements) -> Vec<String> {
    said.listed.iter().map(row).collect()
}

/// For each: fields of the declaration, input, part of the error.
fn refused(kind: &str, cases: &[(&str, &str, &str)]) {
    for (more, text, expected) in cases {
        let error = read(kind, more, text).expect_err(text);
        assert!(error.contains("x.data"), "{kind}: {error}");
        assert!(error.contains(expected), "{kind}: {text}\n{error}");
    }
}

fn provider_of(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Geofeed | SourceKind::PrefixList => "provider = \"p\"",
        _ => "",
    }
}

#[test]
fn nothing_and_web_pages_are_told_as_such_by_every_kind() {
    let pages = [
        "<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
        "\u{feff}\n <html><body>404</body></html>",
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
    ];
    for kind in SourceKind::ALL {
        let more = provider_of(kind);
        for nothing in ["", " \n\r\n\t"] {
            let error = read(kind.name(), more, nothing).expect_err(kind.name());
            assert!(
                error.contains("x.data is empty"),
                "{}: {error}",
                kind.name()
            );
        }
        for page in pages {
            let error = read(kind.name(), more, page).expect_err(kind.name());
            let expected = "the server answered a web page instead of data";
            assert!(error.contains(expected), "{}: {error}", kind.name());
        }
    }
}

#[test]
fn another_kind_of_file_is_named() {
    let samples = [
        ("aws", vendors::AWS),
        ("azure", vendors::AZURE),
        ("google", vendors::GOOGLE),
        ("oracle", vendors::ORACLE),
        ("m365", vendors::M365),
        ("overrides", overrides::GOOD),
    ];
    for kind in SourceKind::ALL {
        for (looks, text) in samples {
            if looks == kind.name() || looks == "overrides" && kind == SourceKind::Mmdb {
                continue;
            }
            let error = read(kind.name(), provider_of(kind), text).expect_err(looks);
            if kind == SourceKind::Overrides || kind == SourceKind::CloudIp && looks == "overrides"
            {
                continue;
            }
            assert!(
                error.contains("looks like"),
                "{} as {}: {error}",
                looks,
                kind.name()
            );
            assert!(error.contains(kind.form()), "{error}");
        }
    }
    let error = read("aws", "", "1.2.3.0/24\n").expect_err("no JSON");
    assert!(
        error.contains("looks like plain text, not like AWS ip-ranges.json"),
        "{error}"
    );
    let error = read("range_csv", "", "1.0.0.0,1.0.0.1,\0FR\n").expect_err("NUL");
    assert!(error.contains("looks like binary data"), "{error}");
}
