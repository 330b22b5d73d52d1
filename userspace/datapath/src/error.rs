//! What can go wrong between the daemon and the kernel, and what to do about it.

use std::io;
use std::path::PathBuf;

/// An operation on the kernel that failed: what, on which object, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatapathError {
    /// The process may not use BPF.
    #[error(
        "{operation} needs the privileges {missing}, which this process does not have: run it as \
         root, or grant them (systemd: AmbientCapabilities={missing})"
    )]
    MissingPrivilege {
        /// What was tried.
        operation: &'static str,
        /// Names of capabilities, separated by spaces.
        missing: String,
    },
    /// The kernel has no type information.
    #[error(
        "the kernel gives no BTF (/sys/kernel/btf/vmlinux is missing): use a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y (the distribution kernels of Debian 12+, Ubuntu 22.04+, RHEL 9+ \
         are)"
    )]
    NoBtf,
    /// The kernel lacks a feature.
    #[error("the kernel is {found} and has no {feature}: Octroi needs Linux {needed} or newer")]
    KernelTooOld {
        /// Release of the running kernel.
        found: String,
        /// What is missing.
        feature: &'static str,
        /// Release that has it.
        needed: &'static str,
    },
    /// The pin root is not on a BPF file system, and none could be mounted.
    #[error(
        "{path} is not on a BPF file system and mounting one at {mount_point} failed: {source}; \
         mount it yourself (mount -t bpf bpf {mount_point}) or choose another pin root"
    )]
    NoBpffs {
        /// Pin root.
        path: PathBuf,
        /// Where mounting was tried.
        mount_point: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file operation under the pin root failed.
    #[error("cannot {operation} {path}: {source}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A pinned map is not of this version's shape.
    #[error(
        "the pinned map {path} has {difference}: it was made by another build of Octroi; nothing \
         was changed. Run `octroi detach` (the gate then stands open) and start again"
    )]
    PinnedShape {
        /// The pin.
        path: PathBuf,
        /// What differs: "value size 80, but this build has 88".
        difference: String,
    },
    /// A newer Octroi left a directory here, without a gate.
    #[error(
        "{path} is of ABI {abi}, which is newer than this build and guards no interface: nothing was \
         changed. Start the newer Octroi, or remove what it left (rm -r {path}) and start this one"
    )]
    NewerPins {
        /// Its directory.
        path: PathBuf,
        /// Its ABI version.
        abi: u32,
    },
    /// The gate of a newer Octroi stands.
    #[error(
        "{path} is the gate of a newer Octroi (ABI {abi}), and it stands: nothing was changed, it goes \
         on. Start the newer Octroi; or take its gate down with `octroi detach` (packets then pass \
         unseen) and start this one"
    )]
    NewerGate {
        /// Its directory.
        path: PathBuf,
        /// Its ABI version.
        abi: u32,
    },
    /// Links are pinned whose maps are not.
    #[error(
        "programs stand on {interfaces} and the pins of their maps {missing} are gone from {path}: \
         somebody removed them. What is in force stays in force, but cannot be changed any more. Run \
         `octroi detach` (packets then pass unseen) and start again"
    )]
    MissingPins {
        /// Directory of the maps.
        path: PathBuf,
        /// Names of the maps.
        missing: String,
        /// Names of the interfaces.
        interfaces: String,
    },
    /// A test made a step fail.
    #[cfg(feature = "fault-points")]
    #[error("a test made the step {point} fail")]
    Fault {
        /// Name of the fault point.
        point: &'static str,
    },
    /// The kernel object could not be loaded.
    #[error("cannot load the kernel object: {0}")]
    Load(#[source] Box<aya::EbpfError>),
    /// The kernel refused a program.
    #[error("the kernel refused the program {program}: {source}")]
    Program {
        /// Name of the program.
        program: &'static str,
        /// Why.
        source: Box<aya::programs::ProgramError>,
    },
    /// The kernel object does not hold what this crate expects: a broken build.
    #[error("the embedded kernel object has no {what} {name}: rebuild it (cargo xtask ebpf)")]
    Object {
        /// "map" or "program".
        what: &'static str,
        /// Its name.
        name: &'static str,
    },
    /// A map operation failed.
    #[error("cannot {operation} the map {map}: {source}")]
    Map {
        /// What was tried.
        operation: &'static str,
        /// Name of the map.
        map: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no such interface in this network namespace.
    #[error(
        "there is no interface \"{interface}\" in this network namespace: correct its name \
         (ip link shows what there is)"
    )]
    NoSuchInterface {
        /// Name.
        interface: String,
    },
    /// The interface carries frames of a kind that is not parsed.
    #[error(
        "the interface \"{interface}\" carries neither Ethernet frames nor plain IP packets \
         (hardware type {hardware_type} of linux/if_arp.h): choose the Ethernet, tun or tunnel \
         interface of the inside network"
    )]
    LinkUnknown {
        /// Name.
        interface: String,
        /// `ARPHRD_*` number.
        hardware_type: u16,
    },
    /// Somebody else's XDP program is there.
    #[error(
        "the interface \"{interface}\" already runs the XDP program \"{name}\" (id {id}), which is \
         not this Octroi's: remove it (ip link set dev {interface} xdp off; bpftool prog show id \
         {id} tells whose it is) or choose another interface"
    )]
    ForeignXdp {
        /// Interface.
        interface: String,
        /// Name of the program.
        name: String,
        /// Its id.
        id: u32,
    },
    /// Native XDP is not possible.
    #[error(
        "native XDP is not possible on \"{interface}\": {reason}; ask for generic XDP (slower: \
         xdp_mode = \"generic\") or change the interface"
    )]
    NativeXdp {
        /// Interface.
        interface: String,
        /// Why, in words.
        reason: String,
    },
    /// Attaching failed otherwise.
    #[error("cannot attach {program} to \"{interface}\": {source}")]
    Attach {
        /// Program.
        program: &'static str,
        /// Interface.
        interface: String,
        /// Why.
        source: io::Error,
    },
    /// Tables that do not fit, or contradict themselves. Nothing was changed.
    #[error("the tables of the {what} cannot be loaded: {reason}; the ones in force stay")]
    Tables {
        /// "policy" or "atlas".
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A ring has one reader.
    #[error("the ring {ring} was already taken: it has one reader")]
    RingTaken {
        /// Name of the map.
        ring: &'static str,
    },
}

impl DatapathError {
    /// A map operation that failed.
    pub(crate) fn map(
        operation: &'static str,
        map: &'static str,
        error: aya::maps::MapError,
    ) -> Self {
        Self::Map {
            operation,
            map,
            source: io_error(error),
        }
    }
}

/// The system's error inside a map error, if there is one: the rest of the chain adds no fact.
pub(crate) fn io_error(error: aya::maps::MapError) -> io::Error {
    match error {
        aya::maps::MapError::SyscallError(error) => error.io_error,
        aya::maps::MapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
