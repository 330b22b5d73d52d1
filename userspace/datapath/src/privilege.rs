//! Whether this process may do it at all, asked before anything is touched.

use std::fs;

use aya::maps::MapType;
use aya::sys::is_map_supported;

use crate::error::DatapathError;
use crate::features;

/// Bits of the effective capability set (capabilities(7)).
const NET_ADMIN: u32 = 12;
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// The whole of the numbers: the map of users of the initial namespace (`user_namespaces(7)`).
const EVERY_USER: &str = "0 0 4294967295";

/// Checks privileges, then the kernel's features.
pub(crate) fn check() -> Result<(), DatapathError> {
    capabilities("loading the kernel programs")?;
    bpf_call()?;
    features::check()
}

/// Makes the smallest use of bpf(2): privileges are not all that can stand in its way.
fn bpf_call() -> Result<(), DatapathError> {
    let Err(error) = is_map_supported(MapType::Array) else {
        return Ok(());
    };
    let source = error.io_error;
    if source.raw_os_error() == Some(libc::ENOSYS) {
        return Err(DatapathError::NoBpf);
    }
    Err(DatapathError::Denied {
        reason: obstacle(&Surroundings::look()),
        source,
    })
}

/// What can keep a process from bpf(2) whatever its capabilities.
struct Surroundings {
    /// `/proc/thread-self/status`.
    status: String,
    /// `/proc/self/uid_map`.
    users: String,
    /// The kernel's lockdown mode.
    lockdown: String,
}

impl Surroundings {
    fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            status: read("/proc/thread-self/status"),
            users: read("/proc/self/uid_map"),
            lockdown: read(LOCKDOWN),
        }
    }
}

/// The likeliest reason, and its remedy.
fn obstacle(around: &Surroundings) -> String {
    let mut users = around.users.split_whitespace();
    let is_initial = EVERY_USER.split(' ').all(|word| users.next() == Some(word));
    if !around.users.is_empty() && !is_initial {
        return "the process is in a user namespace, whose privileges do not reach BPF: start it \
                outside (no rootless container)"
            .to_owned();
    }
    let seccomp = around
        .status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"))
        .is_some_and(|mode| mode.trim() == "2");
    if seccomp {
        return "a seccomp filter is in force: allow the system call bpf (systemd: \
                SystemCallFilter=bpf; containers: the seccomp profile)"
            .to_owned();
    }
    if let Some(mode) = around
        .lockdown
        .split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .filter(|mode| *mode != "none")
    {
        return format!(
            "the kernel is locked down ({mode}, see {LOCKDOWN}): start it with lockdown=none or \
             allow BPF in its policy"
        );
    }
    "a security module refuses it (the audit log names it): allow BPF to this program in its policy"
        .to_owned()
}

/// Checks the effective capabilities of this process.
pub(crate) fn capabilities(operation: &'static str) -> Result<(), DatapathError> {
    let Some(effective) = effective() else {
        // No /proc: let the kernel say it.
        return Ok(());
    };
    let missing = missing(effective);
    if missing.is_empty() {
        return Ok(());
    }
    Err(DatapathError::MissingPrivilege {
        operation,
        missing: missing.join(" "),
    })
}

fn effective() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn missing(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective >> bit & 1 != 0;
    let wanted = [
        ("CAP_BPF", has(BPF) || has(SYS_ADMIN)),
        ("CAP_NET_ADMIN", has(NET_ADMIN)),
        ("CAP_PERFMON", has(PERFMON) || has(SYS_ADMIN)),
    ];
    wanted
        .into_iter()
        .filter(|(_, has)| !has)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(status: &str, users: &str, lockdown: &str) -> String {
        obstacle(&Surroundings {
            status: status.to_owned(),
            users: users.to_owned(),
            lockdown: lockdown.to_owned(),
        })
    }

    #[test]
    fn the_likeliest_obstacle_is_named() {
        let initial = "         0          0 4294967295\n";
        let free = "Name:\toctroi\nSeccomp:\t0\n";
        let text = around(free, "0 100000 65536\n", "");
        assert!(text.contains("user namespace"), "{text}");
        let text = around("Seccomp:\t2\n", initial, "");
        assert!(text.contains("seccomp"), "{text}");
        let text = around(free, initial, "none [integrity] confidentiality\n");
        assert!(text.contains("locked down (integrity"), "{text}");
        let text = around(free, initial, "[none] integrity confidentiality\n");
        assert!(text.contains("security module"), "{text}");
        assert_eq!(text, around("", "", ""), "nothing can be read");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(missing(1 << SYS_ADMIN), ["CAP_NET_ADMIN"]);
        assert_eq!(missing(1 << BPF | 1 << NET_ADMIN), ["CAP_PERFMON"]);
        assert!(missing(1 << SYS_ADMIN | 1 << NET_ADMIN).is_empty());
    }
}
