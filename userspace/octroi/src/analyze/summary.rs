//! The per-capture summary: one JSON line with packets, flows, names and destinations.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{AppProtocol, NameEvent, NameSource};
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Naming, Sink};
use serde::Serialize;

use super::pipeline::{Outcome, Worker};

/// Most values of each set.
const MAX_VALUES: usize = 1 << 18;

/// What one capture holds. Names inside unencrypted tunnels are counted, addresses inside are not.
#[derive(Debug, Default)]
pub(super) struct Summary {
    sni: BTreeSet<String>,
    quic_sni: BTreeSet<String>,
    dns_qnames: BTreeSet<String>,
    http_hosts: BTreeSet<String>,
    dst_ips: BTreeSet<IpAddr>,
}

#[derive(Serialize)]
struct Line<'a> {
    capture: &'a str,
    packets: u64,
    flows: u64,
    sni: &'a BTreeSet<String>,
    quic_sni: &'a BTreeSet<String>,
    dns_qnames: &'a BTreeSet<String>,
    http_hosts: &'a BTreeSet<String>,
    dst_ips: &'a BTreeSet<IpAddr>,
}

impl Summary {
    pub(super) fn write(
        &self,
        capture: &str,
        outcome: &Outcome,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let line = Line {
            capture,
            packets: outcome.counts.packets,
            flows: outcome.tuples,
            sni: &self.sni,
            quic_sni: &self.quic_sni,
            dns_qnames: &self.dns_qnames,
            http_hosts: &self.http_hosts,
            dst_ips: &self.dst_ips,
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }

    /// Adds what another shard found.
    pub(super) fn merge(&mut self, other: Self) {
        fn all<T: Ord>(into: &mut BTreeSet<T>, from: BTreeSet<T>) {
            for value in from {
                if into.len() >= MAX_VALUES {
                    return;
                }
                into.insert(value);
            }
        }
        all(&mut self.sni, other.sni);
        all(&mut self.quic_sni, other.quic_sni);
        all(&mut self.dns_qnames, other.dns_qnames);
        all(&mut self.http_hosts, other.http_hosts);
        all(&mut self.dst_ips, other.dst_ips);
    }

    fn destination(&mut self, address: IpAddr) {
        if self.dst_ips.len() < MAX_VALUES {
            self.dst_ips.insert(address);
        }
    }
}

impl Worker for &mut Summary {}

impl Sink for &mut Summary {
    fn flow(&mut self, flow: Flow<Naming>) {
        if flow.outbound_packets > 0 {
            self.destination(flow::outside(&flow.key));
        }
        if flow.reply_packets > 0 {
            self.destination(flow::inside(&flow.key));
        }
    }

    fn name(&mut self, event: &NameEvent, _inside_tunnel: bool) {
        let set = match (event.source, event.protocol) {
            (NameSource::Query, AppProtocol::Dns) => &mut self.dns_qnames,
            (NameSource::Sni, _) => &mut self.sni,
            (NameSource::Quic, _) => &mut self.quic_sni,
            (NameSource::Host, _) => &mut self.http_hosts,
            // Multicast names stay on the link; a name by DNS answer was asked before; a name by
            // certificate was said by no client.
            (
                NameSource::Query
                | NameSource::Nameless
                | NameSource::Dns
                | NameSource::Certificate,
                _,
            ) => return,
        };
        if set.len() < MAX_VALUES && !set.contains(&event.name) {
            set.insert(event.name.clone());
        }
    }

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, unparsed: &Unparsed) {
        if let Some((_, destination)) = unparsed.addresses {
            self.destination(destination);
        }
    }
}
