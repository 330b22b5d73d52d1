//! The gate of an older ABI taken over under traffic, without a gap; newer ones left alone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use octroi_abi::ABI_VERSION;
use octroi_abi::flow::{FlowKey, NAMED};
use octroi_datapath::{Attachment, Datapath, DatapathError, LoadOptions, XdpMode};

use crate::common::abi2::{Abi2, OlderGate};
use crate::common::abi3::Abi3;
use crate::common::netns::{GATE, Pair};
use crate::common::traffic::{self, STREAMS, Stream, Traffic};
use crate::common::{self, PinRoot, tables};

const TICK: Duration = Duration::from_millis(2);

/// The table allows it, its name does not.
const CUT: Stream = Stream {
    to: "198.18.1.1",
    passes: false,
    fresh: false,
};

fn load(root: &PinRoot) -> Datapath {
    Datapath::load(&LoadOptions::new(root.path())).unwrap()
}

fn fill(datapath: &mut Datapath) {
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
}

#[test]
fn a_gate_of_abi_2_is_taken_over_under_traffic() {
    if !common::skipped() {
        is_taken_over(2, Abi2::raise);
    }
}

#[test]
fn a_gate_of_abi_3_is_taken_over_under_traffic() {
    if !common::skipped() {
        is_taken_over(3, Abi3::raise);
    }
}

fn is_taken_over<G: OlderGate + Send>(abi: u32, raise: fn(&Path, &str) -> G) {
    let pair = Pair::new();
    let root = PinRoot::new();
    let mut older = pair.in_gate(|| raise(root.path(), GATE));

    // A flow that its name cut: it will not say its name again.
    let cut = Traffic::start(&pair, &[CUT], TICK);
    let port = cut.port(0);
    while !older.cut_by_name(port) {
        std::thread::sleep(TICK);
    }
    let arrived_before = cut.arrived_at_rest(0);
    let streams = Traffic::start_to(&pair, &STREAMS, TICK, 9_001);
    streams.flows();

    let mut datapath = load(&root);
    assert_eq!(datapath.load_report().older, [abi]);
    let refused = datapath.take_over().unwrap_err();
    assert!(refused.to_string().contains("no policy"), "{refused}");
    fill(&mut datapath);
    streams.flows();
    let counted_before = older.outbound_packets(port);
    let taken = datapath.take_over().unwrap();
    assert_eq!(taken.len(), 1);
    let taken = &taken[0];
    assert_eq!((taken.abi, taken.dead_links), (abi, 0));
    assert_eq!(taken.interfaces, [GATE]);
    assert!(taken.carried >= 1, "{taken}");
    let of_port = |key: &FlowKey| key.inside_port == port;
    let account = taken.accounts.iter().find(|(key, _)| of_port(key)).unwrap();
    assert!(account.1.outbound_packets >= counted_before);
    // Its account is closed: the older gate counts no more.
    assert_eq!(account.1.outbound_packets, older.outbound_packets(port));
    assert!(!older.directory().exists(), "the older pins are gone");
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    assert_eq!(
        (report.outbound, report.reply),
        (Attachment::Replaced, Attachment::Replaced)
    );
    streams.flows();
    let mut carried = None;
    datapath.flows(&mut |key, state| {
        if of_port(&key) {
            carried = Some(state);
        }
    });
    let carried = carried.expect("the flow that was cut");
    assert_eq!(carried.first_ns, account.1.first_ns, "the same flow");
    assert_ne!(carried.flags & NAMED, 0);
    assert!(carried.outbound_packets > 0);
    assert_eq!(carried.stopped_packets, carried.outbound_packets);

    let sums = traffic::judge(streams, "upgrade");
    println!("upgrade: {taken}; {sums:?}");
    let (_, count) = cut.stop()[0];
    assert_eq!(count.arrived, arrived_before, "cut by its name: {count:?}");
    assert!(count.sent > count.arrived + 5);
    assert!(
        datapath.take_over().unwrap().is_empty(),
        "nothing is left to take over"
    );
}

#[test]
fn the_gate_of_a_newer_octroi_is_left_alone() {
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    let newer = root.path().join(format!("v{}", ABI_VERSION + 1));
    fs::create_dir_all(newer.join("maps")).unwrap();
    let error = Datapath::load(&LoadOptions::new(root.path())).unwrap_err();
    assert!(matches!(error, DatapathError::NewerPins { .. }), "{error}");
    let remedy = format!("rm -r {}", newer.display());
    assert!(error.to_string().contains(&remedy), "{error}");
    assert!(
        !root.path().join(format!("v{ABI_VERSION}")).exists(),
        "nothing was begun"
    );

    // With a link in it, it is a gate.
    let pair = Pair::new();
    let gate = pair.in_gate(|| Abi2::raise(root.path(), GATE));
    fs::remove_dir(newer.join("maps")).unwrap();
    fs::remove_dir(&newer).unwrap();
    fs::rename(gate.directory(), &newer).unwrap();
    let error = Datapath::load(&LoadOptions::new(root.path())).unwrap_err();
    assert!(matches!(error, DatapathError::NewerGate { .. }), "{error}");
    assert!(error.to_string().contains("octroi detach"), "{error}");
    assert_eq!(Datapath::detach(root.path()).unwrap().links, 2);
}
