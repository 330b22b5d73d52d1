//! What a restart finds: pins of this shape are adopted with their content, others are refused.

use std::process::Command;

use octroi_abi::name;
use octroi_datapath::{Datapath, DatapathError, LoadOptions};

use crate::common::frames::{UDP, key, to, udp};
use crate::common::{self, PinRoot, tables};

#[test]
fn a_restart_adopts_maps_with_their_content() {
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    let options = LoadOptions::new(root.path());
    let mut first = Datapath::load(&options).unwrap();
    assert_eq!(first.load_report().adopted_maps, 0);
    let applied = first
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    let frame = to("198.18.1.1", UDP, udp(9, 9, b"x"));
    first
        .run(octroi_datapath::Program::Outbound, &frame, 1)
        .unwrap();
    drop(first);

    let mut second = Datapath::load(&options).unwrap();
    assert_eq!(second.load_report().adopted_maps, 16);
    assert_eq!(second.active().unwrap().generation, applied.generation);
    let state = second.flow(&key("198.18.1.1", 9, 9, UDP)).unwrap();
    assert_eq!(state.outbound_packets, 1);
    let report = second
        .run(octroi_datapath::Program::Outbound, &frame, 1)
        .unwrap();
    assert_eq!(report.action, common::XDP_PASS);
    // What the first process left in the tries is found and cleared.
    let mut without = tables::policy(true);
    without.zones.clear();
    for _ in 0..2 {
        second.apply_policy(&without).unwrap();
        let report = second
            .run(octroi_datapath::Program::Outbound, &frame, 1)
            .unwrap();
        assert_eq!(report.action, common::XDP_DROP);
    }
    drop(second);
    let removed = Datapath::detach(root.path()).unwrap();
    assert_eq!((removed.links, removed.pins), (0, 19), "{removed}");
    assert!(!root.path().exists());
    let nothing = Datapath::detach(root.path()).unwrap();
    assert_eq!(nothing.to_string(), "nothing was attached or pinned");
}

#[test]
fn a_pin_of_another_shape_is_refused_with_the_difference() {
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    drop(Datapath::load(&LoadOptions::new(root.path())).unwrap());
    let version = root.path().join(format!("v{}", octroi_abi::ABI_VERSION));
    let pin = version.join("maps").join(name::FRAGMENTS);
    std::fs::remove_file(&pin).unwrap();
    let made = Command::new("bpftool")
        .args(["map", "create"])
        .arg(&pin)
        .args([
            "type",
            "lru_hash",
            "key",
            "40",
            "value",
            "80",
            "entries",
            "16384",
            "name",
            "FRAGMENTS",
        ])
        .status()
        .expect("bpftool must be there");
    assert!(made.success());
    let error = Datapath::load(&LoadOptions::new(root.path())).unwrap_err();
    assert!(
        matches!(error, DatapathError::PinnedShape { .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("maps/FRAGMENTS has value size 80, but this build has 1056"),
        "{text}"
    );
    assert!(text.contains("octroi detach"), "the remedy: {text}");
}
