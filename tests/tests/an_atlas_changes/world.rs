//! A small world as sources publish it, and everything that can go wrong with them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use octroi_tests::lab::{Lab, binary};

use crate::server::{Answer, Server};
use crate::writer::{self, Field};

/// Who announces what: OVH, Microsoft, Orange.
pub(crate) const SYSTEMS: &str = "51.210.0.0,51.210.255.255,16276,OVH SAS\n\
     20.74.0.0,20.74.255.255,8075,Microsoft Corporation\n\
     90.0.0.0,90.0.255.255,3215,Orange S.A.\n";

/// Rows that are laid over the good ones: one prefix of OVH moves.
pub(crate) const MOVED: &str = "51.210.0.0,51.210.0.255,US\n";

/// The declaration of sources, with guards for so small a world.
pub(crate) fn declaration(base: &str) -> String {
    format!(
        "[[source]]\nid = \"place\"\nkind = \"range_csv\"\nsays = [\"location\"]\n\
         url = \"{base}/place.csv\"\ndate = \"2026-01-01\"\nlicence = \"test\"\nmax_bytes = 65536\n\n\
         [[source]]\nid = \"second\"\nkind = \"mmdb\"\nsays = [\"location\"]\n\
         url = \"{base}/second.mmdb\"\nlicence = \"test\"\n\n\
         [[source]]\nid = \"cloud\"\nkind = \"aws\"\nurl = \"{base}/cloud.json\"\n\
         licence = \"test\"\n\n\
         [[source]]\nid = \"systems\"\nkind = \"range_csv\"\nsays = [\"announcement\"]\n\
         path = \"systems.csv\"\ndate = \"2026-01-01\"\nlicence = \"test\"\n\n\
         [guards]\nmax_shrink = 0.2\nmax_reclassified = 0.001\nmin_v4_addresses = 1000\n\
         min_v6_networks_48 = 0\nmax_age_d = 100000\n\n\
         [[sentinel]]\naddress = \"20.74.0.1\"\ncountry = \"FR\"\noperator = \"microsoft\"\n\
         reach = \"controlled\"\n"
    )
}

/// Where networks are, `over` first: 51.210/16 and 20.74/16 in France, 90.0/16 in France and
/// Germany by turns.
pub(crate) fn places(over: &str) -> Vec<u8> {
    rows(over, |third| Some(if third % 2 == 0 { "FR" } else { "DE" }))
}

fn rows(over: &str, country: impl Fn(u32) -> Option<&'static str>) -> Vec<u8> {
    let mut text = String::from("51.210.0.0,51.210.255.255,FR\n20.74.0.0,20.74.255.255,FR\n");
    for third in 0..256 {
        if let Some(country) = country(third) {
            let _ = writeln!(text, "90.0.{third}.0,90.0.{third}.255,{country}");
        }
    }
    text.push_str(over);
    text.into_bytes()
}

/// The bodies that the server sends when all is well.
pub(crate) struct Sources {
    place: Vec<u8>,
    second: Vec<u8>,
    cloud: Vec<u8>,
}

impl Sources {
    /// All is well.
    pub(crate) fn good() -> Self {
        let france = Field::Map(vec![(
            "country",
            Field::Map(vec![("iso_code", Field::Text("FR"))]),
        )]);
        let cloud = "{\"syncToken\": \"1780272000\", \"createDate\": \"2026-06-01-00-00-00\", \
                     \"prefixes\": [{\"ip_prefix\": \"13.36.0.0/16\", \"region\": \"eu-west-3\", \
                     \"service\": \"EC2\", \"network_border_group\": \"eu-west-3\"}], \
                     \"ipv6_prefixes\": []}";
        Self {
            place: places(""),
            second: writer::write("DBIP-Country-Lite", 4, &[("90.0.0.0/24", france)]),
            cloud: cloud.as_bytes().to_vec(),
        }
    }

    /// Has the server send all of them.
    pub(crate) fn serve(&self, server: &Server) {
        server.answer("/place.csv", Answer::ok(&self.place));
        server.answer("/second.mmdb", Answer::ok(&self.second));
        server.answer("/cloud.json", Answer::ok(&self.cloud));
    }
}

/// One thing that goes wrong.
pub(crate) struct Failure {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) answer: Answer,
    /// The source that the notice names, and what else it says.
    pub(crate) source: &'static str,
    pub(crate) says: &'static str,
}

/// Everything that goes wrong.
pub(crate) fn failures(good: &Sources) -> Vec<Failure> {
    let failure = |name, path, answer, source, says| Failure {
        name,
        path,
        answer,
        source,
        says,
    };
    let place = |name, answer, says| failure(name, "/place.csv", answer, "place", says);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&good.place).unwrap();
    let packed = packed.finish().unwrap();
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let html = b"<!DOCTYPE html><html><title>Sign in</title></html>";
    let mut corrupt = good.second.clone();
    corrupt.truncate(corrupt.len() / 2);
    let schema = b"{\"prefixes\": [{\"prefix\": \"13.36.0.0/16\", \"zone\": \"paris\"}]}";
    vec![
        place(
            "HTML with its type",
            Answer::with("200 OK", "Content-Type: text/html\r\n", html),
            "web page",
        ),
        place(
            "HTML as CSV",
            Answer::with("200 OK", "Content-Type: text/csv\r\n", html),
            "web page",
        ),
        place("404", Answer::with("404 Not Found", "", b"gone"), "404"),
        place(
            "500",
            Answer::with("500 Internal Server Error", "", b""),
            "500",
        ),
        place(
            "half a download",
            Answer::announcing("200 OK", "", &half(&good.place), good.place.len()),
            "broke off",
        ),
        place(
            "half a gzip",
            Answer::with("200 OK", "Content-Encoding: gzip\r\n", &half(&packed)),
            "broke off",
        ),
        failure(
            "a corrupt MMDB",
            "/second.mmdb",
            Answer::ok(&corrupt),
            "second",
            "MMDB",
        ),
        failure(
            "another schema",
            "/cloud.json",
            Answer::ok(schema),
            "cloud",
            "cloud.json",
        ),
        place(
            "half of the ranges",
            Answer::ok(&rows("", |third| {
                (third < 128).then_some(if third % 2 == 0 { "FR" } else { "DE" })
            })),
            "guard shrink",
        ),
        place(
            "too much elsewhere",
            Answer::ok(&rows("", |third| {
                Some(if third % 2 == 0 { "US" } else { "CA" })
            })),
            "guard reclassified",
        ),
        place(
            "a sentinel elsewhere",
            Answer::ok(&places("20.74.0.0,20.74.0.255,DE\n")),
            "guard sentinel",
        ),
        place("silence", Answer::Silence, "hangs"),
        place(
            "a circle",
            Answer::with("302 Found", "Location: /place.csv\r\n", b""),
            "circle",
        ),
        place(
            "oversize",
            Answer::ok(&[b'#'; 70_000]),
            "more than 65536 bytes",
        ),
    ]
}

/// The command line of `octroi` in the gateway.
pub(crate) fn octroi(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = lab.namespaces().gateway.command(binary("octroi").unwrap());
    command.args(arguments);
    command
}

/// Builds an atlas of local files and returns its bytes.
pub(crate) fn build(lab: &Lab, name: &str, over: Option<&str>) -> Vec<u8> {
    let directory = lab.directory().join(name.replace(".bin", ".d"));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("systems.csv"), SYSTEMS).unwrap();
    fs::write(
        directory.join("place.csv"),
        places(over.unwrap_or_default()),
    )
    .unwrap();
    let declaration = "[[source]]\nid = \"place\"\nkind = \"range_csv\"\nsays = [\"location\"]\n\
         path = \"place.csv\"\ndate = \"2026-01-01\"\nlicence = \"test\"\n\n\
         [[source]]\nid = \"systems\"\nkind = \"range_csv\"\nsays = [\"announcement\"]\n\
         path = \"systems.csv\"\ndate = \"2026-01-01\"\nlicence = \"test\"\n";
    fs::write(directory.join("sources.toml"), declaration).unwrap();
    let file = directory.join(name);
    let built = octroi(lab, &["geo-db", "build"])
        .arg("--sources")
        .arg(directory.join("sources.toml"))
        .arg("--output")
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    fs::read(file).unwrap()
}
