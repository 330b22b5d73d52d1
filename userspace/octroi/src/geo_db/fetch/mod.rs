//! Fetching what others publish, and keeping the last good copy of it.

mod cache;
mod http;
#[cfg(test)]
mod tests;

pub(super) use self::cache::{Cache, Staged};
pub(super) use self::http::Patience;
