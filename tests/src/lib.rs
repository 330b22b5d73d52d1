//! octroi-tests: the lab, and what is proved in it.
//!
//! Owns the lab (network namespaces, real servers that own real-world addresses, real clients),
//! the scenarios that say what each destination must look like from the client's chair, and the
//! end-to-end tests. It knows the product as its users do: through the binary `octroi`, its
//! command line and its files. Refuses to depend on any crate of the product, so that nothing here
//! can agree with the product by sharing its code.

pub mod client;
pub mod internet;
pub mod lab;
pub mod scenario;
