//! The audit of the atlas that is part of the program.

use super::*;

#[expect(clippy::cast_precision_loss, reason = "a share to a few digits")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn the_embedded_atlas_is_right_on_the_clouds_own_prefixes() {
    let atlas = Atlas::embedded().expect("the embedded atlas is right");
    let audit = audit(&atlas, atlas.meta().built).expect("its evidence is whole");
    assert_eq!(audit.columns.last().map(String::as_str), Some(DECIDED));
    assert!(audit.columns.len() >= 3, "{:?}", audit.columns);
    for family in [Family::V4, Family::V6] {
        let row = audit.total(family).expect("both families are published");
        assert!(row.prefixes > 1_000, "{} prefixes", row.prefixes);
        let [without, decided] = row.scores[row.scores.len() - 2..] else {
            panic!("two columns at least");
        };
        assert!(share(decided.prefixes, row.prefixes) >= 0.99, "{row:?}");
        assert!(share(decided.space, row.space) >= 0.99, "{row:?}");
        assert!(share(decided.space_side, row.space) >= 0.99, "{row:?}");
        // The list is not compared with itself only: without it, the countries are worse.
        assert!(without.prefixes < decided.prefixes, "{row:?}");
        assert!(without.prefixes > 0, "{row:?}");
        for score in &row.scores {
            assert!(score.prefixes <= score.prefixes_side, "{row:?}");
            assert!(score.space <= score.space_side && score.space_side <= row.space);
        }
    }
}

#[test]
fn rows_add_up() {
    let atlas = Atlas::embedded().expect("the embedded atlas is right");
    let audit = audit(&atlas, atlas.meta().built).expect("its evidence is whole");
    for family in [Family::V4, Family::V6] {
        let total = audit.total(family).expect("both families are published");
        let of = |provider: bool, all: bool| -> u64 {
            let rows = audit.rows.iter().filter(|row| {
                row.family == family
                    && row.provider.is_some() == provider
                    && (row.place == Where::All) == all
            });
            rows.map(|row| row.prefixes).sum()
        };
        assert_eq!(of(true, true), total.prefixes);
        assert_eq!(of(true, false), total.prefixes);
        assert_eq!(of(false, false), total.prefixes);
    }
    assert!(!audit.worst.is_empty());
    assert!(
        audit
            .worst
            .iter()
            .all(|region| { region.wrong.iter().all(|wrong| *wrong <= region.prefixes) })
    );
}
