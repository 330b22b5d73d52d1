//! What the kernel must be able to do, asked feature by feature and by name: a distribution's kernel
//! has features of newer ones and lacks some that its number promises.

#![expect(unsafe_code, reason = "bpf(2) takes a union by address")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;

use aya::maps::MapType;
use aya::programs::{ProgramError, ProgramType};
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported};

use crate::error::DatapathError;
use crate::sys::bpf;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_TCX_EGRESS: u32 = 47;
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;
/// The loopback interface of every network namespace.
const LOOPBACK: u32 = 1;
/// Smallest frame that a test run takes.
const FRAME_BYTES: usize = 64;
/// `r0 = 2` (`XDP_PASS`); `exit` (RFC 9669).
const PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

const BTF: &str = "/sys/kernel/btf/vmlinux";
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// One feature.
struct Feature {
    /// Its name, as a kernel's configuration or manual page has it.
    name: &'static str,
    /// Release that brought it, and the option that turns it on.
    since: &'static str,
    /// Whether it is there. An error is no answer.
    is_there: fn() -> io::Result<bool>,
}

const fn feature(
    name: &'static str,
    since: &'static str,
    is_there: fn() -> io::Result<bool>,
) -> Feature {
    Feature {
        name,
        since,
        is_there,
    }
}

/// Every feature that the kernel programs or this crate use.
const FEATURES: [Feature; 18] = [
    feature("XDP programs", "4.8", || program(ProgramType::Xdp)),
    feature("TC classifier programs", "4.1, CONFIG_NET_CLS_ACT", || {
        program(ProgramType::SchedClassifier)
    }),
    feature(
        "XDP programs over several buffers (BPF_F_XDP_HAS_FRAGS)",
        "5.18",
        || answered(pass_program(BPF_F_XDP_HAS_FRAGS), &[libc::EINVAL]),
    ),
    feature("BPF_PROG_TEST_RUN of XDP programs", "4.12", test_run),
    feature(
        "programs replaced in a link (BPF_LINK_UPDATE)",
        "5.7",
        link_update,
    ),
    feature("TCX links", "6.6, CONFIG_NET_XGRESS", tcx),
    feature("array maps", "3.19", || map(MapType::Array)),
    feature("arrays of one value per CPU", "4.6", || {
        map(MapType::PerCpuArray)
    }),
    feature("hash maps", "3.19", || map(MapType::Hash)),
    feature("LRU hash maps", "4.10", || map(MapType::LruHash)),
    feature("longest prefix tries", "4.11", || map(MapType::LpmTrie)),
    feature("ring buffers", "5.8", || map(MapType::RingBuf)),
    feature("bpf_ktime_get_coarse_ns", "5.11", || {
        helper(BpfHelper::BPF_FUNC_ktime_get_coarse_ns)
    }),
    feature("bpf_xdp_load_bytes", "5.18", || {
        helper(BpfHelper::BPF_FUNC_xdp_load_bytes)
    }),
    feature("bpf_xdp_store_bytes", "5.18", || {
        helper(BpfHelper::BPF_FUNC_xdp_store_bytes)
    }),
    feature("bpf_xdp_get_buff_len", "5.18", || {
        helper(BpfHelper::BPF_FUNC_xdp_get_buff_len)
    }),
    feature("bpf_xdp_adjust_tail", "4.18", || {
        helper(BpfHelper::BPF_FUNC_xdp_adjust_tail)
    }),
    feature("BTF of the kernel", "5.4, CONFIG_DEBUG_INFO_BTF", || {
        Ok(Path::new(BTF).exists())
    }),
];

/// Asks for every feature.
///
/// # Errors
/// All that are missing, in one error.
pub(crate) fn check() -> Result<(), DatapathError> {
    let missing = FEATURES
        .iter()
        .filter(|feature| matches!((feature.is_there)(), Ok(false)));
    let text = in_words(missing);
    if text.is_empty() {
        return Ok(());
    }
    Err(DatapathError::MissingFeatures {
        found: release(),
        missing: text,
    })
}

fn in_words<'a>(missing: impl Iterator<Item = &'a Feature>) -> String {
    let mut text = String::new();
    for feature in missing {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{separator}{} (Linux {})",
            feature.name, feature.since
        );
    }
    text
}

/// What works, but not as it should.
pub(crate) fn warnings() -> Vec<String> {
    let jit = fs::read_to_string(JIT).unwrap_or_default();
    slow(&jit).into_iter().collect()
}

fn slow(jit: &str) -> Option<String> {
    (jit.trim() == "0").then(|| {
        format!(
            "the kernel interprets BPF programs ({JIT} is 0), which costs several times more for \
             each packet: sysctl -w net.core.bpf_jit_enable=1"
        )
    })
}

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(
        |_| "of an unknown release".to_owned(),
        |release| release.trim().to_owned(),
    )
}

fn program(kind: ProgramType) -> io::Result<bool> {
    is_program_supported(kind).map_err(io::Error::other)
}

fn map(kind: MapType) -> io::Result<bool> {
    is_map_supported(kind).map_err(|error| error.io_error)
}

fn helper(helper: BpfHelper) -> io::Result<bool> {
    is_helper_supported(ProgramType::Xdp, helper).map_err(|error| match error {
        ProgramError::SyscallError(error) => error.io_error,
        other => io::Error::other(other),
    })
}

/// `Ok(false)` for the errors that say "not known here".
fn answered<T>(result: io::Result<T>, unknown: &[i32]) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .raw_os_error()
                .is_some_and(|code| unknown.contains(&code)) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// `bpf_attr`, the member of `BPF_PROG_LOAD`, as far as the flags.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// A program that passes everything.
fn pass_program(flags: u32) -> io::Result<OwnedFd> {
    let mut attributes = LoadAttributes {
        kind: BPF_PROG_TYPE_XDP,
        instruction_count: 2,
        instructions: PASS.as_ptr().addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags,
    };
    let fd = bpf(BPF_PROG_LOAD, &mut attributes)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel just made it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `bpf_attr`, the `test` member, as far as the duration.
#[repr(C)]
struct TestRunAttributes {
    program: u32,
    return_value: u32,
    data_in_bytes: u32,
    data_out_bytes: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

fn test_run() -> io::Result<bool> {
    /// `ENOTSUPP` of the kernel's own: not among the numbers of the C library.
    const NOT_SUPPORTED: i32 = 524;
    let program = pass_program(0)?;
    let frame = [0_u8; FRAME_BYTES];
    let mut attributes = TestRunAttributes {
        program: u32::try_from(program.as_raw_fd()).map_err(io::Error::other)?,
        return_value: 0,
        data_in_bytes: u32::try_from(FRAME_BYTES).map_err(io::Error::other)?,
        data_out_bytes: 0,
        data_in: frame.as_ptr().addr() as u64,
        data_out: 0,
        repeat: 1,
        duration: 0,
    };
    let ran = bpf(BPF_PROG_TEST_RUN, &mut attributes);
    answered(ran, &[NOT_SUPPORTED, libc::EINVAL])
}

fn link_update() -> io::Result<bool> {
    // No link has this descriptor. A kernel that knows the call says so; another, EINVAL.
    let mut attributes = [u32::MAX, u32::MAX, 0, 0];
    match bpf(BPF_LINK_UPDATE, &mut attributes) {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(true),
        other => answered(other, &[libc::EINVAL]),
    }
}

/// `bpf_attr`, the `query` member, as far as the count.
#[repr(C)]
struct QueryAttributes {
    ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    program_ids: u64,
    program_count: u32,
    pad: u32,
}

fn tcx() -> io::Result<bool> {
    let mut attributes = QueryAttributes {
        ifindex: LOOPBACK,
        attach_type: BPF_TCX_EGRESS,
        query_flags: 0,
        attach_flags: 0,
        program_ids: 0,
        program_count: 0,
        pad: 0,
    };
    answered(bpf(BPF_PROG_QUERY, &mut attributes), &[libc::EINVAL])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_release() {
        let missing = FEATURES.iter().filter(|feature| {
            feature.name.starts_with("TCX") || feature.name.contains("load_bytes")
        });
        assert_eq!(
            in_words(missing),
            "TCX links (Linux 6.6, CONFIG_NET_XGRESS); bpf_xdp_load_bytes (Linux 5.18)"
        );
    }

    #[test]
    fn errors_that_are_no_answer_are_not_taken_for_one() {
        let error = |code| Err::<(), _>(io::Error::from_raw_os_error(code));
        assert!(answered(Ok(()), &[libc::EINVAL]).unwrap());
        assert!(!answered(error(libc::EINVAL), &[libc::EINVAL]).unwrap());
        assert!(answered(error(libc::EPERM), &[libc::EINVAL]).is_err());
    }

    #[test]
    fn an_interpreter_is_warned_of() {
        assert!(slow("0\n").unwrap().contains("net.core.bpf_jit_enable=1"));
        assert_eq!(slow("1\n"), None);
        assert_eq!(
            slow(""),
            None,
            "a kernel that always compiles has no such setting"
        );
    }
}
