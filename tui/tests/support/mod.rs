//! What the tests and the demonstration share.

pub(crate) mod fake;
mod places;
pub(crate) mod reasons;
pub(crate) mod sample;
