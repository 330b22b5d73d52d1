//! The question: what is judged, and what is known of it.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};

use jiff::civil::Date;
use octroi_abi::opaque::Opaque;
use octroi_geo_db::catalogue::{Catalogue, Group, Regime, Service};
use octroi_geo_db::profile::{CountryCode, Profile, SpecialUse};

use crate::model::Policy;
use crate::naming::{EchSeen, Naming, UNKNOWN_SPEECH};
use crate::sets::{Prefixes, ZoneSet};
use crate::transition::Embedded;

/// What is judged: one flow, as far as it is known.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What groups, services and laws mean.
    pub catalogue: &'a Catalogue,
    /// Zone number of the source ([`Policy::zone_of`]); 0: in no zone.
    pub zone: u8,
    /// Where it goes.
    pub destination: IpAddr,
    /// What is known of the destination, or of the IPv4 address that it embeds
    /// ([`Policy::looked_up`]). A service that was derived from the name is already laid over it
    /// (`Catalogue::profile_with_service`).
    pub profile: &'a Profile,
    /// AS that announces the same address.
    pub asn: Option<u32>,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port; 0 when the protocol has none.
    pub port: u16,
    /// Host name, when one was learned (DNS, SNI, QUIC, Host).
    pub name: Option<&'a str>,
    /// What the name rests on.
    pub naming: Naming,
    /// What the client speaks, one of [`crate::naming::SPEECH`]; `None`: not recognised, or not heard yet.
    pub speaks: Option<&'a str>,
    /// Whether the client hid its name.
    pub ech: EchSeen,
    /// Where the DNS answer for the name led (CNAME targets, in order). The service of one of them
    /// is laid over the profile when the name itself has none ([`crate::naming::service_behind`]).
    pub chain: &'a [String],
    /// What hides the answer, if anything.
    pub opaque: Opaque,
    /// Day of the evaluation: qualifications and adequacy are dated.
    pub at: Date,
}

impl<'a> Subject<'a> {
    /// A class of destinations, address, packet and name left open.
    pub(crate) const fn of_class(catalogue: &'a Catalogue, profile: &'a Profile, at: Date) -> Self {
        Self {
            catalogue,
            zone: 0,
            destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            profile,
            asn: None,
            protocol: 0,
            port: 0,
            name: None,
            naming: Naming::Pending,
            speaks: None,
            ech: EchSeen::None,
            chain: &[],
            opaque: Opaque::None,
            at,
        }
    }
}

/// What the three axes, the service and the zones say of a subject; costly facts are found once.
pub(crate) struct Facts<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) destination: IpAddr,
    /// What the destination is judged by, when that is not itself.
    pub(crate) embedded: Option<Embedded>,
    policy: &'a Policy,
    hosting_regime: OnceCell<Regime>,
    control_regime: OnceCell<Regime>,
    service: OnceCell<Option<&'a Service>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(policy: &'a Policy, subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            destination: subject.destination.to_canonical(),
            embedded: policy.embedded(subject.destination),
            policy,
            hosting_regime: OnceCell::new(),
            control_regime: OnceCell::new(),
            service: OnceCell::new(),
        }
    }

    fn regime(&self, country: CountryCode) -> Regime {
        self.subject.catalogue.regime_at(country, self.subject.at)
    }

    /// Whether the hosting country, which is `country`, belongs to a group.
    pub(crate) fn hosting_in(&self, country: CountryCode, group: Group) -> bool {
        let regime = self.hosting_regime.get_or_init(|| self.regime(country));
        group.holds(*regime)
    }

    /// Whether the country of control, which is `country`, belongs to a group.
    pub(crate) fn control_in(&self, country: CountryCode, group: Group) -> bool {
        let regime = self.control_regime.get_or_init(|| self.regime(country));
        group.holds(*regime)
    }

    /// The service as the catalogue knows it.
    pub(crate) fn service(&self) -> Option<&'a Service> {
        *self.service.get_or_init(|| {
            let id = self.subject.profile.service.as_deref()?;
            self.subject.catalogue.service(id)
        })
    }

    /// What the client is heard to speak; `None` while that may still come.
    pub(crate) fn speaks(&self) -> Option<&'a str> {
        match (self.subject.naming, self.subject.speaks) {
            (Naming::Pending, _) | (Naming::Dns, None) => None,
            (_, speaks) => Some(speaks.unwrap_or(UNKNOWN_SPEECH)),
        }
    }

    /// Whether the client hid its name; `None` while it has not spoken.
    pub(crate) fn ech(&self) -> Option<EchSeen> {
        self.speaks().map(|_| self.subject.ech)
    }

    /// The destination and, when it is judged by another address, that one.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let embedded = self.embedded.map(|embedded| embedded.address.into());
        std::iter::once(self.destination).chain(embedded)
    }

    /// Whether one of its addresses is in a set of prefixes, and none is excluded from it.
    pub(crate) fn in_prefixes(&self, prefixes: &Prefixes) -> bool {
        self.addresses().any(|address| prefixes.wants(address))
            && !self.addresses().any(|address| prefixes.excludes(address))
    }

    /// Whether it is in a set of zones: one of its addresses is; all of them when the set takes in
    /// what is in no zone.
    pub(crate) fn to_zones(&self, zones: ZoneSet) -> bool {
        let is_in = |address| zones.contains(self.policy.zone_of(address));
        if zones.contains(0) {
            self.addresses().all(is_in)
        } else {
            self.addresses().any(is_in)
        }
    }

    /// Zone the destination is in, or what it embeds.
    pub(crate) fn destination_zone(&self) -> u8 {
        let zones = self.addresses().map(|address| self.policy.zone_of(address));
        zones.into_iter().find(|&zone| zone != 0).unwrap_or(0)
    }

    /// Whether the destination is special in one of these ways, or embeds the address it is judged
    /// by in a way that is.
    pub(crate) fn is_special(&self, uses: &[SpecialUse]) -> bool {
        let special = self.subject.profile.special;
        special.is_some_and(|special| uses.contains(&special))
            || self.is_transition() && uses.contains(&SpecialUse::Transition)
    }

    /// Whether it is judged by an address that it embeds in a well-known form.
    pub(crate) fn is_transition(&self) -> bool {
        self.embedded
            .is_some_and(|embedded| embedded.via.is_special())
    }

    /// Whether something is known of how foreign law reaches the operator.
    pub(crate) fn laws_known(&self) -> bool {
        let control = &self.subject.profile.control;
        !control.laws.is_empty() || control.reach != octroi_geo_db::profile::Reach::Unknown
    }

    /// Schemes the service is qualified under on the day of the evaluation.
    pub(crate) fn qualifications(&self) -> impl Iterator<Item = &'a str> + Clone {
        let at = self.subject.at;
        let profile: &'a Profile = self.subject.profile;
        profile
            .qualifications
            .iter()
            .filter(move |held| {
                held.from.is_none_or(|from| from <= at)
                    && held.until.is_none_or(|until| at <= until)
            })
            .map(|held| held.scheme.as_ref())
    }
}
