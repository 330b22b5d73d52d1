//! The turn of a day: the same atlas and policy with the laws of the next one.

use std::net::Ipv4Addr;

use octroi_abi::outcome::{Direction, Outcome};
use octroi_geo_db::{Atlas, Catalogue};
use octroi_policy::Policy;

use crate::common::frames::{TCP, tcp, to};
use crate::common::{self, Rig};

const POLICY: &str = r#"
    [policy]
    name = "one law"
    version = "1"
    mode = "enforce"
    default = "allow"

    [[rule]]
    id = "fisa"
    verdict = "block"
    laws = ["us_fisa_702"]
"#;
/// Microsoft, in Paris.
const PARIS: Ipv4Addr = Ipv4Addr::new(20, 74, 0, 1);

#[test]
fn a_law_that_ended_is_felt_by_the_next_packet_of_a_known_flow() {
    if common::skipped() {
        return;
    }
    let catalogue = Catalogue::embedded().unwrap();
    let law = catalogue.law("us_fisa_702").unwrap();
    let ends = law.periods.iter().filter_map(|period| period.until);
    let last = ends.max().expect("the law has a last day");
    let next = last.tomorrow().unwrap();
    let mut rig = Rig::new();
    let frame = to(&PARIS.to_string(), TCP, tcp(40_000, 443, 0x02, b""));
    for (day, expected) in [
        (last, Outcome::Blocked),
        (next, Outcome::Allowed),
        (last, Outcome::Blocked),
    ] {
        let atlas = Atlas::embedded_at(day).unwrap();
        let policy = Policy::parse(POLICY, "policy.toml", atlas.catalogue()).unwrap();
        let tables = policy.compile(&atlas, day).unwrap();
        let kernel_tables = atlas.kernel_tables().unwrap();
        rig.datapath
            .apply_atlas_and_policy(&kernel_tables, &tables)
            .unwrap();
        let (outcome, _) = rig.outcome(Direction::Outbound, &frame);
        assert_eq!(outcome, expected, "{day}");
    }
}
