//! Building an atlas: from what sources say to the layers of an atlas file.

mod assemble;
mod family;
mod lists;
#[cfg(test)]
pub(crate) mod small;
#[cfg(test)]
mod tests;

pub use self::assemble::{assemble, newest};
