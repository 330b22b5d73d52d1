//! Fetching from a server on the loopback that does everything wrong that servers do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::cache::{Cache, Staged};
use super::http::Patience;

const PATIENCE: Patience = Patience {
    silence: Duration::from_millis(300),
    whole: Duration::from_secs(3),
};

/// Serves one connection for each answer, in order; returns the requests.
fn serve(answers: Vec<Vec<u8>>, hang: bool) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            requests.push(request(&mut stream));
            stream.write_all(&answer).unwrap();
            if hang {
                // Until the client gives up.
                let _ = stream.read(&mut [0; 1]);
            }
        }
        requests
    });
    (base, serving)
}

fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut lines = BufReader::new(stream);
    while lines.read_line(&mut text).unwrap() > 2 {}
    text
}

fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for header in headers {
        out.push_str(header);
        out.push_str("\r\n");
    }
    if !headers
        .iter()
        .any(|header| header.starts_with("Content-Length"))
    {
        let length = body.len().to_string();
        out.push_str(&["Content-Length: ", &length, "\r\n"].concat());
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn incompressible(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(step).collect()
}

#[test]
fn what_is_no_whole_file_is_refused_and_the_good_one_stays() {
    let big = vec![b'x'; 5_000];
    let packed = gzip(&incompressible(4_000));
    let bomb = gzip(&vec![0; 1 << 20]);
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("404", answer("404 Not Found", &[], b"no"), "404 Not Found"),
        ("500", answer("500 Oops", &[], b"no"), "in trouble"),
        (
            "a 304 nobody asked for",
            answer("304 Not Modified", &[], b""),
            "304",
        ),
        (
            "html by its type",
            answer(
                "200 OK",
                &["Content-Type: text/html; charset=utf-8"],
                b"data",
            ),
            "web page",
        ),
        (
            "html by its look",
            answer(
                "200 OK",
                &["Content-Type: text/csv"],
                b"\n <!DOCTYPE HTML><p>hello",
            ),
            "web page",
        ),
        (
            "half a download",
            answer("200 OK", &["Content-Length: 1000"], b"half of it"),
            "broke off after 10 bytes",
        ),
        (
            "half a gzip, announced in full",
            answer(
                "200 OK",
                &["Content-Encoding: gzip"],
                &packed[..packed.len() / 2],
            ),
            "broke off",
        ),
        (
            "oversize announced",
            answer("200 OK", &[], &big),
            "more than 4096 bytes",
        ),
        (
            "oversize unannounced",
            {
                let mut raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
                raw.extend_from_slice(&big);
                raw
            },
            "more than 4096 bytes",
        ),
        (
            "oversize when unpacked",
            answer("200 OK", &["Content-Encoding: gzip"], &bomb),
            "more than 4096 bytes",
        ),
        ("nothing", answer("200 OK", &[], b""), "empty"),
        ("no HTTP", b"SSH-2.0-OpenSSH\r\n".to_vec(), "no answer"),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (name, raw, says) in table {
        let good = answer("200 OK", &[], b"good");
        let (base, serving) = serve(vec![good, raw], false);
        let url = format!("{base}/a");
        let first = Cache::open(directory.path()).unwrap();
        let staged = first.stage("a", &url, 4_096, PATIENCE).unwrap();
        assert!(!matches!(staged, Staged::Failed(_)), "{name}: {staged:?}");
        first.promote(["a"].into_iter()).unwrap();
        drop(first);

        let cache = Cache::open(directory.path()).unwrap();
        let staged = cache.stage("a", &url, 4_096, PATIENCE).unwrap();
        let Staged::Failed(error) = staged else {
            panic!("{name}: {staged:?}");
        };
        let error = error.to_string();
        assert!(
            error.starts_with(&url) && error.contains(says),
            "{name}: {error}"
        );
        assert!(!cache.staging().join("a.data").exists(), "{name}");
        assert!(cache.fall_back("a", &url).unwrap().is_some(), "{name}");
        let kept = std::fs::read(cache.staging().join("a.data")).unwrap();
        assert_eq!(kept, b"good", "{name}");
        assert!(cache.fall_back("a", "http://elsewhere/").unwrap().is_none());
        assert!(!cache.staging().join("a.data").exists(), "{name}");
        serving.join().unwrap();
    }
}

#[test]
fn a_copy_that_is_still_right_is_not_fetched_again() {
    let headers = [
        "ETag: \"v1\"",
        "Last-Modified: Mon, 01 Jun 2026 10:00:00 GMT",
        "Content-Encoding: gzip",
    ];
    let (base, serving) = serve(
        vec![
            answer("200 OK", &headers, &gzip(b"good")),
            answer("304 Not Modified", &["Content-Length: 4"], b""),
            answer("200 OK", &["ETag: \"v2\""], b"good"),
            answer("200 OK", &[], b"better"),
        ],
        false,
    );
    let url = format!("{base}/a");
    let directory = tempfile::tempdir().unwrap();
    let mut kinds = Vec::new();
    for _ in 0..4 {
        let cache = Cache::open(directory.path()).unwrap();
        kinds.push(match cache.stage("a", &url, 100, PATIENCE).unwrap() {
            Staged::Unchanged => "unchanged".to_owned(),
            Staged::New(fetched) => format!("{} bytes", fetched.bytes),
            Staged::Failed(error) => error.to_string(),
        });
        let day = std::fs::read_to_string(cache.staging().join("a.day")).ok();
        if kinds.len() < 3 {
            assert_eq!(day.as_deref(), Some("2026-06-01"));
        }
        cache.promote(["a"].into_iter()).unwrap();
    }
    assert_eq!(kinds, ["4 bytes", "unchanged", "unchanged", "6 bytes"]);
    let requests = serving.join().unwrap();
    let lower: Vec<String> = requests
        .iter()
        .map(|text| text.to_ascii_lowercase())
        .collect();
    assert!(!lower[0].contains("if-none-match"), "{}", lower[0]);
    assert!(lower[1].contains("if-none-match: \"v1\""), "{}", lower[1]);
    assert!(
        lower[1].contains("if-modified-since: mon, 01 jun 2026 10:00:00 gmt"),
        "{}",
        lower[1]
    );
    assert!(lower[3].contains("if-none-match: \"v2\""), "{}", lower[3]);
    assert!(lower[0].contains("accept-encoding: gzip"), "{}", lower[0]);
}

#[test]
fn a_server_that_hangs_or_leads_in_a_circle_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(directory.path()).unwrap();
    let half = answer("200 OK", &["Content-Length: 100"], b"begin");
    for (raw, says) in [(Vec::new(), "hangs"), (half, "broke off")] {
        let (base, serving) = serve(vec![raw], true);
        let began = Instant::now();
        let staged = cache.stage("a", &base, 100, PATIENCE).unwrap();
        assert!(began.elapsed() < Duration::from_secs(3));
        let Staged::Failed(error) = staged else {
            panic!("{staged:?}");
        };
        assert!(error.to_string().contains(says), "{error}");
        serving.join().unwrap();
    }
    let circle = || answer("302 Found", &["Location: /again"], b"");
    let (base, serving) = serve((0..6).map(|_| circle()).collect(), false);
    let staged = cache.stage("a", &base, 100, PATIENCE).unwrap();
    let Staged::Failed(error) = staged else {
        panic!("{staged:?}");
    };
    assert!(error.to_string().contains("circle"), "{error}");
    serving.join().unwrap();
}

#[test]
fn a_damaged_copy_counts_as_none() {
    let (base, serving) = serve(vec![answer("200 OK", &[], b"good")], false);
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(directory.path()).unwrap();
    cache.stage("a", &base, 100, PATIENCE).unwrap();
    cache.promote(["a"].into_iter()).unwrap();
    serving.join().unwrap();
    assert!(cache.fall_back("a", &base).unwrap().is_some());
    std::fs::write(directory.path().join("a.data"), b"goox").unwrap();
    assert!(cache.fall_back("a", &base).unwrap().is_none());
}
