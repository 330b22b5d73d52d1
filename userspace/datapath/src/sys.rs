//! Calls of bpf(2) that aya 0.14 does not make: batches, detaching a link, whose link it is.

#![expect(
    unsafe_code,
    reason = "bpf(2) takes a union by address; aya has no batch operations and does not tell a \
              link's interface"
)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::wire::{Plain, zeroed};

const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;
const BPF_MAP_UPDATE_BATCH: libc::c_int = 26;
const BPF_LINK_DETACH: libc::c_int = 34;

/// Elements of one batch: an array update copies each element on its own, so that this only
/// bounds how long one call takes.
const BATCH: usize = 4_096;

/// `bpf_attr`, the `batch` member.
#[repr(C)]
#[derive(Default)]
struct BatchAttributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// `bpf_attr`, the `info` member.
#[repr(C)]
struct InfoAttributes {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// `bpf_attr`, the member of `BPF_OBJ_GET`.
#[repr(C)]
struct ObjectAttributes {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// `struct bpf_link_info`, as far as XDP and TCX links use it.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program_id: u32,
    pad: u32,
    ifindex: u32,
    attach_type: u32,
    rest: [u64; 8],
}

pub(crate) fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    let size = libc::c_uint::try_from(size_of::<T>()).unwrap_or(0);
    let address = std::ptr::from_mut(attributes);
    // SAFETY: `attributes` is a prefix of `bpf_attr` of this size; what it points to lives for
    // the call, see the callers.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, address, size) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn fd_number(fd: BorrowedFd<'_>) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX)
}

fn address<T>(values: *const T) -> u64 {
    values.addr() as u64
}

/// Writes `values` into an array map from index `first` on.
pub(crate) fn update_array<T: Plain>(
    map: BorrowedFd<'_>,
    first: u32,
    values: &[T],
) -> io::Result<()> {
    let mut next = first;
    for chunk in values.chunks(BATCH) {
        let count = u32::try_from(chunk.len()).unwrap_or(0);
        let keys: Vec<u32> = (next..next + count).collect();
        let mut attributes = BatchAttributes {
            keys: address(keys.as_ptr()),
            values: address(chunk.as_ptr()),
            count,
            map_fd: fd_number(map),
            ..BatchAttributes::default()
        };
        // The kernel reads `count` keys of 4 bytes and as many values of the map's value size,
        // which the caller's shape check has compared with `T`.
        bpf(BPF_MAP_UPDATE_BATCH, &mut attributes)?;
        next += count;
    }
    Ok(())
}

/// Visits every entry of a hash map. Entries that come or go meanwhile may be missed or seen twice.
pub(crate) fn visit_hash<K: Plain, V: Plain>(
    map: BorrowedFd<'_>,
    visit: &mut dyn FnMut(K, V),
) -> io::Result<usize> {
    let mut keys: Vec<K> = vec![zeroed(); BATCH];
    let mut values: Vec<V> = vec![zeroed(); BATCH];
    // The position of a hash map is a bucket number, 4 bytes.
    let mut position = 0_u32;
    let mut started = false;
    let mut visited = 0;
    loop {
        let mut next = 0_u32;
        let mut attributes = BatchAttributes {
            in_batch: if started {
                address(&raw const position)
            } else {
                0
            },
            out_batch: address(&raw mut next),
            keys: address(keys.as_mut_ptr()),
            values: address(values.as_mut_ptr()),
            count: u32::try_from(keys.len()).unwrap_or(0),
            map_fd: fd_number(map),
            ..BatchAttributes::default()
        };
        // The kernel writes at most `count` keys and values.
        let result = bpf(BPF_MAP_LOOKUP_BATCH, &mut attributes);
        let ended = match &result {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && keys.len() < 1 << 20 => {
                // One bucket holds more than the room given.
                keys.resize(keys.len() * 4, zeroed());
                values.resize(keys.len(), zeroed());
                continue;
            }
            Err(_) => return result.map(|_| visited),
        };
        let found = usize::try_from(attributes.count)
            .unwrap_or(0)
            .min(keys.len());
        for (key, value) in keys.iter().zip(&values).take(found) {
            visit(*key, *value);
        }
        visited += found;
        if ended {
            return Ok(visited);
        }
        position = next;
        started = true;
    }
}

/// Opens a pinned object.
pub(crate) fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = ObjectAttributes {
        pathname: address(path.as_ptr()),
        bpf_fd: 0,
        file_flags: 0,
    };
    let fd = bpf(BPF_OBJ_GET, &mut attributes)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel just made it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes a link off its hook, whoever else still holds it.
pub(crate) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = fd_number(link);
    bpf(BPF_LINK_DETACH, &mut attributes).map(|_| ())
}

/// Which link it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LinkIdentity {
    /// Id of the link, as long as the kernel runs.
    pub(crate) id: u32,
    /// Interface of an XDP or TCX link; 0 when the interface is gone.
    pub(crate) ifindex: u32,
}

/// Interface of an XDP or TCX link; 0 when the interface is gone.
pub(crate) fn link_ifindex(link: BorrowedFd<'_>) -> io::Result<u32> {
    link_identity(link).map(|identity| identity.ifindex)
}

/// Which XDP or TCX link it is.
pub(crate) fn link_identity(link: BorrowedFd<'_>) -> io::Result<LinkIdentity> {
    let mut info = LinkInfo::default();
    let mut attributes = InfoAttributes {
        bpf_fd: fd_number(link),
        info_len: u32::try_from(size_of::<LinkInfo>()).unwrap_or(0),
        info: address(&raw mut info),
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(LinkIdentity {
        id: info.id,
        ifindex: info.ifindex,
    })
}
