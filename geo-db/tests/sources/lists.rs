//! Geofeeds (RFC 8805) and plain lists.

use crate::{read, refused, rows};

#[test]
fn a_geofeed_says_countries_and_nothing_else() {
    let text = "# our feed\r\n192.0.2.0/24,FR,FR-IDF,Paris,75001\r\n\r\n2001:db8::/32,de,,,\r\n198.51.100.0/25,,,,\r\n203.0.113.7,US\r\n192.0.2.0/24,FR,,,";
    let said = read("geofeed", "provider = \"ovh\"", text).expect("reads");
    assert_eq!(
        rows(&said),
        [
            "192.0.2.0/24 ovh - - FR",
            "2001:db8::/32 ovh - - DE",
            "198.51.100.0/25 ovh - - -",
            "203.0.113.7/32 ovh - - US",
        ]
    );
    assert!(said.warnings.is_empty(), "{:?}", said.warnings);
    assert_eq!(said.date, None, "a feed says no day");
}

#[test]
fn bad_lines_of_a_geofeed_are_warnings_up_to_a_limit() {
    let good = "198.51.100.0/24,FR,,,\n".to_owned();
    let cases = [
        (
            "192.0.2.1/24,FR,,,",
            "x.data:2: 192.0.2.1/24 has bits behind its length; 192.0.2.0/24 is the prefix around it; the row is left out",
        ),
        (
            "192.0.2.0/33,FR,,,",
            "x.data:2: \"192.0.2.0/33\" is not a prefix",
        ),
        (
            "192.0.2.0/24,FRA,,,",
            "x.data:2: \"FRA\" is not a country code",
        ),
        (
            "192.0.2.0/24",
            "x.data:2: one field; expected prefix,country",
        ),
        (
            "198.51.100.0/24,DE,,,",
            "x.data:2: 198.51.100.0/24 stands twice: line 1 says FR, and is believed",
        ),
    ];
    for (bad, expected) in cases {
        let said = read("geofeed", "provider = \"ovh\"", format!("{good}{bad}\n")).expect(bad);
        assert_eq!(said.listed.len(), 1);
        assert!(said.warnings[0].contains(expected), "{:?}", said.warnings);
    }
    let many = format!("{}{}", "10.0.0.0/8,FR\n", "x,FR\n".repeat(101));
    let long = format!("{good}{}\n", "x".repeat(5000));
    let said = read("geofeed", "provider = \"ovh\"", &long).expect("one good line");
    assert!(
        said.warnings[0].contains("a line of 5000 bytes"),
        "{:?}",
        said.warnings
    );
    refused(
        "geofeed",
        &[
            (
                "provider = \"ovh\"",
                &many,
                "101 of 102 rows cannot be read, this is the first",
            ),
            (
                "provider = \"ovh\"",
                "x,FR\n",
                "x.data:1: \"x\" is not a prefix (1 of 1 rows cannot be read",
            ),
            (
                "provider = \"ovh\"",
                "# nothing\n",
                "holds not a single row",
            ),
        ],
    );
}

#[test]
fn a_plain_list_is_of_a_provider_a_service_or_both() {
    let text = "\u{feff}# Zoom\r\n3.7.35.0/25\r\n\r\n8.5.128.0/23 ; old\r\n203.0.113.7 # one address\r\n2407:30c0::/32\r\n3.7.35.0/25\r\n; end";
    let said = read("prefix_list", "service = \"zoom\"", text).expect("reads");
    let services: Vec<String> = said
        .services
        .iter()
        .map(|(network, service)| format!("{network} {service}"))
        .collect();
    assert_eq!(
        services,
        [
            "3.7.35.0/25 zoom",
            "8.5.128.0/23 zoom",
            "203.0.113.7/32 zoom",
            "2407:30c0::/32 zoom"
        ]
    );
    assert!(said.listed.is_empty());
    let said = read("prefix_list", "provider = \"p\"\nservice = \"zoom\"", text).expect("reads");
    assert_eq!(said.listed.len(), 4);
    assert_eq!(said.services.len(), 4);
    refused(
        "prefix_list",
        &[
            (
                "provider = \"p\"",
                "3.7.35.1/25\n",
                "3.7.35.0/25 is the prefix around it",
            ),
            (
                "provider = \"p\"",
                "hello\nworld\n",
                "x.data:1: \"hello\" is not a prefix",
            ),
            (
                "provider = \"p\"",
                "1.2.3.4,FR\n",
                "\"1.2.3.4,FR\" is not a prefix",
            ),
        ],
    );
}
