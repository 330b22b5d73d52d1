//! What the tests and the demonstration share.

pub(crate) mod fake;
pub(crate) mod places;
pub(crate) mod reasons;
pub(crate) mod sample;
pub(crate) mod watched;
