//! The control axis: reach is derived from laws, never lowered by a name.

use super::{code, embedded};
use crate::profile::{ControlBasis, Profile, Reach};

#[test]
fn reach_of_operators_we_know() {
    let catalogue = embedded();
    // (operator, country in control, reach)
    let cases = [
        ("microsoft", "US", Reach::Controlled),
        ("amazon-aws", "US", Reach::Controlled),
        ("google", "US", Reach::Controlled),
        ("cloudflare", "US", Reach::Controlled),
        ("akamai", "US", Reach::Controlled),
        ("zoom", "US", Reach::Controlled),
        ("aws-eusc", "US", Reach::Controlled),
        ("contabo", "US", Reach::Controlled),
        ("imperva", "FR", Reach::Controlled),
        ("ovh", "FR", Reach::Presence),
        ("s3ns", "FR", Reach::Presence),
        ("outscale", "FR", Reach::Presence),
        ("free", "FR", Reach::NoneKnown),
        ("cloud-temple", "FR", Reach::NoneKnown),
        ("dinum", "FR", Reach::NoneKnown),
        ("hetzner", "DE", Reach::Presence),
        ("infomaniak", "CH", Reach::NoneKnown),
        ("alibaba", "CN", Reach::Controlled),
        ("huawei-cloud", "CN", Reach::Controlled),
        ("bytedance", "CN", Reach::Controlled),
        ("tencent", "CN", Reach::Controlled),
        ("opera", "CN", Reach::Controlled),
        ("yandex", "RU", Reach::Controlled),
        ("vodafone", "GB", Reach::Controlled),
        ("telegram", "AE", Reach::Presence),
    ];
    for (id, country, reach) in cases {
        let operator = catalogue.operator(id).unwrap();
        let control = catalogue.control_of_operator(operator);
        assert_eq!(control.reach, reach, "{id}");
        assert_eq!(control.country, Some(code(country)), "{id}");
        assert_eq!(control.operator.as_deref(), Some(id));
        assert_eq!(control.basis, ControlBasis::Operator);
        assert!(control.laws.is_sorted(), "{id}");
    }
}

#[test]
fn operators_are_found_by_their_systems() {
    let catalogue = embedded();
    let cases = [
        (16276, "ovh"),
        (12876, "scaleway"),
        (12322, "free"),
        (3215, "orange"),
        (50624, "outscale"),
        (8075, "microsoft"),
        (16509, "amazon-aws"),
        (15169, "google"),
        (13335, "cloudflare"),
        (20940, "akamai"),
        (54113, "fastly"),
        (45102, "alibaba"),
        (13238, "yandex"),
        (62041, "telegram"),
    ];
    for (asn, id) in cases {
        let operator = catalogue.operator_of_asn(asn).unwrap();
        assert_eq!(&*operator.id, id, "AS{asn}");
    }
    assert!(catalogue.operator_of_asn(64512).is_none());
    assert!(catalogue.operator("cloudflare").unwrap().anycast);
    assert!(!catalogue.operator("ovh").unwrap().anycast);
}

#[test]
fn a_country_alone_presumes_its_laws_that_reach_abroad() {
    let catalogue = embedded();
    let american = catalogue.presumed_control(code("US"));
    assert_eq!(american.reach, Reach::Controlled);
    assert_eq!(american.basis, ControlBasis::AsCountry);
    assert_eq!(american.operator, None);
    let laws: Vec<&str> = american.laws.iter().map(|law| &**law).collect();
    assert_eq!(laws, ["us_cloud_act", "us_fisa_702", "us_patriot_nsl"]);
    for country in ["CN", "HK", "RU", "GB", "IN", "AU", "CA", "SG", "BR", "VN"] {
        assert_eq!(
            catalogue.presumed_control(code(country)).reach,
            Reach::Controlled,
            "{country}"
        );
    }
    for country in ["FR", "DE", "SE", "NL", "CH", "NO", "JP", "MA", "ZZ"] {
        let control = catalogue.presumed_control(code(country));
        assert_eq!(control.reach, Reach::NoneKnown, "{country}");
        assert!(control.laws.is_empty(), "{country}");
    }
}

#[test]
fn presence_names_the_laws_it_comes_from() {
    let catalogue = embedded();
    let laws = catalogue.presence_laws(catalogue.operator("ovh").unwrap());
    let laws: Vec<&str> = laws.iter().map(|law| &**law).collect();
    assert_eq!(
        laws,
        [
            "au_production_order",
            "au_tola_2018",
            "ca_production_order",
            "gb_copoa_2019",
            "gb_ipa_2016",
            "in_it_act_s69",
            "sg_cpc_s39",
            "us_cloud_act",
            "us_fisa_702",
            "us_patriot_nsl"
        ]
    );
}

#[test]
fn a_service_name_unites_and_never_lowers() {
    let catalogue = embedded();
    let microsoft = catalogue.operator("microsoft").unwrap();
    let mut base = Profile::unknown();
    base.control = catalogue.control_of_operator(microsoft);

    let visio = catalogue.profile_with_service(&base, "visio");
    assert_eq!(visio.service.as_deref(), Some("visio"));
    assert_eq!(visio.control.operator.as_deref(), Some("dinum"));
    assert_eq!(visio.control.reach, Reach::Controlled);
    assert_eq!(visio.control.basis, ControlBasis::Service);
    let laws: Vec<&str> = visio.control.laws.iter().map(|law| &**law).collect();
    assert_eq!(
        laws,
        [
            "fr_csi_renseignement",
            "us_cloud_act",
            "us_fisa_702",
            "us_patriot_nsl"
        ]
    );

    let zoom = catalogue.profile_with_service(&Profile::unknown(), "zoom");
    assert_eq!(zoom.control.reach, Reach::Controlled);
    assert_eq!(zoom.control.country, Some(code("US")));

    let qualified = catalogue.profile_with_service(&base, "s3ns-premi3ns");
    assert_eq!(&*qualified.qualifications[0].scheme, "secnumcloud");

    assert_eq!(
        catalogue.profile_with_service(&base, "no-such-service"),
        base
    );
}

#[test]
fn parents_are_dated() {
    let catalogue = embedded();
    let imperva = catalogue.operator("imperva").unwrap();
    assert_eq!(imperva.country_at(super::day("2023-12-03")), code("US"));
    assert_eq!(imperva.country_at(super::day("2023-12-04")), code("FR"));
}
