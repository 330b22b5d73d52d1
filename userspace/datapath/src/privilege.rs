//! Whether this process and this kernel can do it at all, asked before anything is touched.

use std::fs;
use std::path::Path;

use aya::maps::MapType;
use aya::programs::ProgramType;
use aya::sys::{is_map_supported, is_program_supported};
use aya::util::KernelVersion;

use crate::error::DatapathError;

/// Bits of the effective capability set (capabilities(7)).
const NET_ADMIN: u32 = 12;
const SYS_ADMIN: u32 = 21;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

/// Checks privileges, kernel version, features and BTF.
pub(crate) fn check() -> Result<(), DatapathError> {
    capabilities("loading the kernel programs")?;
    let version = KernelVersion::current().ok();
    if version.is_some_and(|version| version < KernelVersion::new(6, 6, 0)) {
        return Err(too_old("TCX attachment"));
    }
    if !matches!(is_program_supported(ProgramType::Xdp), Ok(true)) {
        return Err(too_old("XDP (CONFIG_BPF_SYSCALL, CONFIG_XDP_SOCKETS)"));
    }
    if !matches!(is_map_supported(MapType::RingBuf), Ok(true)) {
        return Err(too_old("BPF ring buffer"));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err(DatapathError::NoBtf);
    }
    Ok(())
}

fn too_old(feature: &'static str) -> DatapathError {
    DatapathError::KernelTooOld {
        found: fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(
            |_| "unknown".to_owned(),
            |release| release.trim().to_owned(),
        ),
        feature,
        needed: "6.6",
    }
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

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
        assert_eq!(missing(1 << SYS_ADMIN), ["CAP_NET_ADMIN"]);
        assert_eq!(missing(1 << BPF | 1 << NET_ADMIN), ["CAP_PERFMON"]);
        assert!(missing(1 << SYS_ADMIN | 1 << NET_ADMIN).is_empty());
    }
}
