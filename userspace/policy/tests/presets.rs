//! The presets parse without an error or a warning, compile, and judge telling destinations as
//! `tests/cases/*.toml` says.

use octroi_geo_db::Catalogue;
use octroi_policy::Policy;

#[test]
fn presets_parse_without_errors_and_warnings() {
    let catalogue = Catalogue::embedded().unwrap();
    for name in Policy::PRESETS {
        let text = Policy::preset(name).unwrap();
        let policy = match Policy::parse(text, name, &catalogue) {
            Ok(policy) => policy,
            Err(errors) => panic!("{errors}"),
        };
        assert_eq!(policy.name, name);
        assert!(policy.warnings.is_empty(), "{}", policy.warnings);
    }
    assert!(Policy::preset("nothing").is_none());
}
