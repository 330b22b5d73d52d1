//! Containers, bounds, and the way from a declaration to statements.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::date;
use octroi_geo_db::source::{Declaration, Places, load};
use sha2::{Digest as _, Sha256};

use crate::{read, source};

const LIST: &str = "3.7.35.0/25\n203.0.113.7\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("finished")
}

fn tarball(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder
            .append_data(&mut header, name, *bytes)
            .expect("appended");
    }
    gzip(&builder.into_inner().expect("finished"))
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).expect("started");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("finished").into_inner()
}

#[test]
fn archives_are_opened_by_extension_or_by_name() {
    let more = "provider = \"p\"";
    let list = LIST.as_bytes();
    let notes: (&str, &[u8]) = ("package/README.md", b"read me");
    let archives = [
        gzip(list),
        tarball(&[notes, ("package/list.txt", list)]),
        zipped(&[notes, ("list_20261101/list.txt", list)]),
        zipped(&[("list.txt.d/x.txt", &gzip(list))]),
    ];
    for archive in archives {
        assert_eq!(
            read("prefix_list", more, &archive)
                .expect("reads")
                .listed
                .len(),
            2
        );
        for end in [0, 1, 10, archive.len() / 2, archive.len() - 1] {
            let error = read("prefix_list", more, &archive[..end]).expect_err("cut");
            assert!(error.contains("x.data"), "{end}: {error}");
        }
    }
    let two = tarball(&[
        ("a/b.txt", b"192.0.2.0/24\n"),
        ("a/a.txt", list),
        ("c/b.txt", b"x"),
    ]);
    let named = "provider = \"p\"\nmembers = [\"a/a.txt\", \"b.txt\"]";
    let said = read("prefix_list", named, &two).expect("reads");
    assert_eq!(said.listed.len(), 3);
    assert_eq!(
        said.listed[2].network.to_string(),
        "192.0.2.0/24",
        "in the order asked for"
    );
    for (more, expected) in [
        (
            "provider = \"p\"\nmembers = [\"z.txt\"]",
            "has no member \"z.txt\" (is it another version",
        ),
        (
            "provider = \"p\"",
            "holds no .txt or .csv or .list file (name the member",
        ),
    ] {
        let archive = tarball(&[notes]);
        let error = read("prefix_list", more, &archive).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn nothing_is_unpacked_beyond_its_bound() {
    let more = "provider = \"p\"\nmax_bytes = 100000";
    let bomb = vec![b'#'; 10 << 20];
    for packed in [
        gzip(&bomb),
        tarball(&[("x.txt", &bomb)]),
        zipped(&[("x.txt", &bomb)]),
        zipped(&[("x.txt", &gzip(&bomb))]),
    ] {
        let error = read("prefix_list", more, &packed).expect_err("a bomb");
        assert!(
            error.contains("more than 100000 bytes (is it the right file?"),
            "{error}"
        );
    }
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("x.data"), &bomb).expect("written");
    let error = source("prefix_list", more)
        .read(&Places::all_in(directory.path()))
        .expect_err("too large");
    assert!(
        error.to_string().contains("more than 100000 bytes"),
        "{error}"
    );
}

fn declared(directory: &Path, text: &str) -> Result<Vec<String>, String> {
    let declaration = Declaration::parse("s.toml", text).map_err(|error| error.to_string())?;
    let loaded =
        load(&declaration, &Places::all_in(directory)).map_err(|error| error.to_string())?;
    Ok(loaded
        .iter()
        .map(|(source, said)| {
            let day = said.date.map_or("-".to_owned(), |day| day.to_string());
            format!("{} {day} {}", source.id, said.listed.len())
        })
        .collect())
}

#[test]
fn sources_are_loaded_in_order_with_their_days() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let package = tarball(&[("package/list.txt", LIST.as_bytes())]);
    let digest = Sha256::digest(&package);
    let digest = digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    std::fs::write(path.join("p.tgz"), &package).expect("written");
    std::fs::write(path.join("list.txt"), LIST).expect("written");
    std::fs::write(path.join("fetched.data"), LIST).expect("written");
    std::fs::write(path.join("fetched.day"), "2026-11-02\n").expect("written");
    let text = format!(
        "[[source]]\nid = \"package\"\nkind = \"prefix_list\"\nprovider = \"p\"\nlicence = \"l\"\ndate = 2026-10-01\n\
         package = {{ registry = \"npm\", name = \"n\", version = \"1\", file = \"p.tgz\", integrity = \"sha256-{digest}\" }}\n\
         [[source]]\nid = \"list\"\nkind = \"prefix_list\"\nprovider = \"p\"\nlicence = \"l\"\npath = \"list.txt\"\ndate = \"2026-09-01\"\n\
         [[source]]\nid = \"fetched\"\nkind = \"prefix_list\"\nprovider = \"p\"\nlicence = \"l\"\nurl = \"https://lists.example/x\"\n"
    );
    assert_eq!(
        declared(path, &text).expect("loads"),
        [
            "package 2026-10-01 2",
            "list 2026-09-01 2",
            "fetched 2026-11-02 2"
        ]
    );
    assert_eq!(date(2026, 11, 2).to_string(), "2026-11-02");

    let cases = [
        (
            text.replace("date = \"2026-09-01\"", ""),
            "source \"list\": the data does not say its day (add date = ",
        ),
        (
            text.replace("list.txt", "none.txt"),
            "none.txt is not there (correct \"path\"",
        ),
        (
            text.replace("id = \"fetched\"", "id = \"other\""),
            "other.data is not there (fetch it first: octroi geo-db update)",
        ),
        (
            text.replace(&digest, &"0".repeat(64)),
            "is not the pinned package: sha256-",
        ),
    ];
    for (text, expected) in cases {
        let error = declared(path, &text).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(path.join("fetched.day"), "today").expect("written");
    let error = declared(path, &text).expect_err("no day");
    assert!(
        error.contains("fetched.day:1: not a day such as 2026-06-01"),
        "{error}"
    );
}
