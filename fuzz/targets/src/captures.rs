//! Capture files, and all that is read of the packets in them.

use octroi_inspect::capture::Capture;
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{NameEvent, NamerLimits};
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Naming, Sink, Survey};

#[derive(Default)]
struct Seen {
    in_flows: u64,
    without_flow: u64,
}

impl Sink for Seen {
    fn flow(&mut self, flow: Flow<Naming>) {
        self.in_flows += flow.outbound_packets + flow.reply_packets;
        assert!(flow.first_ns <= flow.last_ns, "ends before it begins");
    }

    fn name(&mut self, event: &NameEvent, _inside_tunnel: bool) {
        crate::names::sound(event);
    }

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, _unparsed: &Unparsed) {
        self.without_flow += 1;
    }
}

/// A capture, through to its flows and names: each packet is in exactly one account.
///
/// # Panics
/// When a promise is broken.
pub fn capture(data: &[u8]) {
    let Ok(mut capture) = Capture::open(data) else {
        return;
    };
    let mut survey = Survey::new(flow::Limits::default(), NamerLimits::default());
    let mut seen = Seen::default();
    while let Ok(Some(packet)) = capture.next() {
        survey.packet(&packet, &mut seen);
    }
    survey.finish(&mut seen);
    let counts = survey.counts();
    assert_eq!(counts.in_flows, seen.in_flows, "packets of flows");
    assert_eq!(
        counts.packets,
        counts.in_flows + counts.link_control + seen.without_flow,
        "every packet is counted once"
    );
}
