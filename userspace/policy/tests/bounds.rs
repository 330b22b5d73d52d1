//! A policy that does not fit the kernel is refused, and the error names the rule.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "a panic is how a test fails"
)]

mod common;

use std::sync::Arc;

use common::{AT, SmallAtlas, parse};
use octroi_geo_db::profile::{HostingConfidence, Profile};
use octroi_policy::CompileError;

const HEAD: &str = "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n";

fn refused(rules: &str, atlas: &SmallAtlas) -> CompileError {
    parse(&format!("{HEAD}{rules}"))
        .compile(atlas, AT)
        .unwrap_err()
}

#[test]
fn a_rule_set_holds_32_entries() {
    let ports: Vec<String> = (1..=32).map(|port| (port * 10).to_string()).collect();
    let rule = |ports: &[String]| {
        format!(
            "[[rule]]\nid = \"wide\"\nverdict = \"allow\"\nports = [{}]\n",
            ports.join(", ")
        )
    };
    let atlas = SmallAtlas::new(Vec::new());
    // 31 ranges and the default fit.
    let fits = parse(&format!("{HEAD}{}", rule(&ports[1..])));
    assert!(fits.compile(&atlas, AT).is_ok());
    let first = "[[rule]]\nid = \"first\"\nverdict = \"flag\"\nprotocol = [\"icmp\"]\n";
    let error = refused(&format!("{first}{}", rule(&ports)), &atlas);
    let CompileError::RuleSetTooLong {
        rule,
        line,
        zone,
        entries,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (rule.as_str(), *line, zone.as_str(), *entries),
        ("wide", 9, "none", 35)
    );
    assert!(
        error.to_string().contains("rule \"wide\" (line 9)"),
        "{error}"
    );
}

#[test]
fn rules_behind_the_deciding_one_take_no_room() {
    let ports: Vec<String> = (1..=40).map(|port| (port * 10).to_string()).collect();
    let text = format!(
        "{HEAD}[[rule]]\nid = \"all\"\nverdict = \"allow\"\n\
         [[rule]]\nid = \"never\"\nverdict = \"flag\"\nports = [{}]\n",
        ports.join(", ")
    );
    assert!(
        parse(&text)
            .compile(&SmallAtlas::new(Vec::new()), AT)
            .is_ok()
    );
}

#[test]
fn there_are_64_marks_and_equal_lists_share_one() {
    let rule = |number: u32, asn: u32| {
        format!(
            "[[rule]]\nid = \"r{number}\"\nverdict = \"flag\"\nasn = [{asn}]\nhosting = [\"FR\"]\n"
        )
    };
    let atlas = SmallAtlas::new(Vec::new());
    let same: String = (0..100)
        .map(|number| rule(number, 1 + number % 64))
        .collect();
    assert!(parse(&format!("{HEAD}{same}")).compile(&atlas, AT).is_ok());
    let many: String = (0..65).map(|number| rule(number, 1 + number)).collect();
    let error = refused(&many, &atlas);
    assert!(
        matches!(&error, CompileError::TooManyMarks { rule, most: 64, .. } if rule == "r64"),
        "{error}"
    );
}

#[test]
fn marks_have_room_for_262144_prefixes() {
    let mut atlas = SmallAtlas::new(Vec::new());
    let slash_30 = |number: u32| {
        ipnet::Ipv4Net::new((number << 2).into(), 30)
            .unwrap()
            .into()
    };
    // Every other prefix: neighbours do not touch.
    atlas.asns.insert(
        64_512,
        (0..262_144).map(|number| slash_30(2 * number)).collect(),
    );
    let error = refused(
        "[[rule]]\nid = \"wide\"\nverdict = \"flag\"\nasn = [64512]\n",
        &atlas,
    );
    assert!(
        matches!(&error, CompileError::TooManyPrefixes { rule, .. } if rule == "wide"),
        "{error}"
    );
}

#[test]
fn there_are_4096_rule_sets() {
    let mut atlas = SmallAtlas::new(Vec::new());
    let countries: Vec<_> = atlas
        .catalogue
        .countries()
        .map(|country| country.code)
        .collect();
    let mut text = String::new();
    for zone in 0..60 {
        text.push_str(&format!(
            "[[zone]]\nname = \"z{zone}\"\nprefixes = [\"10.{zone}.0.0/16\"]\n"
        ));
    }
    for code in &countries[..80] {
        text.push_str(&format!(
            "[[rule]]\nid = \"{code}\"\nverdict = \"flag\"\nhosting = [\"{code}\"]\nports = [443]\n"
        ));
        let mut profile = Profile::unknown();
        profile.hosting.country = Some(*code);
        profile.hosting.confidence = HostingConfidence::Located;
        atlas.profiles.push(Arc::new(profile));
    }
    for zone in 0..60 {
        text.push_str(&format!(
            "[[rule]]\nid = \"r{zone}\"\nverdict = \"allow\"\nfrom = [\"z{zone}\"]\n"
        ));
    }
    let error = refused(&text, &atlas);
    assert!(
        matches!(error, CompileError::TooManyRuleSets { most: 4096, .. }),
        "{error}"
    );
}

#[test]
fn classes_have_15_bits() {
    let mut atlas = SmallAtlas::new(Vec::new());
    let unknown = Arc::new(Profile::unknown());
    atlas.profiles = vec![unknown; 32_769];
    let error = refused("", &atlas);
    assert!(matches!(
        error,
        CompileError::TooManyClasses {
            classes: 32_769,
            most: 32_768
        }
    ));
    atlas.profiles.pop();
    assert!(parse(HEAD).compile(&atlas, AT).is_ok());
}
