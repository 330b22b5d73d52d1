//! When the kernel, or the machine, says no: the exact error and the remedy, and nothing changed.

#![expect(
    unsafe_code,
    reason = "capabilities and seccomp filters of one thread are set by system calls that nix has not"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use octroi_abi::control::{GATEWAY_ADDRESSES_ENTRIES, MARKS_ENTRIES, ZONES_ENTRIES};
use octroi_datapath::{Datapath, DatapathError, LoadOptions, XdpMode};

use crate::common::netns::{GATE, Pair};
use crate::common::{self, PinRoot, tables};

/// An interface that runs XDP behind the driver only: it has none.
const BRIDGE: &str = "br9";

const CAP_NET_ADMIN: u32 = 12;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Runs something on a thread of its own, with mounts of its own.
fn apart<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            run()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// An empty directory of this test, on a tmpfs of its own; seen by this thread only.
fn own_tmpfs(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("octroi-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    mount(
        Some("tmpfs"),
        &directory,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    directory
}

/// Leaves this thread these capabilities only.
fn keep_capabilities(kept: &[u32]) {
    const VERSION_3: u32 = 0x2008_0522;
    let mask = kept.iter().fold(0_u64, |mask, bit| mask | 1 << bit);
    let [low, high] = [mask & 0xffff_ffff, mask >> 32].map(|word| u32::try_from(word).unwrap());
    let header = [VERSION_3, 0];
    // Effective, permitted, inheritable; the low words, then the high ones.
    let data = [low, low, 0, high, high, 0];
    // SAFETY: capset(2) reads a header of 8 bytes and, of this version, 24 bytes of data.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Has every further bpf(2) of this thread fail with EPERM.
fn forbid_bpf() {
    let number = u32::try_from(libc::SYS_bpf).unwrap();
    let errno = u32::try_from(libc::EPERM).unwrap();
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // Load the number of the call; is it bpf? then the error, else on.
    let mut filter = [
        instruction(0x20, 0, 0, 0),
        instruction(0x15, 0, 1, number),
        instruction(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
        instruction(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: seccomp(2) reads a program of four instructions, which live for the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn refused(root: &Path) -> DatapathError {
    Datapath::load(&LoadOptions::new(root)).unwrap_err()
}

#[test]
fn missing_capabilities_are_named() {
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    let cases: [(&[u32], &str); 3] = [
        (&[], "CAP_BPF CAP_NET_ADMIN CAP_PERFMON"),
        (&[CAP_BPF, CAP_PERFMON], "CAP_NET_ADMIN"),
        (&[CAP_NET_ADMIN], "CAP_BPF CAP_PERFMON"),
    ];
    for (kept, missing) in cases {
        let error = apart(|| {
            keep_capabilities(kept);
            refused(root.path())
        });
        assert!(
            matches!(&error, DatapathError::MissingPrivilege { missing: found, .. } if found == missing),
            "{error}"
        );
        let remedy = format!("AmbientCapabilities={missing}");
        assert!(error.to_string().contains(&remedy), "{error}");
        let error = apart(|| {
            keep_capabilities(kept);
            Datapath::detach(root.path()).unwrap_err()
        });
        assert!(error.to_string().contains("detaching needs"), "{error}");
    }
    assert!(!root.path().exists(), "nothing was made");
}

#[test]
fn the_three_capabilities_are_enough_where_a_bpf_file_system_is_mounted() {
    if common::skipped() {
        return;
    }
    apart(|| {
        let directory = own_tmpfs("three");
        let root = directory.join("pins");
        let enough = [CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON];
        std::thread::scope(|scope| {
            let error = scope
                .spawn(|| {
                    keep_capabilities(&enough);
                    refused(&root)
                })
                .join()
                .unwrap();
            // On a tmpfs, and mounting takes more.
            let DatapathError::NoBpffs { mount_point, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(*mount_point, root);
            let remedy = format!("mount -t bpf bpf {}", root.display());
            assert!(error.to_string().contains(&remedy), "{error}");
        });
        // With the right to mount, a pin root on a tmpfs becomes a BPF file system.
        let datapath = Datapath::load(&LoadOptions::new(&root)).unwrap();
        assert_eq!(datapath.load_report().mounted.as_deref(), Some(&*root));
        drop(datapath);
        std::thread::scope(|scope| {
            let adopted = scope
                .spawn(|| {
                    keep_capabilities(&enough);
                    Datapath::load(&LoadOptions::new(&root)).map(|gate| gate.load_report().clone())
                })
                .join()
                .unwrap()
                .unwrap();
            assert!(adopted.adopted_maps > 0);
            assert_eq!(adopted.mounted, None);
        });
        Datapath::detach(&root).unwrap();
    });
    let directory = std::env::temp_dir().join(format!("octroi-three-{}", std::process::id()));
    fs::remove_dir(directory).unwrap();
}

#[test]
fn a_seccomp_filter_is_told_from_a_missing_capability() {
    if common::skipped() {
        return;
    }
    let root = PinRoot::new();
    let error = apart(|| {
        forbid_bpf();
        refused(root.path())
    });
    assert!(matches!(error, DatapathError::Denied { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("a seccomp filter is in force"), "{text}");
    assert!(text.contains("SystemCallFilter=bpf"), "{text}");
    assert!(!root.path().exists(), "nothing was made");
}

#[test]
fn a_read_only_bpf_file_system_is_named() {
    if common::skipped() {
        return;
    }
    apart(|| {
        let root = own_tmpfs("read-only");
        let flags = MsFlags::empty();
        mount(Some("bpf"), &root, Some("bpf"), flags, None::<&str>).unwrap();
        drop(Datapath::load(&LoadOptions::new(&root)).unwrap());
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, &root, None::<&str>, read_only, None::<&str>).unwrap();
        for error in [refused(&root), Datapath::detach(&root).unwrap_err()] {
            assert!(
                matches!(error, DatapathError::ReadOnlyBpffs { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("remount,rw"), "{error}");
        }
        let writable = MsFlags::MS_REMOUNT;
        mount(None::<&str>, &root, None::<&str>, writable, None::<&str>).unwrap();
        let adopted = Datapath::load(&LoadOptions::new(&root)).unwrap();
        assert!(adopted.load_report().adopted_maps > 0, "nothing was lost");
        drop(adopted);
        Datapath::detach(&root).unwrap();
    });
    let directory = std::env::temp_dir().join(format!("octroi-read-only-{}", std::process::id()));
    fs::remove_dir(directory).unwrap();
}

#[test]
fn maps_whose_pins_are_gone_under_a_standing_gate_are_named() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    pair.in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    drop(datapath);
    let maps = root
        .path()
        .join(format!("v{}", octroi_abi::ABI_VERSION))
        .join("maps");
    for map in ["ZONES", "CONTROL"] {
        fs::remove_file(maps.join(map)).unwrap();
    }
    let error = refused(root.path());
    let text = error.to_string();
    assert!(matches!(error, DatapathError::MissingPins { .. }), "{text}");
    assert!(text.contains("CONTROL, ZONES are gone"), "{text}");
    assert!(
        text.contains(GATE) && text.contains("octroi detach"),
        "{text}"
    );
    assert!(!maps.join("ZONES").exists(), "nothing was made");

    // The link of an interface that vanished holds nothing: the start goes on.
    pair.unplug();
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    let gone = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap_err();
    assert!(
        matches!(gone, DatapathError::NoSuchInterface { .. }),
        "{gone}"
    );
    let report = Datapath::detach(root.path()).unwrap();
    assert_eq!(report.interfaces, [GATE], "its dead links are removed");
    assert!(!root.path().exists());
}

#[test]
fn tables_that_are_full_are_refused_with_numbers_and_change_nothing() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let before = rig.datapath.active().unwrap();
    let many = |count: u32, value| -> Vec<(ipnet::IpNet, _)> {
        (0..count)
            .map(|number| {
                let net = ipnet::Ipv4Net::new(std::net::Ipv4Addr::from(number), 32).unwrap();
                (net.into(), value)
            })
            .collect()
    };
    let mut zones = tables::policy(true);
    zones.zones = many(ZONES_ENTRIES / 2 + 1, 1);
    let error = rig.datapath.apply_policy(&zones).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("8193 zone prefixes, room for 8192"),
        "{error}"
    );
    let marks: Vec<_> = many(MARKS_ENTRIES / 2 + 1, 1)
        .into_iter()
        .map(|(net, _)| (net, tables::marks(tables::MARK)))
        .collect();
    let mut marked = tables::policy(true);
    marked.marks = marks;
    let error = rig.datapath.apply_policy(&marked).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("262145 marked prefixes, room for 262144"),
        "{error}"
    );
    let addresses: Vec<_> = (0..=GATEWAY_ADDRESSES_ENTRIES)
        .map(|number| std::net::Ipv4Addr::from(number).into())
        .collect();
    let error = rig.datapath.set_gateway_addresses(&addresses).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("gateway addresses cannot be loaded: 4097 of them, room for 4096"),
        "{error}"
    );
    assert_eq!(rig.datapath.active().unwrap(), before);
    // To the last place, they fit, in both halves.
    zones.zones.pop();
    for _ in 0..2 {
        rig.datapath.apply_policy(&zones).unwrap();
    }
}

#[test]
fn a_mode_that_is_not_possible_does_not_open_what_was_guarded() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let link = |arguments: &[&str]| {
        let output = pair.in_gate(|| Command::new("ip").args(arguments).output().unwrap());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    link(&["link", "add", BRIDGE, "type", "bridge"]);
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    pair.in_gate(|| datapath.attach(BRIDGE, XdpMode::Generic))
        .unwrap();
    for _ in 0..2 {
        let error = pair
            .in_gate(|| datapath.attach(BRIDGE, XdpMode::Native))
            .unwrap_err();
        assert!(matches!(error, DatapathError::NativeXdp { .. }), "{error}");
        assert!(
            error.to_string().contains("xdp_mode = \"generic\""),
            "{error}"
        );
        let shown = link(&["link", "show", "dev", BRIDGE]);
        assert!(shown.contains("xdpgeneric"), "{shown}");
    }
    assert_eq!(Datapath::detach(root.path()).unwrap().links, 2);
}

/// Where a control group of this test can be made; `None`: this machine has no memory controller.
fn memory_group() -> Option<(PathBuf, &'static str)> {
    let name = format!("octroi-test-{}", std::process::id());
    let unified = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_to_string(unified.join("cgroup.subtree_control"));
    if controllers.is_ok_and(|names| names.split_whitespace().any(|name| name == "memory")) {
        return Some((unified.join(name), "memory.max"));
    }
    let separate = unified.join("memory");
    separate
        .join("memory.limit_in_bytes")
        .exists()
        .then(|| (separate.join(name), "memory.limit_in_bytes"))
}

const LOAD_ROOT: &str = "OCTROI_TEST_LOAD_ROOT";
const LOAD_GROUP: &str = "OCTROI_TEST_LOAD_GROUP";

/// The child of the test below: enters its control group, loads, says what came of it.
#[test]
fn child() {
    let Ok(root) = std::env::var(LOAD_ROOT) else {
        return;
    };
    let group = PathBuf::from(std::env::var(LOAD_GROUP).unwrap());
    fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    println!("{}", refused(Path::new(&root)));
    std::process::exit(0);
}

#[test]
fn a_memory_limit_that_is_too_low_is_named() {
    if common::skipped() {
        return;
    }
    let Some((group, limit)) = memory_group() else {
        println!("skipped: no memory controller to set a limit with");
        return;
    };
    let root = PinRoot::new();
    fs::create_dir(&group).unwrap();
    fs::write(group.join(limit), (48_u32 << 20).to_string()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["obstacles::child", "--exact", "--nocapture"])
        .env(LOAD_ROOT, root.path())
        .env(LOAD_GROUP, &group)
        .output()
        .unwrap();
    // The kernel gives up the group a moment after its last process.
    let removed = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::remove_dir(&group).is_ok()
    });
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("the kernel has no memory to make the map"),
        "{output:?}"
    );
    assert!(text.contains("memory.max"), "the remedy: {text}");
    assert!(removed, "{} stays", group.display());
    drop(Datapath::load(&LoadOptions::new(root.path())).unwrap());
}
