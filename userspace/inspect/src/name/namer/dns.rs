//! DNS: names asked, and answers that bind names to addresses.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::Namer;
use crate::flow;
use crate::name::dns::TYPE_HTTPS;
use crate::name::memo::{Memo, Side, Stream};
use crate::name::namer::tell::event;
use crate::name::{AppProtocol, Heard, Message, NameEvent, NameSource, Sample, is_hostname};

impl Namer {
    /// A datagram on a port of DNS. `None`: it is no DNS message.
    pub(super) fn dns_datagram(
        &mut self,
        sample: &Sample<'_>,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) -> Option<Heard> {
        if !self.dns(sample, sample.payload, protocol, out) {
            return None;
        }
        let (flow, now_ns) = ((sample.key, sample.first_ns), self.now_ns);
        let told = &mut self.lane().dns_told;
        if let Some(seen_ns) = told.get_mut(&flow) {
            *seen_ns = now_ns;
        } else {
            told.insert(&sample.key.inside, flow, now_ns);
            self.tell_nameless(sample, protocol, out);
        }
        Some(Heard::Settled)
    }

    /// Reads a message; false when it cannot be read.
    fn dns(
        &mut self,
        sample: &Sample<'_>,
        bytes: &[u8],
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) -> bool {
        let Ok(message) = Message::read(bytes) else {
            self.stats.dns_malformed += 1;
            return false;
        };
        self.stats.dns_messages += 1;
        let Some(asked) = message.questions.first() else {
            return true;
        };
        let query = (
            sample.key,
            message.id,
            self.hasher.hash_one((&asked.name, asked.kind)),
        );
        let answers_query = message.is_response && self.lane().queries.contains(&query);
        if !message.is_response {
            let now_ns = self.now_ns;
            let queries = &mut self.lane().queries;
            if let Some(seen_ns) = queries.get_mut(&query) {
                *seen_ns = now_ns;
            } else {
                queries.insert(&sample.key.inside, query, now_ns);
            }
        }
        if !answers_query {
            self.tell_questions(sample, &message, protocol, out);
        }
        if !message.is_response || protocol != AppProtocol::Dns || message.response_code != 0 {
            return true;
        }
        if self.limits.answers_need_queries && !answers_query {
            self.stats.dns_unasked += 1;
            return true;
        }
        let Some(name) = asked.name.as_deref().filter(|name| is_hostname(name)) else {
            return true;
        };
        // The receiver of the answer asked.
        let client = if sample.outbound {
            flow::outside(&sample.key)
        } else {
            flow::inside(&sample.key)
        };
        let now_ns = sample.time_ns;
        let found = message.resolution();
        self.stats.dns_endless += u64::from(found.is_endless);
        let aliases = shared(&found.chain);
        for (address, ttl_seconds) in found.addresses {
            self.bindings
                .bind(client, address, name, &aliases, ttl_seconds, now_ns);
        }
        for (service, ttl_seconds) in &found.services {
            let mut chain = found.chain.clone();
            chain.extend(service.target.clone());
            let chain = shared(&chain);
            for address in &service.hints {
                self.bindings
                    .bind(client, *address, name, &chain, *ttl_seconds, now_ns);
            }
        }
        // No record at all, or one without keys, says that there are none.
        if asked.kind == TYPE_HTTPS && !message.is_cut_short && !found.is_endless {
            self.services.learn(client, name, &found.services, now_ns);
        }
        true
    }

    fn tell_questions(
        &mut self,
        sample: &Sample<'_>,
        message: &Message,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        for asked in &message.questions {
            match &asked.name {
                Some(name) if !name.is_empty() => out.push(NameEvent {
                    name: name.clone(),
                    source: NameSource::Query,
                    protocol,
                    ..event(sample)
                }),
                Some(_) => {}
                None => self.stats.invalid_names += 1,
            }
        }
    }

    /// DNS over TCP: messages behind their lengths (RFC 7766 section 8).
    pub(super) fn dns_stream(
        &mut self,
        mut stream: Box<Stream>,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> Side {
        let mut read = 0;
        while let Some([high, low, rest @ ..]) = stream.bytes.data().get(read..) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(message) = rest.get(..length) else {
                break;
            };
            if self.dns(sample, message, AppProtocol::Dns, out) {
                memo.speaks = AppProtocol::Dns;
                if sample.outbound {
                    self.settle(sample, memo, out);
                }
            }
            read += 2 + length;
        }
        stream.consume(read);
        // What comes next belongs behind it, and what was read is not read again.
        if sample.cut {
            Side::Middle
        } else {
            Side::Reading(stream)
        }
    }
}

/// The aliases of an answer, kept once for all of its addresses.
fn shared(chain: &[String]) -> Arc<[Box<str>]> {
    if chain.is_empty() {
        return Arc::default();
    }
    chain.iter().map(|alias| alias.as_str().into()).collect()
}
