//! The per-capture summary: one JSON line with packets, flows, names and destinations.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{AppProtocol, NameEvent, NameSource};
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Counts, Naming, Sink};
use serde::Serialize;

/// Most values of each set.
const MAX_VALUES: usize = 1 << 20;

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
        path: &Path,
        counts: &Counts,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let line = Line {
            capture: &name.to_string_lossy(),
            packets: counts.packets,
            flows: counts.tuples,
            sni: &self.sni,
            quic_sni: &self.quic_sni,
            dns_qnames: &self.dns_qnames,
            http_hosts: &self.http_hosts,
            dst_ips: &self.dst_ips,
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }

    fn destination(&mut self, address: IpAddr) {
        if self.dst_ips.len() < MAX_VALUES {
            self.dst_ips.insert(address);
        }
    }
}

impl Sink for Summary {
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
