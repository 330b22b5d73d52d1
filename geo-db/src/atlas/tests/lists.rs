//! The clouds' own prefixes and the table of their regions, in the embedded atlas.

use super::super::facts::own_word;
use super::super::regions::RegionSays;
use super::super::*;
use super::{COUNTRIES, Family};
use crate::profile::{CountryCode, HostingConfidence};

#[test]
fn the_clouds_own_prefixes_are_hosted_where_their_regions_stand() {
    fn right<A: Address>(atlas: &Atlas, family: &Family<A>) -> (usize, usize) {
        let (layers, facts) = atlas.evidence.read(&atlas.catalogue).expect("the evidence");
        let mut listed = 0;
        let mut right = 0;
        for entry in family.listed.entries() {
            let word = own_word(layers, &facts.regions, entry.item);
            let Some((RegionSays::Country(country), _)) = word else {
                continue;
            };
            listed += 1;
            let hosting = atlas.profile(atlas.class_of(entry.first.to_ip())).hosting;
            right += usize::from(
                hosting.country == Some(country)
                    && hosting.confidence == HostingConfidence::Located,
            );
        }
        (right, listed)
    }
    let atlas = Atlas::embedded().expect("opens");
    let layers = atlas.layers().expect("the evidence");
    let (right_v4, listed_v4) = right(&atlas, &layers.v4);
    let (right_v6, listed_v6) = right(&atlas, &layers.v6);
    assert!(
        listed_v4 > 30_000 && listed_v6 > 15_000,
        "{listed_v4} {listed_v6}"
    );
    assert!(
        right_v4 * 1000 >= listed_v4 * 995,
        "{right_v4} of {listed_v4} IPv4"
    );
    assert!(
        right_v6 * 1000 >= listed_v6 * 995,
        "{right_v6} of {listed_v6} IPv6"
    );
}

#[test]
fn every_provider_and_nearly_every_region_is_in_the_table() {
    let atlas = Atlas::embedded().expect("opens");
    let (layers, facts) = atlas.evidence.read(&atlas.catalogue).expect("the evidence");
    let texts = &layers.texts;
    for provider in &texts.providers {
        let id = facts.regions.operator(provider).expect(provider);
        assert!(atlas.catalogue.operator(id).is_some(), "{provider} -> {id}");
    }
    let known = |region: &String| {
        texts
            .providers
            .iter()
            .any(|provider| facts.regions.of_region(provider, region).is_some())
    };
    let unplaced: Vec<_> = texts
        .regions
        .iter()
        .filter(|region| !known(region))
        .collect();
    assert_eq!(unplaced, ["europe-west15"], "regions nobody placed");
    for country in COUNTRIES.iter().filter(|code| **code != "EU") {
        let code: CountryCode = country.parse().expect("a code");
        assert!(atlas.catalogue.country(code).is_some());
    }
    assert!(Arc::ptr_eq(&atlas.profiles[0], atlas.profile(0)));
}
