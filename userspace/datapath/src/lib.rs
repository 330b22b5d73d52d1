//! octroi-datapath: the only crate that knows the kernel.
//!
//! Owns: the embedded kernel object, its loading, pinning, adoption after a restart and upgrade in
//! place; attaching to interfaces; filling and flipping the tables of atlas and policy; reading
//! flows, counters and rings. Depends on `octroi-abi` for shapes, on `octroi-policy` and
//! `octroi-geo-db` for the tables it is given. Refuses to depend on what a policy or an atlas
//! means, on async runtimes, and on files other than those under its pin root.
//!
//! The programs, links and maps are pinned: they outlive the process, and the next
//! [`Datapath::load`] adopts them. Nothing here is undone by dropping a [`Datapath`]; only
//! [`Datapath::detach`] opens the gate.

mod answers;
mod atlas;
mod attach;
mod bpffs;
mod checksum;
mod clock;
mod counters;
mod detach;
mod error;
mod fault;
mod features;
mod flows;
mod gateway;
mod interface;
mod links;
mod load;
mod mapping;
mod memory;
mod neighbours;
mod object;
mod place;
mod policy;
mod prefixes;
mod previous;
mod privilege;
mod release;
mod ring;
mod run;
mod shapes;
mod sound;
mod switch;
mod sys;
mod table;
mod tables;
mod upgrade;
mod wire;

pub use answers::{Answers, answer};
pub use attach::{AttachReport, Attachment, XdpMode};
pub use counters::Counters;
pub use detach::DetachReport;
pub use error::DatapathError;
pub use fault::FaultPoint;
pub use flows::{Rewritten, VerdictChange};
pub use interface::LinkKind;
pub use load::{Datapath, LoadOptions, LoadReport};
pub use neighbours::{Neighbours, neighbours};
pub use object::{OBJECT_VERSIONS, object};
pub use place::Role;
pub use release::{MAX_FRAME_BYTES, Release};
pub use ring::{EventRing, HeldRecord, HeldRing, SampleRecord, SampleRing};
pub use run::{Program, RunReport, Shuffle};
pub use sound::is_sound;
pub use switch::Applied;
pub use upgrade::TakeOver;

/// Where pins stand when nothing else is said.
pub const DEFAULT_PIN_ROOT: &str = "/sys/fs/bpf/octroi";
