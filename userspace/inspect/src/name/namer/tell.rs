//! What is told: names with what DNS says of them, and that there is none.

use std::hash::BuildHasher as _;
use std::net::IpAddr;

use super::Namer;
use crate::flow;
use crate::name::memo::{Memo, Said, Wants};
use crate::name::tls::ClientHello;
use crate::name::{
    AppProtocol, Binding, Ech, Evidence, NameEvent, NameSource, Sample, certificate, hostname,
    is_hostname,
};

/// DNS over TLS (RFC 7858).
const PORT_DOT: u16 = 853;

/// What an event will say.
pub(super) struct Told {
    pub(super) name: String,
    pub(super) source: NameSource,
    pub(super) protocol: AppProtocol,
    pub(super) hello: ClientHello,
}

impl Namer {
    pub(super) fn hello(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        mut hello: ClientHello,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        self.stats.hellos += 1;
        self.stats.hellos_with_ech += u64::from(hello.ech.is_some());
        self.stats.invalid_names += u64::from(hello.name_is_invalid);
        // A conversation that asked for TLS is still what is spoken.
        if memo.speaks == AppProtocol::Unknown {
            memo.speaks = inside(sample, protocol, &hello);
        }
        let Some(name) = hello.name.take() else {
            self.stats.hellos_without_name += 1;
            if protocol == AppProtocol::Tls && !hello.name_is_invalid {
                memo.wants = Wants::Name;
            }
            return;
        };
        if memo.speaks == AppProtocol::Tls && certificate::may_be_tor(&name) {
            memo.wants = Wants::Tor(name.as_str().into());
        }
        let source = if protocol == AppProtocol::Quic {
            NameSource::Quic
        } else {
            NameSource::Sni
        };
        let told = Told {
            name,
            source,
            protocol: memo.speaks,
            hello,
        };
        self.tell(sample, memo, told, out);
    }

    pub(super) fn tell(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        told: Told,
        out: &mut Vec<NameEvent>,
    ) {
        memo.said = Said::Name;
        let hash = self.hasher.hash_one((&told.name, told.source));
        if memo.told.replace(hash) == Some(hash) {
            return;
        }
        let (mut evidence, chain) = self.evidence(sample, &told.name);
        if told.source == NameSource::Certificate && evidence == Evidence::Confirmed {
            // The client did not say it.
            evidence = Evidence::Dns;
        }
        let client = flow::inside(&sample.key);
        let ech = told.hello.ech.map_or(Ech::None, |hello| {
            self.services
                .classify(client, &told.name, hello, self.now_ns)
        });
        out.push(NameEvent {
            name: told.name,
            source: told.source,
            protocol: told.protocol,
            alpn: told.hello.alpn,
            ech,
            ja4: told.hello.ja4,
            chain,
            evidence,
            ..event(sample)
        });
    }

    /// Tells the name that DNS bound to the destination, when there is exactly one.
    pub(super) fn tell_dns(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) {
        let Some(binding) = self.binding_for(&sample.key) else {
            return;
        };
        let (name, chain) = (binding.name.to_string(), chain(binding));
        memo.told = Some(self.hasher.hash_one((&name, NameSource::Dns)));
        out.push(NameEvent {
            name,
            source: NameSource::Dns,
            chain,
            evidence: Evidence::Dns,
            ..event(sample)
        });
    }

    /// The client's words carry no name, unless they did already.
    pub(super) fn settle(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) {
        if memo.said != Said::Nothing {
            return;
        }
        memo.said = Said::NoName;
        self.tell_nameless(sample, memo.speaks, out);
    }

    /// A server showed its certificate to a client that said no name: its only name is told; of
    /// several, only the one that DNS gave this address. Or to one that said a name as Tor's
    /// clients make them up: that name is told again when the certificate is made up, too.
    pub(super) fn certificate(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        der: &[u8],
        out: &mut Vec<NameEvent>,
    ) {
        if let Wants::Tor(name) = &memo.wants {
            if certificate::is_tor(der) {
                let told = Told {
                    name: name.to_string(),
                    source: NameSource::Sni,
                    protocol: AppProtocol::Tor,
                    hello: ClientHello::default(),
                };
                memo.speaks = AppProtocol::Tor;
                // The same name once more: what is spoken is another thing.
                memo.told = None;
                self.tell(sample, memo, told, out);
            }
            return;
        }
        self.stats.certificates += 1;
        let name = self.name_shown(sample, &certificate::names(der));
        let Some(name) = name.filter(|name| is_hostname(name)) else {
            self.stats.certificates_without_name += 1;
            return;
        };
        let told = Told {
            name,
            source: NameSource::Certificate,
            protocol: memo.speaks,
            hello: ClientHello::default(),
        };
        self.tell(sample, memo, told, out);
    }

    pub(super) fn tell_nameless(
        &mut self,
        sample: &Sample<'_>,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        self.stats.nameless += 1;
        let is_bound = self.bound(sample).next().is_some();
        out.push(NameEvent {
            source: NameSource::Nameless,
            protocol,
            evidence: if is_bound {
                Evidence::Dns
            } else {
                Evidence::Unasked
            },
            ..event(sample)
        });
    }

    /// The name that a certificate's names give, when it is sure.
    fn name_shown(&self, sample: &Sample<'_>, names: &[String]) -> Option<String> {
        let is_shown = |host: &&str| {
            names
                .iter()
                .any(|pattern| certificate::covers(pattern, host))
        };
        let mut bound = self
            .bound(sample)
            .map(|binding| &*binding.name)
            .filter(is_shown);
        match (names, bound.next(), bound.next()) {
            (_, Some(host), None) => Some(host.to_owned()),
            ([only], ..) => hostname(only.as_bytes()),
            _ => None,
        }
    }

    /// What the answers this client got say of a name that it said, and the aliases behind it.
    fn evidence(&self, sample: &Sample<'_>, name: &str) -> (Evidence, Vec<String>) {
        let (client, server) = (flow::inside(&sample.key), flow::outside(&sample.key));
        if name
            .parse::<IpAddr>()
            .is_ok_and(|address| address == server)
        {
            // The address itself: no name that an answer could contradict.
            return (Evidence::Unasked, Vec::new());
        }
        let mut asked = false;
        for binding in self.bound(sample) {
            asked = true;
            let bound = &*binding.name;
            // The name shown in front of an encrypted hello for the name that was asked.
            if bound == name
                || binding.chain.iter().any(|alias| &**alias == name)
                || self.services.is_shown(client, bound, name, self.now_ns)
            {
                return (Evidence::Confirmed, chain(binding));
            }
            // The host that an HTTPS record named as provider of the name.
            if self.services.is_target(client, name, bound, self.now_ns) {
                let mut aliases = vec![bound.to_owned()];
                aliases.extend(chain(binding));
                return (Evidence::Confirmed, aliases);
            }
        }
        // A name that was forgotten to make room may have been this one.
        let is_known = asked && !self.bindings.may_have_more(client, server, self.now_ns);
        let evidence = if is_known {
            Evidence::Contradicted
        } else {
            Evidence::Unasked
        };
        (evidence, Vec::new())
    }

    fn bound(&self, sample: &Sample<'_>) -> impl Iterator<Item = &Binding> {
        self.bindings.all(
            flow::inside(&sample.key),
            flow::outside(&sample.key),
            self.now_ns,
        )
    }
}

/// What is spoken inside TLS or QUIC, where port or ALPN say so.
fn inside(sample: &Sample<'_>, protocol: AppProtocol, hello: &ClientHello) -> AppProtocol {
    let offers = |name: &str| hello.alpn.iter().any(|offered| offered == name);
    match protocol {
        AppProtocol::Tls if sample.key.outside_port == PORT_DOT || offers("dot") => {
            AppProtocol::Dot
        }
        // Registered for TLS from the first byte on, and for nothing else.
        AppProtocol::Tls if offers("postgresql") => AppProtocol::Postgresql,
        AppProtocol::Tls if offers("tds/8.0") => AppProtocol::Tds,
        AppProtocol::Quic if offers("doq") => AppProtocol::Doq,
        protocol => protocol,
    }
}

fn chain(binding: &Binding) -> Vec<String> {
    binding.chain.iter().map(ToString::to_string).collect()
}

/// An event of a sample's flow that says nothing yet.
pub(super) fn event(sample: &Sample<'_>) -> NameEvent {
    NameEvent {
        key: sample.key,
        first_ns: sample.first_ns,
        time_ns: sample.time_ns,
        name: String::new(),
        source: NameSource::Nameless,
        protocol: AppProtocol::Unknown,
        alpn: Vec::new(),
        ech: Ech::None,
        chain: Vec::new(),
        evidence: Evidence::Unasked,
        ja4: None,
    }
}
