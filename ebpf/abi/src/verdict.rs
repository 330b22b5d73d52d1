//! What is done with a packet, by the policy's word.

/// The verdict of a policy. The order is the order of strictness: the stricter of two verdicts is
/// the greater one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Verdict {
    /// Pass.
    Allow = 0,
    /// Pass, and alert.
    Flag = 1,
    /// Drop, and tell the sender: TCP RST, or ICMP administratively prohibited
    /// (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1 code 1).
    Reject = 2,
    /// Drop in silence.
    Block = 3,
}

impl Verdict {
    /// Every verdict, by code.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Flag, Self::Reject, Self::Block];

    /// The code that crosses the kernel boundary.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The verdict of a code. A code that no version ever wrote is `None`, never "allow".
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Allow),
            1 => Some(Self::Flag),
            2 => Some(Self::Reject),
            3 => Some(Self::Block),
            _ => None,
        }
    }

    /// Whether packets under this verdict are stopped.
    #[must_use]
    pub const fn stops(self) -> bool {
        matches!(self, Self::Reject | Self::Block)
    }

    /// The word used in policies, messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Reject => "reject",
            Self::Block => "block",
        }
    }
}
