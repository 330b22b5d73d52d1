//! The question: what is judged, and what is known of it.

use std::cell::OnceCell;
use std::net::IpAddr;

use jiff::civil::Date;
use octroi_abi::opaque::Opaque;
use octroi_geo_db::catalogue::{Catalogue, Group, Regime, Service};
use octroi_geo_db::profile::{CountryCode, Profile};

use crate::model::Policy;

/// What is judged: one flow, as far as it is known.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What groups, services and laws mean.
    pub catalogue: &'a Catalogue,
    /// Zone number of the source ([`Policy::zone_of`]); 0: in no zone.
    pub zone: u8,
    /// Where it goes. IPv4-mapped addresses are judged as IPv4.
    pub destination: IpAddr,
    /// What is known of the destination. A service that was derived from the name is already laid
    /// over it (`Catalogue::profile_with_service`).
    pub profile: &'a Profile,
    /// AS that announces the destination.
    pub asn: Option<u32>,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port; 0 when the protocol has none.
    pub port: u16,
    /// Host name, when one was learned (DNS, SNI, QUIC, Host).
    pub name: Option<&'a str>,
    /// What hides the answer, if anything.
    pub opaque: Opaque,
    /// Day of the evaluation: qualifications and adequacy are dated.
    pub at: Date,
}

/// What the three axes, the service and the zones say of a subject; costly facts are found once.
pub(crate) struct Facts<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) destination: IpAddr,
    policy: &'a Policy,
    hosting_regime: OnceCell<Regime>,
    control_regime: OnceCell<Regime>,
    service: OnceCell<Option<&'a Service>>,
    destination_zone: OnceCell<u8>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(policy: &'a Policy, subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            destination: subject.destination.to_canonical(),
            policy,
            hosting_regime: OnceCell::new(),
            control_regime: OnceCell::new(),
            service: OnceCell::new(),
            destination_zone: OnceCell::new(),
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

    /// Zone the destination is in.
    pub(crate) fn destination_zone(&self) -> u8 {
        *self
            .destination_zone
            .get_or_init(|| self.policy.zone_of(self.destination))
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
