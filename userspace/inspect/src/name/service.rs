//! What HTTPS answers told each client: who provides a name, and the keys of its encrypted hellos.

use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::Ech;
use super::binding::lifetime_ns;
use super::fair::{Bound, Fair};
use super::svcb::{EchConfig, ServiceRecord};
use super::tls::EncryptedHello;
use crate::flow::mapped;

/// Targets and identifiers kept of one name.
const MAX_EACH: usize = 8;
/// What a name, and a target or a key, take beside their text, about, bytes.
const SERVICE_BYTES: usize = 256;
const EACH_BYTES: usize = 32;

/// Names that providers show in the outer hello in place of their customers' names.
const PROVIDERS: [&str; 1] = ["cloudflare-ech.com"];

/// What a client was told of a name.
#[derive(Default)]
struct Service {
    client: [u8; 16],
    name: Box<str>,
    until_ns: u64,
    /// An answer about this very name was seen.
    is_answered: bool,
    /// The keys it holds.
    configs: Vec<EchConfig>,
    /// Hosts that provide it.
    targets: Vec<Box<str>>,
    /// Identifiers of the keys of other names that show this one.
    shown_by: Vec<u8>,
}

impl Service {
    /// What it takes, about, bytes.
    fn weight(&self) -> usize {
        let configs = self.configs.iter().map(|config| config.public_name.len());
        let targets = self.targets.iter().map(|target| target.len());
        let texts = configs.chain(targets).map(|bytes| EACH_BYTES + bytes);
        SERVICE_BYTES + self.name.len() + texts.sum::<usize>()
    }
}

/// Service records by client and name. Bounded: the client that holds most forgets its oldest.
pub(super) struct Services {
    known: Fair<u64, Service>,
    hasher: RandomState,
}

impl Services {
    /// At most so many, and about so many bytes of names.
    pub(super) fn new(services: usize, bytes: usize) -> Self {
        Self {
            known: Fair::new(Bound {
                things: services,
                weight: bytes,
            }),
            hasher: RandomState::default(),
        }
    }

    /// Records forgotten to make room.
    pub(super) fn evicted(&self) -> u64 {
        self.known.evicted
    }

    /// What is held takes, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.known.weight()
    }

    /// `client` asked for the service of `name` and was answered these records, or none.
    pub(super) fn learn(
        &mut self,
        client: IpAddr,
        name: &str,
        records: &[(&ServiceRecord, u32)],
        now_ns: u64,
    ) {
        let ttl = records.iter().map(|(_, ttl)| *ttl).min().unwrap_or(0);
        let until_ns = now_ns.saturating_add(lifetime_ns(ttl));
        let Some((key, service)) = self.entry(client, name, until_ns, now_ns) else {
            return;
        };
        service.is_answered = true;
        service.configs.clear();
        service.targets.clear();
        let mut shown = Vec::new();
        for (record, _) in records {
            let room = MAX_EACH.saturating_sub(service.configs.len());
            service
                .configs
                .extend(record.ech.iter().take(room).cloned());
            if let Some(target) = &record.target
                && service.targets.len() < MAX_EACH
            {
                service.targets.push(target.as_str().into());
            }
        }
        shown.extend(service.configs.iter().cloned());
        let weight = service.weight();
        self.known.weigh(&key, weight);
        for config in shown {
            let Some((key, service)) = self.entry(client, &config.public_name, until_ns, now_ns)
            else {
                continue;
            };
            let shown_by = &mut service.shown_by;
            if !shown_by.contains(&config.id) {
                if shown_by.len() >= MAX_EACH {
                    shown_by.remove(0);
                }
                shown_by.push(config.id);
            }
            let weight = service.weight();
            self.known.weigh(&key, weight);
        }
    }

    /// Whether `client` was told that `host` provides `name`.
    pub(super) fn is_target(&self, client: IpAddr, name: &str, host: &str, now_ns: u64) -> bool {
        self.get(client, name, now_ns)
            .is_some_and(|service| service.targets.iter().any(|target| **target == *host))
    }

    /// Whether `client` was given keys for `name` whose hello shows `shown`.
    pub(super) fn is_shown(&self, client: IpAddr, name: &str, shown: &str, now_ns: u64) -> bool {
        self.get(client, name, now_ns).is_some_and(|service| {
            service
                .configs
                .iter()
                .any(|config| config.public_name == shown)
        })
    }

    /// What an encrypted hello beside the server name `name` is.
    pub(super) fn classify(
        &self,
        client: IpAddr,
        name: &str,
        hello: EncryptedHello,
        now_ns: u64,
    ) -> Ech {
        let service = self.get(client, name, now_ns);
        let fits = |service: &Service| {
            hello
                .config_id
                .is_some_and(|id| service.shown_by.contains(&id))
        };
        let without_keys = service.is_some_and(|service| {
            service.is_answered && service.configs.is_empty() && service.shown_by.is_empty()
        });
        if service.is_some_and(fits) || PROVIDERS.contains(&name) && !without_keys {
            Ech::Real
        } else if without_keys {
            Ech::Grease
        } else {
            Ech::Possible
        }
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now_ns: u64) {
        self.known.retain(|_, service| service.until_ns > now_ns);
    }

    fn get(&self, client: IpAddr, name: &str, now_ns: u64) -> Option<&Service> {
        let client = mapped(client);
        self.known
            .get(&self.hasher.hash_one((client, name)))
            .filter(|service| {
                service.client == client && *service.name == *name && service.until_ns > now_ns
            })
    }

    fn entry(
        &mut self,
        client: IpAddr,
        name: &str,
        until_ns: u64,
        now_ns: u64,
    ) -> Option<(u64, &mut Service)> {
        let client = mapped(client);
        let key = self.hasher.hash_one((client, name));
        if !self.known.contains(&key) {
            self.known.insert(&client, key, Service::default());
        }
        let service = self.known.get_mut(&key)?;
        if service.client != client || *service.name != *name || service.until_ns <= now_ns {
            *service = Service {
                client,
                name: name.into(),
                ..Service::default()
            };
        }
        service.until_ns = service.until_ns.max(until_ns);
        Some((key, service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn hello(id: u8) -> EncryptedHello {
        EncryptedHello {
            kdf: 1,
            aead: 1,
            config_id: Some(id),
        }
    }

    fn keys(id: u8, public_name: &str) -> ServiceRecord {
        ServiceRecord {
            priority: 1,
            ech: vec![EchConfig {
                id,
                public_name: public_name.to_owned(),
            }],
            ..ServiceRecord::default()
        }
    }

    #[test]
    fn encrypted_hellos_are_told_from_placeholders() {
        let mut services = Services::new(100, 1 << 20);
        let client: IpAddr = "10.0.0.1".parse().unwrap();
        let other: IpAddr = "10.0.0.2".parse().unwrap();
        let record = keys(7, "public.example");
        services.learn(client, "secret.example", &[(&record, 300)], 0);
        services.learn(client, "plain.example", &[], 0);
        services.learn(client, "cloudflare-ech.com", &[], 0);
        let cases = [
            (client, "public.example", 7, Ech::Real),
            (client, "public.example", 8, Ech::Possible),
            (client, "secret.example", 7, Ech::Possible),
            (client, "plain.example", 7, Ech::Grease),
            (client, "unasked.example", 7, Ech::Possible),
            (other, "public.example", 7, Ech::Possible),
            (other, "plain.example", 7, Ech::Possible),
            (other, "cloudflare-ech.com", 1, Ech::Real),
            (client, "cloudflare-ech.com", 1, Ech::Grease),
        ];
        for (who, name, id, expected) in cases {
            assert_eq!(
                services.classify(who, name, hello(id), 1),
                expected,
                "{name}"
            );
        }
        assert!(services.is_shown(client, "secret.example", "public.example", 1));
        assert_eq!(
            services.classify(client, "public.example", hello(7), HOUR_NS * 2),
            Ech::Possible,
            "over"
        );
        services.expire(HOUR_NS * 2);
        assert_eq!(services.known.len(), 0);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut services = Services::new(5, 1 << 20);
        let client: IpAddr = "10.0.0.1".parse().unwrap();
        for number in 0..20 {
            services.learn(client, &format!("n{number}.example"), &[], 0);
        }
        assert_eq!((services.known.len(), services.evicted()), (5, 15));
        let unknown = services.classify(client, "n3.example", hello(1), 1);
        assert_eq!(unknown, Ech::Possible);
        let known = services.classify(client, "n19.example", hello(1), 1);
        assert_eq!(known, Ech::Grease);
    }
}
