//! MMDB files of each publisher are read by their own field names; damaged ones are errors.

mod writer;

use ipnet::IpNet;
use octroi_geo_db::profile::CountryCode;
use octroi_geo_db::source::SourceError;
use octroi_geo_db::source::mmdb::{Mmdb, Record, Schema};

use writer::Field::{self, Map, Number, Text};

fn open(bytes: Vec<u8>) -> Result<Mmdb, SourceError> {
    Mmdb::from_bytes("test.mmdb".to_owned(), bytes)
}

fn records(mmdb: &Mmdb) -> Vec<(String, Record)> {
    let mut out = Vec::new();
    mmdb.visit(|network: IpNet, record| out.push((network.to_string(), record.clone())))
        .expect("visits");
    out
}

fn country(code: &str) -> Option<CountryCode> {
    code.parse().ok()
}

fn geolite() -> Vec<u8> {
    let place = |country: &'static str, registered: &'static str| {
        Map(vec![
            ("country", Map(vec![("iso_code", Text(country))])),
            (
                "registered_country",
                Map(vec![("iso_code", Text(registered))]),
            ),
        ])
    };
    let only_registered = Map(vec![(
        "registered_country",
        Map(vec![("iso_code", Text("US"))]),
    )]);
    writer::write(
        "GeoLite2-Country",
        6,
        &[
            ("20.74.0.0/17", place("FR", "US")),
            ("20.75.0.0/16", only_registered),
            ("2a01:e0a::/32", place("FR", "FR")),
        ],
    )
}

#[test]
fn maxmind_country_and_registered_country_are_kept_apart() {
    let mmdb = open(geolite()).expect("opens");
    assert_eq!(mmdb.schema(), Schema::MaxMind);
    assert_eq!(mmdb.built(), Some(jiff::civil::date(2026, 6, 1)));
    let found = records(&mmdb);
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].0, "20.74.0.0/17");
    assert_eq!(found[0].1.country, country("FR"));
    assert_eq!(found[0].1.registered_country, country("US"));
    assert_eq!(found[1].1.country, None, "a registration is no location");
    assert_eq!(found[1].1.registered_country, country("US"));
    assert_eq!(found[2].0, "2a01:e0a::/32");

    let v4 = mmdb
        .ranges::<u32, _>(|record| record.country)
        .expect("ranges");
    assert_eq!(v4.len(), 1);
    assert_eq!((v4[0].first, v4[0].last), (0x144a_0000, 0x144a_7fff));
    let v6 = mmdb
        .ranges::<u128, _>(|record| record.country)
        .expect("ranges");
    assert_eq!(v6.len(), 1);
}

#[test]
fn each_publishers_fields_are_read() {
    let cases: [(&str, Field, Schema, Record); 6] = [
        (
            "DBIP-Country-Lite",
            Map(vec![("country", Map(vec![("iso_code", Text("DE"))]))]),
            Schema::MaxMind,
            Record {
                country: country("DE"),
                ..Record::default()
            },
        ),
        (
            "GeoLite2-ASN",
            Map(vec![
                ("autonomous_system_number", Number(16276)),
                ("autonomous_system_organization", Text("OVH SAS")),
            ]),
            Schema::MaxMind,
            Record {
                system: Some(16276),
                organisation: Some("OVH SAS".to_owned()),
                ..Record::default()
            },
        ),
        (
            "ipinfo generic_country_free.mmdb",
            Map(vec![
                ("country", Text("NL")),
                ("country_name", Text("Netherlands")),
            ]),
            Schema::IpInfo,
            Record {
                country: country("NL"),
                ..Record::default()
            },
        ),
        (
            "ipinfo lite.mmdb",
            Map(vec![
                ("asn", Text("AS15169")),
                ("as_name", Text("Google LLC")),
                ("country", Text("United States")),
                ("country_code", Text("US")),
            ]),
            Schema::IpInfo,
            Record {
                country: country("US"),
                system: Some(15169),
                organisation: Some("Google LLC".to_owned()),
                ..Record::default()
            },
        ),
        (
            "country ipv4",
            Map(vec![("country_code", Text("CH"))]),
            Schema::IpLocationDb,
            Record {
                country: country("CH"),
                ..Record::default()
            },
        ),
        (
            // Nobody's name: the fields decide.
            "My-Own-Database",
            Map(vec![("country_code", Text("CH"))]),
            Schema::IpInfo,
            Record {
                country: country("CH"),
                ..Record::default()
            },
        ),
    ];
    for (database_type, value, schema, expected) in cases {
        let mmdb =
            open(writer::write(database_type, 4, &[("1.2.3.0/24", value)])).expect(database_type);
        assert_eq!(mmdb.schema(), schema, "{database_type}");
        assert_eq!(
            records(&mmdb),
            [("1.2.3.0/24".to_owned(), expected)],
            "{database_type}"
        );
    }
}

#[test]
fn codes_that_are_no_codes_say_nothing() {
    let value = Map(vec![("country_code", Text("??"))]);
    let good = Map(vec![("country_code", Text("fr"))]);
    let bytes = writer::write(
        "country ipv4",
        4,
        &[("1.0.0.0/8", value), ("2.0.0.0/8", good)],
    );
    let found = records(&open(bytes).expect("opens"));
    assert_eq!(found[0].1, Record::default());
    assert_eq!(found[1].1.country, country("FR"));
}

#[test]
fn an_unknown_schema_is_named_with_its_fields() {
    let value = Map(vec![("colour", Text("blue")), ("size", Number(3))]);
    let error = open(writer::write("Colours", 4, &[("1.0.0.0/8", value)]))
        .err()
        .expect("unknown");
    let text = error.to_string();
    assert!(
        text.contains("\"Colours\"") && text.contains("colour, size"),
        "{text}"
    );
}

#[test]
fn other_files_are_errors() {
    for bytes in [
        Vec::new(),
        b"hello".to_vec(),
        vec![0; 4096],
        b"\xab\xcd\xefMaxMind.com".to_vec(),
    ] {
        let error = open(bytes).err().expect("no database");
        assert!(
            error.to_string().contains("not a readable MMDB file"),
            "{error}"
        );
    }
    let missing = Mmdb::open("/nonexistent/x.mmdb".as_ref())
        .err()
        .expect("no file");
    assert!(
        missing
            .to_string()
            .starts_with("cannot read /nonexistent/x.mmdb"),
        "{missing}"
    );
}

#[test]
fn a_cut_database_is_an_error_at_every_length() {
    let whole = geolite();
    for length in 0..whole.len() {
        assert!(
            open(whole[..length].to_vec()).is_err(),
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
            match open(bytes) {
                Err(_) => refused += 1,
                Ok(mmdb) => {
                    let mut networks = 0_usize;
                    if mmdb.visit(|_, _| networks += 1).is_err() {
                        refused += 1;
                    }
                    assert!(networks <= whole.len(), "byte {position}");
                }
            }
        }
    }
    assert!(refused > whole.len() / 2, "only {refused} refused");
}
