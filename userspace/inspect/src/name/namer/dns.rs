//! DNS: names asked, and answers that bind names to addresses.

use std::hash::BuildHasher as _;

use super::Namer;
use crate::flow;
use crate::name::memo::{Side, Stream};
use crate::name::{AppProtocol, Message, NameEvent, NameSource, Sample, is_hostname};

impl Namer {
    pub(super) fn dns(
        &mut self,
        sample: &Sample<'_>,
        bytes: &[u8],
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        let Ok(message) = Message::read(bytes) else {
            self.stats.dns_malformed += 1;
            return;
        };
        self.stats.dns_messages += 1;
        let Some(asked) = message.questions.first() else {
            return;
        };
        let query = (
            sample.key,
            message.id,
            self.hasher.hash_one((&asked.name, asked.kind)),
        );
        let answers_query = message.is_response && self.queries.contains(&query);
        if !message.is_response {
            self.queries.insert(query);
        }
        if !answers_query {
            self.tell_questions(sample, &message, protocol, out);
        }
        if !message.is_response || protocol != AppProtocol::Dns || message.response_code != 0 {
            return;
        }
        if self.limits.answers_need_queries && !answers_query {
            self.stats.dns_unasked += 1;
            return;
        }
        let Some(name) = asked.name.as_deref().filter(|name| is_hostname(name)) else {
            return;
        };
        // The receiver of the answer asked.
        let client = if sample.outbound {
            flow::outside(&sample.key)
        } else {
            flow::inside(&sample.key)
        };
        for (address, ttl_seconds) in message.addresses() {
            self.bindings
                .bind(client, address, name, ttl_seconds, sample.time_ns);
        }
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
                    key: sample.key,
                    first_ns: sample.first_ns,
                    time_ns: sample.time_ns,
                    name: name.clone(),
                    source: NameSource::Query,
                    protocol,
                    alpn: Vec::new(),
                    ech: false,
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
        out: &mut Vec<NameEvent>,
    ) -> Side {
        let mut read = 0;
        while let Some([high, low, rest @ ..]) = stream.bytes.data().get(read..) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(message) = rest.get(..length) else {
                break;
            };
            self.dns(sample, message, AppProtocol::Dns, out);
            read += 2 + length;
        }
        stream.bytes.consume(read);
        stream.start = stream.start.wrapping_add(u32::try_from(read).unwrap_or(0));
        if stream.bytes.held() == 0 || sample.cut {
            Side::Middle
        } else {
            Side::Reading(stream)
        }
    }
}
