//! The file format: what is written is read, the stored join is the one that would be made, and
//! hostile files are errors.

use proptest::prelude::*;

use super::super::container::{self, Container, Section};
use super::super::*;
use super::*;

fn bytes() -> Vec<u8> {
    layers().to_bytes(&catalogue()).expect("writes")
}

fn parsed(bytes: &[u8]) -> Result<Container, AtlasError> {
    Container::new("x", Cow::Owned(bytes.to_vec()))
}

/// The plain sections of a file.
fn sections(bytes: &[u8]) -> [Vec<u8>; 8] {
    let container = parsed(bytes).expect("whole");
    [
        Section::Head,
        Section::JoinHead,
        Section::JoinV4,
        Section::JoinV6,
        Section::Texts,
        Section::Systems,
        Section::LayersV4,
        Section::LayersV6,
    ]
    .map(|section| {
        let plain = container.read(section, |plain| Ok(plain.to_vec()));
        plain.expect("whole")
    })
}

/// Where each section begins, and the end.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let length = |row: usize| {
        let at = 16 + row * 24 + 8;
        let field = bytes[at..at + 8].try_into().expect("eight bytes");
        usize::try_from(u64::from_le_bytes(field)).expect("small")
    };
    (0..8).fold(vec![16 + 8 * 24], |mut borders, row| {
        borders.push(borders[row] + length(row));
        borders
    })
}

#[test]
fn a_file_gives_back_what_was_written() {
    let bytes = bytes();
    assert_eq!(Layers::from_bytes("x", &bytes).expect("reads"), layers());
    assert_eq!(bytes, self::bytes(), "equal layers give equal bytes");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("atlas.bin");
    std::fs::write(&path, &bytes).expect("written");
    let atlas = Atlas::open(&path).expect("opens");
    assert_eq!(atlas.meta(), &layers().meta);
    assert!(atlas.stored_join());
    atlas.verify().expect("is what its evidence says");
    let missing = Atlas::open(&directory.path().join("none"))
        .err()
        .expect("no file");
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
}

#[test]
fn a_stored_join_answers_as_a_new_one() {
    let stored = Atlas::from_bytes("x", bytes()).expect("opens");
    let anew = atlas();
    assert!(stored.stored_join() && !anew.stored_join());
    assert_eq!(stored.profiles(), anew.profiles());
    assert_eq!(stored.classes_v4(), anew.classes_v4());
    assert_eq!(stored.classes_v6(), anew.classes_v6());
    for place in ["20.1", "20.9.6", "30", "70"] {
        for address in both(place) {
            assert_eq!(stored.dossier(address), anew.dossier(address));
            assert_eq!(stored.asn_of(address), anew.asn_of(address));
        }
    }
    assert_eq!(stored.prefixes_of_asn(16276), anew.prefixes_of_asn(16276));
}

#[test]
fn another_day_joins_anew_only_when_the_day_matters() {
    let over = OverrideEntry {
        place: Some("US".to_owned()),
        until: Some(jiff::civil::date(2030, 1, 1)),
        ..overriding(&u32::net("20"))
    };
    let layers = Layers {
        overrides: vec![over],
        ..layers()
    };
    let bytes = layers.to_bytes(&catalogue()).expect("writes");
    let atlas = Atlas::from_bytes("x", bytes).expect("opens");
    assert!(atlas.stored_join());
    let at = |day| {
        let catalogue = Arc::new(catalogue().at(day));
        atlas.with_catalogue(catalogue).expect("joins")
    };
    let country = |atlas: &Atlas| {
        let class = atlas.class_of(u32::address("20.3"));
        atlas.profile(class).hosting.country.map(|c| c.to_string())
    };
    let same = at(jiff::civil::date(2029, 12, 31));
    assert!(same.stored_join(), "the override is in force on both days");
    assert_eq!(country(&same).as_deref(), Some("US"));
    let later = at(jiff::civil::date(2031, 1, 1));
    assert!(!later.stored_join());
    assert_eq!(country(&later).as_deref(), Some("FR"));
    later.verify().expect("is what its evidence says");
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let bytes = bytes();
    for border in borders(&bytes) {
        for length in border.saturating_sub(2)..(border + 2).min(bytes.len()) {
            assert!(parsed(&bytes[..length]).is_err(), "cut to {length}");
        }
    }
    for length in (0..bytes.len()).step_by(7) {
        assert!(parsed(&bytes[..length]).is_err(), "cut to {length}");
    }
    let mut longer = bytes;
    longer.push(0);
    let error = parsed(&longer).expect_err("a byte more");
    assert!(error.to_string().contains("1 bytes more"), "{error}");
}

#[test]
fn a_flipped_byte_is_an_error_when_the_file_is_opened() {
    let bytes = bytes();
    for position in 0..bytes.len() {
        for flip in [0x01, 0x80] {
            let mut damaged = bytes.clone();
            damaged[position] ^= flip;
            assert!(parsed(&damaged).is_err(), "byte {position}");
        }
    }
    let other = parsed(b"GIF89a, and more of it").expect_err("another file");
    assert!(matches!(other, AtlasError::NotAnAtlas { .. }), "{other}");
    for format in [1, 9] {
        let mut strange = bytes.clone();
        strange[8] = format;
        let expected = format!("format {format}, this program reads format 2");
        let strange = parsed(&strange).expect_err("another format");
        assert!(strange.to_string().contains(&expected), "{strange}");
    }
}

/// A file with one field of one row of its table changed, and a right checksum over the table.
fn with_row(row: usize, field: usize, value: u64) -> Vec<u8> {
    let mut bytes = bytes();
    let at = 16 + row * 24 + field;
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[16..16 + 8 * 24]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn absurd_lengths_are_errors() {
    const LENGTH: usize = 8;
    const PLAIN: usize = 16;
    for row in 0..8 {
        for absurd in [u64::MAX, 1 << 40, u64::from(u32::MAX)] {
            assert!(parsed(&with_row(row, LENGTH, absurd)).is_err());
            let error = parsed(&with_row(row, PLAIN, absurd)).expect_err("too long");
            assert!(error.to_string().contains("bytes are announced"), "{error}");
        }
        // Lengths that fit but are not what was written.
        let container = parsed(&with_row(row, PLAIN, 3)).expect("its checksums hold");
        assert!(
            Layers::read(&container).is_err()
                || Atlas::from_container(&container, catalogue()).is_err()
        );
    }
}

#[test]
fn a_bomb_is_an_error_before_it_has_grown() {
    // 90 MiB of zeros in a few kilobytes, as a section of that length and as one that lies.
    let plain = vec![0; 90 << 20];
    let squeezed = zstd::bulk::compress(&plain, 1).expect("compresses");
    assert!(squeezed.len() < 20_000);
    for section in 0..8 {
        let mut parts = sections(&bytes());
        parts[section] = if section == 0 {
            plain.clone()
        } else {
            vec![0; 4096]
        };
        let file = container::write_at(&parts, 1).expect("writes");
        let opened = Atlas::from_bytes("x", file);
        match opened {
            Err(error) => assert!(error.to_string().contains("damaged"), "{error}"),
            // A section of the evidence: found when it is read.
            Ok(atlas) => {
                let error = atlas.verify().expect_err("no evidence");
                assert!(error.to_string().contains("damaged"), "{error}");
            }
        }
    }
}

#[test]
fn evidence_made_wrong_is_told_and_never_silent() {
    // Damage that no checksum can see: a file made wrong.
    let mut wrong = layers();
    wrong.v4.systems = vec![layer(ASN, &[("20.0.0.0/8", 99_u32)])];
    let [_, _, layers_v4, _] = wrong.evidence().expect("writes");
    let mut parts = sections(&bytes());
    parts[6] = layers_v4;
    let file = container::write(&parts).expect("writes");
    let error = Layers::from_bytes("x", &file).expect_err("no such system");
    let expected = "system 99 is named, there are 4";
    assert!(error.to_string().contains(expected), "{error}");

    // The tables still answer; the dossier says that nobody can say why.
    let atlas = Atlas::from_bytes("x", file).expect("opens");
    let address = u32::address("20");
    assert_eq!(atlas.class_of(address), self::atlas().class_of(address));
    assert!(atlas.layers().is_err() && atlas.verify().is_err());
    assert_eq!(atlas.asn_of(address), None);
    let dossier = atlas.dossier(address);
    assert_eq!(dossier.claims.len(), 1);
    assert!(dossier.claims[0].reference.contains(expected));
    assert_eq!(dossier.confidence.hosting.level, Level::None);
}

#[test]
fn tables_that_are_not_what_the_evidence_says_are_found() {
    let mut other = layers();
    other.v6.locations.clear();
    let mut parts = sections(&bytes());
    parts[3] = sections(&other.to_bytes(&catalogue()).expect("writes"))[3].clone();
    let file = container::write(&parts).expect("writes");
    let atlas = Atlas::from_bytes("x", file).expect("opens");
    let error = atlas.verify().expect_err("not the same");
    assert!(error.to_string().contains("not what its evidence says"));
}

/// The layer in which rows of one plan speak.
fn of<A: Address, V: Copy + Eq + Default>(
    rows: impl Iterator<Item = ((u32, u32), V)>,
    place: impl Fn(u32) -> A,
) -> Partition<A, V> {
    let ranges = rows.map(|((first, last), value)| Range {
        first: place(first),
        last: place(last),
        value,
    });
    Partition::from_ranges(ranges.collect())
}

/// Leaves two location layers, one announcing layer and nothing else.
fn only_what_is_drawn<A: Address>(family: &mut Family<A>) {
    family.registrations.clear();
    family.systems.truncate(1);
    family.system_countries.clear();
    family.services = PrefixSet::new(Vec::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_written_opens_and_answers_as_a_new_join(
        places in proptest::collection::vec((any::<u32>(), 0_u32..9, 0_u16..9, 0_u16..9), 0..30),
        systems in proptest::collection::vec((any::<u32>(), 0_u32..9, 0_u32..5), 0..30),
        prefixes in proptest::collection::vec((any::<u32>(), 8_u8..=32, 0_u16..3, 0_u16..4, 0_u16..9), 0..20),
    ) {
        let wide = |value: u32| (u128::from(value) << 92) | (0x2 << 124);
        let span = |(first, width): (u32, u32)| {
            let last = first.saturating_add(1 << (3 * width));
            (first, last)
        };
        let mut layers = layers();
        only_what_is_drawn(&mut layers.v4);
        only_what_is_drawn(&mut layers.v6);
        let first = |&(first, width, value, _): &(u32, u32, u16, u16)| (span((first, width)), value);
        let second = |&(first, width, _, value): &(u32, u32, u16, u16)| (span((first, width)), value);
        let system = |&(first, width, value): &(u32, u32, u32)| (span((first, width)), value);
        layers.v4.locations[0].said = of(places.iter().map(first), |at| at);
        layers.v4.locations[1].said = of(places.iter().map(second), |at| at);
        layers.v4.systems[0].said = of(systems.iter().map(system), |at| at);
        layers.v6.locations[0].said = of(places.iter().map(first), wide);
        layers.v6.locations[1].said = of(places.iter().map(second), wide);
        layers.v6.systems[0].said = of(systems.iter().map(system), wide);
        let item = |&(_, _, provider, region, place): &(u32, u8, u16, u16, u16)| ListedPrefix {
            place,
            ..listed(provider, region)
        };
        layers.v4.listed = PrefixSet::new(prefixes.iter().map(|row| {
            (range::bounds(row.0, u32::from(row.1)).0, row.1, item(row))
        }).collect());
        layers.v6.listed = PrefixSet::new(prefixes.iter().map(|row| {
            let bits = row.1 + 4;
            (range::bounds(wide(row.0), u32::from(bits)).0, bits, item(row))
        }).collect());

        let bytes = layers.to_bytes(&catalogue()).expect("writes");
        let stored = Atlas::from_bytes("x", bytes).expect("opens");
        prop_assert!(stored.stored_join());
        let anew = Atlas::new(layers.clone(), catalogue()).expect("joins");
        prop_assert_eq!(stored.layers().expect("reads"), &layers);
        prop_assert_eq!(stored.profiles(), anew.profiles());
        prop_assert_eq!(stored.classes_v4(), anew.classes_v4());
        prop_assert_eq!(stored.classes_v6(), anew.classes_v6());
        // The families say the same of the same plan.
        for row in &places {
            let (v4, v6) = (row.0, wide(row.0));
            let of = |address: IpAddr| anew.profile(anew.class_of(address)).clone();
            let catalogue = anew.catalogue();
            let reviewed = catalogue
                .operator_prefixes()
                .map(|(net, _)| net)
                .chain(catalogue.service_prefixes().map(|(net, _)| net))
                .any(|net| net.contains(&v4.to_ip()) || net.contains(&v6.to_ip()));
            if !reviewed && of(v4.to_ip()).special.is_none() {
                prop_assert_eq!(of(v4.to_ip()), of(v6.to_ip()));
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_no_panic(
        garbage in proptest::collection::vec(any::<u8>(), 0..400),
        section in 0_usize..8,
    ) {
        let mut parts = sections(&bytes());
        parts[section] = garbage.clone();
        let file = container::write_at(&parts, 1).expect("writes");
        if let Ok(atlas) = Atlas::from_bytes("x", file) {
            prop_assert!(atlas.verify().is_err());
            let _ = atlas.dossier(u32::address("20"));
        }
        let mut raw = b"OCTROIAT\x02\0\x08\0".to_vec();
        raw.extend_from_slice(&garbage);
        prop_assert!(parsed(&raw).is_err());
    }
}
