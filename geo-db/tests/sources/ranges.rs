//! Ranges as CSV: each layout, both notations, both families; and what is wrong with rows.

use octroi_geo_db::atlas::range::{Address, Range};
use octroi_geo_db::source::statements::{Spoken, Statements};

use crate::{place, read, refused};

/// `1.0.0.0-1.0.0.255 FR` and so on, of every axis.
fn told(said: &Statements) -> Vec<String> {
    fn each<A: Address>(out: &mut Vec<String>, spoken: &Spoken<A>) {
        fn ends<A: Address, V>(range: &Range<A, V>) -> String {
            format!("{}-{}", range.first.to_ip(), range.last.to_ip())
        }
        for range in &spoken.locations {
            out.push(format!("{} at {}", ends(range), place(range.value)));
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
    out
}

#[test]
fn every_layout_is_read() {
    let cases: [(&str, &str, &[&str]); 12] = [
        (
            "",
            "1.0.0.0,1.0.0.255,AU\n2001:db8::,2001:db8::ff,fr\n1.0.1.0,1.0.1.255,ZZ\n1.0.2.0,1.0.2.255,UK\n",
            &[
                "1.0.0.0-1.0.0.255 at AU",
                "1.0.2.0-1.0.2.255 at GB",
                "2001:db8::-2001:db8::ff at FR",
            ],
        ),
        (
            "",
            "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\r\n1.0.1.0,1.0.1.255,0,Not announced\r\n",
            &["1.0.0.0-1.0.0.255 AS13335"],
        ),
        // IP2Location: numbers, and a dash for silence.
        (
            "",
            "\"0\",\"16777215\",\"-\",\"-\"\n\"16777216\",\"16777471\",\"US\",\"United States\"\n",
            &["1.0.0.0-1.0.0.255 at US"],
        ),
        (
            "",
            "281470681743360,42540766411282592856903984951653826560,CN\n",
            &["::ffff:0.0.0.0-2001:db8:: at CN"],
        ),
        (
            "",
            "192.0.2.0/24,FR\n2001:db8::/32,DE\n",
            &[
                "192.0.2.0-192.0.2.255 at FR",
                "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff at DE",
            ],
        ),
        // DB-IP Lite City: the continent comes first.
        (
            "",
            "1.0.0.0,1.0.0.255,EU,FR,Paris,Paris,48.8,2.3\n",
            &["1.0.0.0-1.0.0.255 at FR"],
        ),
        // iptoasn, with tabs: the country is the AS's.
        (
            "",
            "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n",
            &["1.0.0.0-1.0.0.255 AS13335", "1.0.0.0-1.0.0.255 AS of US"],
        ),
        // IPinfo Lite.
        (
            "",
            "network,country,country_code,asn,as_name,is_anycast\n192.0.2.0/24,France,FR,AS3215,Orange,false\n1.1.1.0/24,Australia,AU,AS13335,Cloudflare,true\n",
            &[
                "192.0.2.0-192.0.2.255 at FR",
                "1.1.1.0-1.1.1.255 at anycast",
                "192.0.2.0-192.0.2.255 AS3215",
                "1.1.1.0-1.1.1.255 AS13335",
            ],
        ),
        (
            "",
            "network,autonomous_system_number,autonomous_system_organization\n192.0.2.0/24,3215,Orange\n",
            &["192.0.2.0-192.0.2.255 AS3215"],
        ),
        (
            "says = [\"system_country\"]",
            "1.0.0.0,1.0.0.255,AU\n",
            &["1.0.0.0-1.0.0.255 AS of AU"],
        ),
        (
            "says = [\"registration\"]",
            "1.0.0.0,1.0.0.255,AU\n",
            &["1.0.0.0-1.0.0.255 registered AU"],
        ),
        (
            "says = [\"location\"]",
            "# comment\nstart_ip,end_ip,country,asn\n1.0.0.0,1.0.0.255,AU,AS1\n",
            &["1.0.0.0-1.0.0.255 at AU"],
        ),
    ];
    for (more, text, expected) in cases {
        let said = read("range_csv", more, text).expect(text);
        assert_eq!(told(&said), expected, "{text}");
        assert!(said.warnings.is_empty(), "{:?}", said.warnings);
    }
}

#[test]
fn names_of_organisations_are_kept_once() {
    let text = "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n1.0.1.0,1.0.1.255,13335,Other\n";
    let said = read("range_csv", "", text).expect("reads");
    assert_eq!(said.names[&13335], "Cloudflare, Inc.");
}

#[test]
fn a_bad_row_among_good_ones_is_a_warning_with_its_line() {
    let cases = [
        (
            "1.0.0.9,1.0.0.1,AU",
            "x.data:2: the range ends (1.0.0.1) before it begins (1.0.0.9)",
        ),
        (
            "1.0.0.0,::1,AU",
            "x.data:2: 1.0.0.0 and ::1 are of two families",
        ),
        (
            "1.0.0.0,1.0.0.1,AUS",
            "x.data:2: \"AUS\" is not a country code",
        ),
        (
            "1.0.0.0,1.0.0.x,AU",
            "x.data:2: \"1.0.0.x\" is not an address",
        ),
        (
            "1.0.0.0",
            "x.data:2: 1 fields; the last address is expected in field 2",
        ),
        (
            "1.0.0.0,1.0.0.1",
            "x.data:2: 2 fields; a country code is expected in field 3",
        ),
        (
            "0,999999999999999999999999999999999999999999,AU",
            "is more than an IPv6 address holds",
        ),
    ];
    for (bad, expected) in cases {
        let text = format!("9.0.0.0,9.0.0.255,FR\n{bad}\n");
        let said = read("range_csv", "", &text).expect(bad);
        assert_eq!(told(&said).len(), 1);
        assert!(said.warnings[0].contains(expected), "{:?}", said.warnings);
    }
    let mut text = b"9.0.0.0,9.0.0.255,FR\n1.0.0.0,1.0.0.1,\xff\xfe\n".to_vec();
    let said = read("range_csv", "", &text).expect("one good row");
    assert!(
        said.warnings[0].starts_with("x.data:2: "),
        "{:?}",
        said.warnings
    );
    text.truncate(text.len() - 1);
    let said = read("range_csv", "", &text).expect("one good row");
    assert!(
        said.warnings[1].contains("the last line has no end"),
        "{:?}",
        said.warnings
    );
}

#[test]
fn bad_files_are_errors() {
    let many = format!("1.0.0.0,1.0.0.1,AU\n{}", "x,y,z\n".repeat(101));
    let share = "1.0.0.0,1.0.0.1,AU\n".repeat(50) + &"x,y,z\n".repeat(11);
    let long = format!("1.0.0.0,1.0.0.1,AU{}\n", "A".repeat(3000));
    refused(
        "range_csv",
        &[
            (
                "",
                "1.0.0.0,1.0.0.255\n",
                "x.data:1: 2 fields; expected a range",
            ),
            (
                "",
                "1.0.0.0,1.0.0.255,FRA,x\n",
                "\"FRA\" is neither a country code nor an AS number",
            ),
            (
                "",
                &many,
                "101 of 102 rows cannot be read, this is the first: check that the file is whole",
            ),
            ("", &share, "11 of 61 rows cannot be read"),
            ("", &long, "a field of 3002 bytes, at most 1024 are read"),
            ("", "# only a comment\n", "holds not a single row"),
            (
                "",
                "network,geoname_id,registered_country_geoname_id\n1.0.0.0/24,1,2\n",
                "take the MMDB file of the same data",
            ),
            (
                "",
                "country,asn\nFR,1\n",
                "names no range (expected columns",
            ),
            (
                "says = [\"announcement\"]",
                "1.0.0.0,1.0.0.255,FR\n",
                "says nothing of announcement (correct \"says\"",
            ),
            (
                "",
                "1.0.0.0,1.0.0.255,-\n",
                "says nothing of location, registration or announcement",
            ),
            (
                "max_bytes = 10",
                "1.0.0.0,1.0.0.255,FR\n",
                "more than 10 bytes",
            ),
        ],
    );
}
