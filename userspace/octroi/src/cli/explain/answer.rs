//! The answer to one thing asked about: what `--json` writes, and its page.

use std::net::IpAddr;

use octroi_events::Residency;
use octroi_policy::Opaque;
use serde::Serialize;

use super::name::NameAnswer;
use super::past::PastAnswer;
use super::share::Shares;
use super::{Desk, name, past, share};
use crate::judge::{Named, Question};

/// One answer.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Answer {
    Address {
        destination: IpAddr,
        protocol: u8,
        port: u16,
        /// The object that an alert of this flow carries.
        residency: Box<Residency>,
    },
    Prefix(Shares),
    Name(Box<NameAnswer>),
    Flow(Box<PastAnswer>),
}

impl Desk {
    /// The question about an address in the circumstances of this desk.
    pub(super) fn question<'a>(
        &'a self,
        destination: IpAddr,
        name: Option<&'a str>,
    ) -> Question<'a> {
        Question {
            zone: self.zone,
            destination,
            protocol: self.protocol,
            port: self.port,
            named: Named::asked(name, self.protocol, self.port),
            opaque: Opaque::None,
            at: self.at,
        }
    }
}

impl Answer {
    pub(super) fn address(desk: &Desk, destination: IpAddr) -> Self {
        let question = desk.question(destination, desk.name.as_deref());
        Self::Address {
            destination,
            protocol: desk.protocol,
            port: desk.port,
            residency: Box::new(desk.judge.residency(&question, desk.language)),
        }
    }

    /// The answer as text.
    pub(super) fn page(&self, desk: &Desk) -> String {
        match self {
            Self::Address {
                destination,
                residency,
                ..
            } => {
                let question = desk.question(*destination, desk.name.as_deref());
                desk.judge.page(&question, residency, desk.language)
            }
            Self::Prefix(shares) => share::page(desk, shares),
            Self::Name(answer) => name::page(desk, answer),
            Self::Flow(answer) => past::page(desk, answer),
        }
    }
}
