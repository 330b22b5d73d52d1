//! Other programs on the same interface: one on XDP is in the way and is named; those on TCX egress
//! run before or after ours, in an order that is told.

#![expect(
    unsafe_code,
    reason = "the programs of others are loaded and attached by bpf(2) itself, whose attributes are \
              a union by address"
)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Command;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use octroi_abi::name;
use octroi_abi::outcome::Direction;
use octroi_datapath::{Attachment, Datapath, DatapathError, LoadOptions, XdpMode, neighbours};

use crate::common::netns::{GATE, Pair};
use crate::common::{self, PinRoot, tables};

const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const SCHED_CLS: u32 = 3;
const TCX_EGRESS: u32 = 47;
/// `BPF_F_BEFORE`, `BPF_F_AFTER`: of all others when nobody is named.
const BEFORE: u32 = 8;
const AFTER: u32 = 16;
/// `enum tcx_action_base`.
const NEXT: i32 = -1;
const PASS: i32 = 0;
const DROP: i32 = 2;

#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    first: u64,
    license: u64,
    log: [u32; 4],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    attach_type: u32,
}

#[repr(C)]
struct Create {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    padding: u32,
    revision: u64,
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> OwnedFd {
    let address = std::ptr::from_ref(attributes);
    // SAFETY: a prefix of `bpf_attr` of this size, whose pointers live in the caller.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, address, size_of::<T>()) };
    assert!(
        fd >= 0,
        "bpf({command}): {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: the kernel just made it, for us alone.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) }
}

/// A program on TCX egress of the gate that always answers the same; it goes when it is dropped.
struct Neighbour {
    _link: OwnedFd,
}

impl Neighbour {
    fn attach(pair: &Pair, called: &str, answer: i32, order: u32) -> Self {
        // r0 = answer; exit (RFC 9669 section 4).
        let mut code = vec![0xb7, 0, 0, 0];
        code.extend_from_slice(&answer.to_le_bytes());
        code.extend_from_slice(&[0x95, 0, 0, 0, 0, 0, 0, 0]);
        let mut name = [0; 16];
        name[..called.len()].copy_from_slice(called.as_bytes());
        let program = bpf(
            PROG_LOAD,
            &Load {
                kind: SCHED_CLS,
                instructions: 2,
                first: code.as_ptr().addr() as u64,
                license: c"GPL".as_ptr().addr() as u64,
                log: [0; 4],
                kernel_version: 0,
                flags: 0,
                name,
                ifindex: 0,
                attach_type: TCX_EGRESS,
            },
        );
        let link = pair.in_gate(|| {
            bpf(
                LINK_CREATE,
                &Create {
                    program: u32::try_from(program.as_raw_fd()).unwrap(),
                    ifindex: if_nametoindex(GATE).unwrap(),
                    attach_type: TCX_EGRESS,
                    flags: order,
                    relative: 0,
                    padding: 0,
                    revision: 0,
                },
            )
        });
        Self { _link: link }
    }
}

fn connect(pair: &Pair) -> Result<(), ErrorKind> {
    let patience = Duration::from_millis(400);
    pair.in_lan(|| {
        let to = "198.18.1.1:80".parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&to, patience).map_err(|error| error.kind())?;
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.read_exact(&mut [0]).map_err(|error| error.kind())
    })
}

fn load(root: &PinRoot) -> Datapath {
    let mut datapath = Datapath::load(&LoadOptions::new(root.path())).unwrap();
    datapath
        .apply_atlas_and_policy(&tables::atlas(), &tables::policy(true))
        .unwrap();
    datapath
}

#[test]
fn an_xdp_program_of_somebody_else_is_named_and_the_remedy_works() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let mut datapath = load(&root);
    let version = format!("v{}/programs", octroi_abi::ABI_VERSION);
    let program = root.path().join(version).join(name::PROGRAM_NOOP);
    let run = |command: &mut Command| {
        assert!(command.status().unwrap().success(), "{command:?}");
    };
    pair.in_gate(|| {
        let mut bpftool = Command::new("bpftool");
        bpftool
            .args(["net", "attach", "xdpdrv", "pinned"])
            .arg(&program);
        run(bpftool.args(["dev", GATE]));
    });
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let error = pair.in_gate(|| datapath.attach(GATE, mode)).unwrap_err();
        assert!(matches!(error, DatapathError::ForeignXdp { .. }), "{error}");
        let error = error.to_string();
        for part in [
            "\"octroi_noop\" (id ",
            "ip link set dev inside0 xdp off",
            "bpftool prog show id ",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
    assert_eq!(datapath.attached().unwrap(), [""; 0]);
    // The remedy of the message.
    pair.in_gate(|| {
        let mut ip = Command::new("ip");
        run(ip.args(["link", "set", "dev", GATE, "xdp", "off"]));
    });
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    assert_eq!(report.outbound, Attachment::New);
    assert_eq!(datapath.attached().unwrap(), [GATE]);
    let index = pair.in_gate(|| if_nametoindex(GATE).unwrap());
    assert!(!datapath.has_dead_link(GATE, index));
    assert!(
        datapath.has_dead_link(GATE, index + 1),
        "not of that interface"
    );
}

#[test]
fn on_tcx_egress_ours_is_first_and_lets_the_others_run() {
    if common::skipped() {
        return;
    }
    let pair = Pair::new();
    let root = PinRoot::new();
    let listener = pair.in_gate(|| TcpListener::bind("[::]:80").unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"!");
        }
    });
    let mut datapath = load(&root);
    let replies = |datapath: &Datapath| datapath.counters().unwrap().seen(Direction::Reply);
    // Somebody was there before us.
    let _first_come = Neighbour::attach(&pair, "first_come", NEXT, AFTER);
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    assert_eq!(report.neighbours.before, [""; 0], "{report}");
    assert!(
        report.neighbours.after[0].starts_with("\"first_come\" (id "),
        "{report}"
    );
    assert!(
        report.to_string().contains(", before \"first_come\" (id "),
        "{report}"
    );
    assert_eq!(connect(&pair), Ok(()));

    // What a program behind ours drops, ours has counted: both ran.
    let last = Neighbour::attach(&pair, "last_drops", DROP, AFTER);
    let before = replies(&datapath);
    assert_eq!(connect(&pair), Err(ErrorKind::TimedOut));
    assert!(replies(&datapath) > before);
    drop(last);
    assert_eq!(connect(&pair), Ok(()));

    // A program that somebody puts before ours may end the run: told, because ours sees nothing.
    let early = Neighbour::attach(&pair, "early_passes", PASS, BEFORE);
    let found = pair.in_gate(|| neighbours(GATE)).unwrap();
    assert!(
        found.before[0].starts_with("\"early_passes\" (id "),
        "{found:?}"
    );
    assert!(
        found.after[0].starts_with("\"first_come\" (id "),
        "{found:?}"
    );
    let before = replies(&datapath);
    assert_eq!(connect(&pair), Ok(()));
    assert_eq!(replies(&datapath), before, "TCX_PASS ends the run");
    drop(early);
    let _early = Neighbour::attach(&pair, "early_next", NEXT, BEFORE);
    assert_eq!(connect(&pair), Ok(()));
    assert!(replies(&datapath) > before, "TCX_NEXT does not");
    // In place, the order stays.
    let report = pair
        .in_gate(|| datapath.attach(GATE, XdpMode::Native))
        .unwrap();
    assert_eq!(report.reply, Attachment::Replaced);
    assert!(
        report.to_string().contains(", behind \"early_next\" (id "),
        "{report}"
    );
}
