//! Where the programs stand: the role of an interface, its kind of link, and the programs for both.

use octroi_abi::name;

use crate::interface::LinkKind;

/// On which side of an interface those are who are guarded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Role {
    /// Beyond it: what comes in goes out into the world. A routed gateway, or the inside port of a
    /// bridge.
    #[default]
    Inside,
    /// This host itself: what it sends is outbound, what comes in is the way back.
    Host,
}

impl Role {
    /// The word used in configurations and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Host => "host",
        }
    }

    /// The role that is not this one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Inside => Self::Host,
            Self::Host => Self::Inside,
        }
    }

    /// File names of the pinned links: XDP, TCX egress.
    pub(crate) const fn pins(self) -> [&'static str; 2] {
        match self {
            Self::Inside => [name::PROGRAM_OUTBOUND, name::PROGRAM_REPLY],
            Self::Host => [name::PROGRAM_HOST_REPLY, name::PROGRAM_HOST_OUTBOUND],
        }
    }

    /// The programs for an interface: XDP, TCX egress.
    pub(crate) const fn programs(self, link: LinkKind) -> [&'static str; 2] {
        match (self, link) {
            (Self::Inside, LinkKind::Ethernet) => [name::PROGRAM_OUTBOUND, name::PROGRAM_REPLY],
            (Self::Inside, LinkKind::Bare) => [name::PROGRAM_OUTBOUND_L3, name::PROGRAM_REPLY_L3],
            (Self::Host, LinkKind::Ethernet) => {
                [name::PROGRAM_HOST_REPLY, name::PROGRAM_HOST_OUTBOUND]
            }
            (Self::Host, LinkKind::Bare) => {
                [name::PROGRAM_HOST_REPLY_L3, name::PROGRAM_HOST_OUTBOUND_L3]
            }
        }
    }
}
