//! Without a gate, every destination of the demonstration answers: what the gate stops later is
//! stopped by the gate.

use octroi_tests::lab::{Lab, wanted};
use octroi_tests::scenario::{Report, Scenario, play_without_gate};

#[test]
fn every_row_of_the_demonstration_without_a_gate() {
    if !wanted() {
        return;
    }
    let lab = Lab::create().unwrap();
    let scenario = Scenario::load("demo").unwrap();
    let outcomes = play_without_gate(&lab, &scenario).unwrap();
    let report = Report::new("without a gate", &outcomes);
    assert!(report.is_good(), "{report}");
}
