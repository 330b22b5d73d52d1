//! MMDB files of each publisher are read by their own field names; damaged ones are errors.

mod writer;

use octroi_geo_db::atlas::range::{Address, Range};
use octroi_geo_db::source::statements::{Place, Spoken, Statements};
use octroi_geo_db::source::{Input, Says, SourceError, mmdb};

use writer::Field::{self, Flag, Map, Number, Raw, Text};

fn read(bytes: &[u8], says: &[Says]) -> Result<Statements, SourceError> {
    let input = Input {
        file: "test.mmdb",
        bytes,
        max_rows: 1000,
    };
    mmdb::read(input, says)
}

/// `1.2.3.0-1.2.3.255 at FR` and so on, of every axis, and the names.
fn told(said: &Statements) -> Vec<String> {
    fn each<A: Address>(out: &mut Vec<String>, spoken: &Spoken<A>) {
        fn ends<A: Address, V>(range: &Range<A, V>) -> String {
            format!("{}-{}", range.first.to_ip(), range.last.to_ip())
        }
        for range in &spoken.locations {
            let place = match range.value {
                Place::Country(code) => code.to_string(),
                Place::Anycast => "anycast".to_owned(),
            };
            out.push(format!("{} at {place}", ends(range)));
        }
        for range in &spoken.registrations {
            out.push(format!("{} registered {}", ends(range), range.value));
        }
        for range in &spoken.systems {
            out.push(format!("{} AS{}", ends(range), range.value));
        }
        for range in &spoken.system_countries {
            out.push(format!("{} AS of {}", ends(range), range.value));
        }
    }
    let mut out = Vec::new();
    each(&mut out, &said.v4);
    each(&mut out, &said.v6);
    out.extend(
        said.names
            .iter()
            .map(|(system, name)| format!("AS{system} = {name}")),
    );
    out
}

fn code(code: &'static str) -> Field {
    Map(vec![("iso_code", Text(code))])
}

fn geolite() -> Vec<u8> {
    let place = |country: &'static str, registered: &'static str| {
        Map(vec![
            ("country", code(country)),
            ("registered_country", code(registered)),
        ])
    };
    writer::write(
        "GeoLite2-Country",
        6,
        &[
            ("20.74.0.0/17", place("FR", "US")),
            ("20.74.128.0/17", place("FR", "US")),
            (
                "20.75.0.0/16",
                Map(vec![("registered_country", code("US"))]),
            ),
            ("2a01:e0a::/32", place("FR", "FR")),
        ],
    )
}

#[test]
fn maxmind_country_and_registered_country_are_kept_apart() {
    let v6 = "2a01:e0a::-2a01:e0a:ffff:ffff:ffff:ffff:ffff:ffff";
    let said = read(&geolite(), &[]).expect("reads");
    assert_eq!(said.date, Some(jiff::civil::date(2026, 6, 1)));
    assert_eq!(said.version.as_deref(), Some("GeoLite2-Country"));
    assert_eq!(
        told(&said),
        [
            // Neighbours that say the same are one range.
            "20.74.0.0-20.74.255.255 at FR".to_owned(),
            "20.74.0.0-20.75.255.255 registered US".to_owned(),
            format!("{v6} at FR"),
            format!("{v6} registered FR"),
        ]
    );
    let located = read(&geolite(), &[Says::Location]).expect("reads");
    assert_eq!(
        told(&located),
        [
            "20.74.0.0-20.74.255.255 at FR".to_owned(),
            format!("{v6} at FR")
        ]
    );
    let registered = read(&geolite(), &[Says::Registration]).expect("reads");
    assert_eq!(
        told(&registered),
        [
            "20.74.0.0-20.75.255.255 registered US".to_owned(),
            format!("{v6} registered FR")
        ]
    );
}

#[test]
fn a_location_is_never_taken_for_a_registration() {
    let bytes = writer::write(
        "GeoIP2-Country",
        4,
        &[("1.2.3.0/24", Map(vec![("country", code("FR"))]))],
    );
    assert_eq!(
        told(&read(&bytes, &[Says::Registration]).expect("reads")),
        [""; 0]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_publishers_fields_are_read() {
    let at = |what: &str| format!("1.2.3.0-1.2.3.255 {what}");
    let system = |number| {
        vec![
            ("autonomous_system_number", Number(number)),
            ("autonomous_system_organization", Text("OVH SAS")),
        ]
    };
    let enterprise = {
        let mut traits = system(16276);
        traits.push(("isp", Text("OVH ISP")));
        Map(vec![
            (
                "city",
                Map(vec![("names", Map(vec![("en", Text("Roubaix"))]))]),
            ),
            ("country", code("FR")),
            ("represented_country", code("US")),
            ("traits", Map(traits)),
        ])
    };
    let cases: [(&str, Field, &[Says], Vec<String>); 13] = [
        (
            "DBIP-Country-Lite",
            Map(vec![("country", code("DE"))]),
            &[],
            vec![at("at DE")],
        ),
        (
            "GeoLite2-ASN",
            Map(system(16276)),
            &[],
            vec![at("AS16276"), "AS16276 = OVH SAS".to_owned()],
        ),
        (
            "GeoIP2-ISP",
            Map(system(16276)),
            &[],
            vec![at("AS16276"), "AS16276 = OVH SAS".to_owned()],
        ),
        (
            "GeoIP2-Enterprise",
            enterprise.clone(),
            &[],
            vec![at("at FR"), at("AS16276"), "AS16276 = OVH SAS".to_owned()],
        ),
        (
            "DBIP-Location-ISP (compat=Enterprise)",
            enterprise,
            &[Says::Announcement],
            vec![at("AS16276"), "AS16276 = OVH SAS".to_owned()],
        ),
        (
            "GeoLite2-City",
            Map(vec![
                ("country", code("US")),
                ("traits", Map(vec![("is_anycast", Flag(true))])),
            ]),
            &[],
            vec![at("at anycast")],
        ),
        (
            "ipinfo generic_country_free.mmdb",
            Map(vec![
                ("country", Text("NL")),
                ("country_name", Text("Netherlands")),
            ]),
            &[],
            vec![at("at NL")],
        ),
        (
            "ipinfo lite.mmdb",
            Map(vec![
                ("asn", Text("AS15169")),
                ("as_name", Text("Google LLC")),
                ("country", Text("United States")),
                ("country_code", Text("US")),
            ]),
            &[],
            vec![
                at("at US"),
                at("AS15169"),
                "AS15169 = Google LLC".to_owned(),
            ],
        ),
        (
            "ipinfo core",
            Map(vec![
                (
                    "geo",
                    Map(vec![
                        ("country", Text("Netherlands")),
                        ("country_code", Text("NL")),
                    ]),
                ),
                ("as", Map(vec![("asn", Text("AS1")), ("name", Text("x"))])),
                ("is_anycast", Text("true")),
            ]),
            &[],
            vec![at("at anycast"), at("AS1"), "AS1 = x".to_owned()],
        ),
        (
            "country ipv4",
            Map(vec![("country_code", Text("CH"))]),
            &[],
            vec![at("at CH")],
        ),
        (
            "country ipv4",
            Map(vec![("country_code", Text("CH"))]),
            &[Says::SystemCountry],
            vec![at("AS of CH")],
        ),
        (
            "country ipv4",
            Map(vec![("country_code", Text("CH"))]),
            &[Says::Registration],
            vec![at("registered CH")],
        ),
        // Nobody's name: the fields decide.
        (
            "My-Own-Database",
            Map(vec![("country_code", Text("CH"))]),
            &[],
            vec![at("at CH")],
        ),
    ];
    for (database_type, value, says, expected) in cases {
        let bytes = writer::write(database_type, 4, &[("1.2.3.0/24", value)]);
        let said = read(&bytes, says).expect(database_type);
        assert_eq!(told(&said), expected, "{database_type}");
    }
}

#[test]
fn codes_that_are_no_codes_are_told() {
    let record = |code: &'static str| Map(vec![("country_code", Text(code))]);
    let bytes = writer::write(
        "country ipv4",
        4,
        &[
            ("1.0.0.0/8", record("??")),
            ("2.0.0.0/8", record("fr")),
            ("3.0.0.0/8", record("FRA")),
        ],
    );
    let said = read(&bytes, &[]).expect("reads");
    assert_eq!(told(&said), ["2.0.0.0-2.255.255.255 at FR"]);
    assert_eq!(said.warnings.len(), 1, "{:?}", said.warnings);
    assert!(said.warnings[0].contains("test.mmdb: 3.0.0.0/8: \"FRA\" is not a country code"));
}

#[test]
fn an_unknown_schema_is_named_with_its_fields() {
    let value = Map(vec![("colour", Text("blue")), ("size", Number(3))]);
    let error =
        read(&writer::write("Colours", 4, &[("1.0.0.0/8", value)]), &[]).expect_err("unknown");
    let text = error.to_string();
    assert!(
        text.contains("\"Colours\"") && text.contains("colour, size"),
        "{text}"
    );
}

#[test]
fn other_files_are_errors() {
    for bytes in [&b""[..], b"hello", &[0; 4096], b"\xab\xcd\xefMaxMind.com"] {
        let error = read(bytes, &[]).expect_err("no database");
        assert!(
            error
                .to_string()
                .contains("test.mmdb is not a readable MMDB file"),
            "{error}"
        );
    }
}

#[test]
fn loops_and_bombs_are_errors() {
    // A value that points to itself, and a record of 2^16 values through pointers to one array.
    let looping = writer::write(
        "GeoLite2-Country",
        4,
        &[("1.0.0.0/8", Map(vec![("country", Raw(&[0x20, 0x00]))]))],
    );
    let nested: Vec<u8> = std::iter::repeat_n([0x01, 0x04], 2000).flatten().collect();
    let deep = writer::write(
        "GeoLite2-Country",
        4,
        &[("1.0.0.0/8", Map(vec![("x", Raw(nested.leak()))]))],
    );
    for bytes in [looping, deep] {
        let error = read(&bytes, &[]).expect_err("a loop");
        assert!(error.to_string().starts_with("test.mmdb"), "{error}");
    }
    // A tree whose first node leads back to itself.
    let mut tree = writer::write(
        "GeoLite2-Country",
        4,
        &[("1.0.0.0/8", Map(vec![("country", code("FR"))]))],
    );
    tree[..6].fill(0);
    let error = read(&tree, &[]).expect_err("a loop");
    assert!(
        error.to_string().contains("not a readable MMDB file"),
        "{error}"
    );
}

#[test]
fn more_networks_than_the_bound_are_an_error() {
    let networks: Vec<String> = (0..200)
        .map(|number| format!("{}.0.0.0/8", number + 1))
        .collect();
    let records: Vec<(&str, Field)> = networks
        .iter()
        .map(|network| (network.as_str(), Map(vec![("country_code", Text("FR"))])))
        .collect();
    let bytes = writer::write("country ipv4", 4, &records);
    let input = Input {
        file: "test.mmdb",
        bytes: &bytes,
        max_rows: 150,
    };
    let error = mmdb::read(input, &[]).expect_err("too many");
    assert!(
        error.to_string().contains("test.mmdb: more than 150 rows"),
        "{error}"
    );
}

#[test]
fn a_cut_database_is_an_error_at_every_length() {
    let whole = geolite();
    for length in 0..whole.len() {
        assert!(
            read(&whole[..length], &[]).is_err(),
            "cut to {length} bytes"
        );
    }
}

#[test]
fn a_damaged_database_never_panics_or_runs_away() {
    let whole = geolite();
    let mut refused = 0;
    for position in 0..whole.len() {
        for flip in [0x01_u8, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[position] ^= flip;
            match read(&bytes, &[]) {
                Err(_) => refused += 1,
                Ok(said) => assert!(told(&said).len() <= whole.len(), "byte {position}"),
            }
        }
    }
    assert!(refused > whole.len() / 2, "only {refused} refused");
}
