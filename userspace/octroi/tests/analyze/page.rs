//! The HTML report: it stands alone, and what strangers wrote stays text.

use crate::traffic::{dns, hello, ip, office, pcap, tcp, udp};
use crate::{printed, write};

const SERVER: [u8; 4] = [20, 74, 0, 1];

#[test]
fn what_captures_say_is_never_markup_or_a_formula() {
    let directory = tempfile::tempdir().unwrap();
    let hostile = "<script>alert(1)</script>";
    let client = [10, 0, 0, 1];
    let query = udp(
        5_000,
        53,
        &dns(1, &format!("{hostile}.\"onload='x'.example"), &[]),
    );
    let hello = hello("www.example.org", "=cmd|' /C calc'!A0");
    let packets = [
        (
            1_700_000_000_000_000,
            ip(client, [9, 9, 9, 9], 17, 0, &query),
        ),
        (
            1_700_000_000_000_100,
            ip(client, SERVER, 6, 0, &tcp(5_000, 443, 1, 0x18, &hello)),
        ),
    ];
    let name = "a<img src=x onerror=alert(2)>&\"'.pcap";
    let path = write(directory.path(), name, &pcap(&packets));
    let page = printed(&["--format", "html", "--names", &path]);
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    assert!(page.contains("a&lt;img src=x onerror=alert(2)&gt;&amp;&quot;&#39;.pcap"));
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    let csv = printed(&["--format", "csv", &path]);
    for cell in csv.split([',', '\n']) {
        let cell = cell.trim_start_matches('"');
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{csv}");
    }
}

#[test]
fn the_page_stands_alone_and_is_well_formed() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "office.pcap", &pcap(&office(3_000)));
    let page = printed(&[
        "--format",
        "html",
        "--policy",
        "cloud-au-centre",
        "--names",
        &path,
    ]);
    for never in [
        "http:",
        "https:",
        "//",
        "url(",
        "@import",
        " src=",
        " style=",
        "javascript",
    ] {
        assert!(!page.contains(never), "{never:?} in {page}");
    }
    assert!(page.contains("default-src 'none'"));
    balanced(&page);
    for said in [
        "Where it went",
        "Services",
        "Names",
        "How this was computed",
        "sha256",
        "2026-11-01",
    ] {
        assert!(page.contains(said), "{said} is missing");
    }
    // Every table has a caption and column heads, every drawing a text.
    let count = |what: &str| page.matches(what).count();
    assert_eq!(count("<table"), count("<caption"));
    assert!(count("<th scope=\"col\"") >= count("<table") * 2);
    assert_eq!(count("<svg"), count("role=\"img\""));
    assert_eq!(count("<svg"), count("<title>") - 1);
}

/// Every element that is opened is closed, in order.
fn balanced(page: &str) {
    const VOID: [&str; 4] = ["meta", "br", "rect", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{page}");
        } else {
            let name = tag.split([' ', '\n', '/']).next().unwrap();
            if !VOID.contains(&name) {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
