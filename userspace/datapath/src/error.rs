//! What can go wrong between the daemon and the kernel, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::shapes;

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
    /// The kernel was built without BPF.
    #[error("the kernel has no bpf(2): use one that is built with CONFIG_BPF_SYSCALL=y")]
    NoBpf,
    /// Something other than capabilities keeps the process from BPF.
    #[error(
        "the kernel refuses bpf(2) to this process, which has the capabilities: {reason} ({source})"
    )]
    Denied {
        /// What stands in the way, and the remedy.
        reason: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel lacks features.
    #[error(
        "the kernel ({found}) lacks: {missing}. Use Linux 6.6 or newer, with these options (the \
         kernels of Debian 13, Ubuntu 24.04 and RHEL 10 have them)"
    )]
    MissingFeatures {
        /// Release of the running kernel.
        found: String,
        /// Each missing feature with the release and the option that bring it.
        missing: String,
    },
    /// The BPF file system cannot be written.
    #[error(
        "the BPF file system that holds {path} is mounted read-only: mount it writable (mount -o \
         remount,rw) or choose another pin root"
    )]
    ReadOnlyBpffs {
        /// Pin root.
        path: PathBuf,
    },
    /// A held frame cannot go on.
    #[error(
        "a held frame of {bytes} bytes cannot go on by interface {ifindex} (BPF_PROG_RUN with live \
         frames: {source}): its sender has to send it again"
    )]
    Release {
        /// Index of the interface it came in by.
        ifindex: u32,
        /// Its length.
        bytes: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel found no memory.
    #[error(
        "the kernel has no memory to {operation} {object}: all maps together take about {maps_mib} MiB, \
         charged to the control group of this process; raise its limit (systemd: MemoryMax=; memory.max) \
         or free memory"
    )]
    NoMemory {
        /// What was tried.
        operation: &'static str,
        /// On which object.
        object: String,
        /// Memory that the maps take, MiB.
        maps_mib: u64,
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
    #[error("cannot load the kernel object: {reason}")]
    Load {
        /// The whole chain of causes.
        reason: String,
        /// The first of them.
        source: Box<aya::EbpfError>,
    },
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
        Self::map_call(operation, map, io_error(error))
    }

    /// A call on a map that failed.
    pub(crate) fn map_call(operation: &'static str, map: &'static str, source: io::Error) -> Self {
        if is_out_of_memory(&source) {
            return Self::NoMemory {
                operation,
                object: format!("the map {map}"),
                maps_mib: shapes::all_mib(),
            };
        }
        Self::Map {
            operation,
            map,
            source,
        }
    }

    /// The kernel object was not taken.
    pub(crate) fn load(error: aya::EbpfError) -> Self {
        if let aya::EbpfError::MapError(aya::maps::MapError::CreateError { name, io_error }) =
            &error
            && is_out_of_memory(io_error)
        {
            return Self::NoMemory {
                operation: "make",
                object: format!("the map {name}"),
                maps_mib: shapes::all_mib(),
            };
        }
        Self::Load {
            reason: chain(&error),
            source: Box::new(error),
        }
    }
}

fn is_out_of_memory(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOMEM)
}

/// An error and what it says of its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// The system's error inside a map error, if there is one: the rest of the chain adds no fact.
pub(crate) fn io_error(error: aya::maps::MapError) -> io::Error {
    match error {
        aya::maps::MapError::SyscallError(error) => error.io_error,
        aya::maps::MapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
