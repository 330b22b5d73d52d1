//! octroi-geo-db: under whose law an address stands.
//!
//! Owns: the readers of geographic and routing **sources**, the **catalogue** of reviewed facts
//! (countries, laws, operators, services, qualifications), their join into the **atlas** (prefix ->
//! class -> profile), look-ups with evidence, and the atlas in the shape the kernel wants.
//! Depends on `octroi-abi` for that shape. Refuses to depend on the network, on policies (an atlas
//! says what is, never what is allowed) and on the kernel.

pub mod atlas;
pub mod audit;
pub mod build;
pub mod catalogue;
pub mod compare;
pub mod guard;
pub mod profile;
pub mod source;

pub use atlas::{AsInfo, Atlas, AtlasError, AtlasMeta, Axis, Claim, Dossier, KernelTables, Layers};
pub use atlas::{Confidence, Confidences, Level, SourceInfo, SourceRole};
pub use catalogue::{Catalogue, CatalogueError, Group};
pub use octroi_abi::atlas::{CLASS_MAX, CLASS_UNKNOWN, ClassId};
