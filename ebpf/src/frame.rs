//! A frame as the two hooks see it: an XDP buffer or a socket buffer.

use core::ffi::c_void;
use core::mem::size_of;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::generated::{
    bpf_skb_load_bytes, bpf_skb_pull_data, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
};
use aya_ebpf::programs::{TcContext, XdpContext};

/// Bytes of a socket buffer that are made linear before parsing: two VLAN tags, the longest IPv4
/// header or eight usual IPv6 extension headers, and a TCP header.
const LINEAR_BYTES: u32 = 256;
/// No header that we read begins further inside a frame. The verifier needs a bound.
const OFFSET_MASK: usize = 0x3fff;

/// What both hooks offer.
pub trait Frame {
    /// Address of the first byte.
    fn start(&self) -> usize;
    /// Address behind the last linear byte.
    fn end(&self) -> usize;
    /// Bytes of the whole frame, linear or not.
    fn length(&self) -> u32;
    /// Copies `length` bytes (at least 1) from `offset` on.
    fn load(&self, offset: u32, to: *mut u8, length: u32) -> bool;
    /// Interface index.
    fn ifindex(&self) -> u32;
    /// Bytes of payload in each wire segment, when the kernel has not split the frame yet; else 0.
    fn segment_bytes(&self) -> u32;
}

/// Reads a header at `offset`, if the linear part of the frame holds it whole.
#[inline(always)]
pub fn header<F: Frame, T: Copy>(frame: &F, offset: u32) -> Option<T> {
    let mut start = frame.start() + (offset as usize & OFFSET_MASK);
    // SAFETY: a move to itself. It keeps the compiler from comparing another register than the one
    // it reads through: the verifier knows the bounds of the compared one only.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) start, options(nomem, nostack, preserves_flags)) };
    if start + size_of::<T>() > frame.end() {
        return None;
    }
    // SAFETY: the bytes are inside the linear part; see the crate's note on alignment.
    Some(unsafe { *(start as *const T) })
}

/// An XDP buffer.
pub struct XdpFrame {
    context: *mut xdp_md,
}

impl XdpFrame {
    /// Around the context of the hook.
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        Self {
            context: context.ctx,
        }
    }

    /// The context, for helpers that change the frame.
    #[inline(always)]
    pub fn context(&self) -> *mut xdp_md {
        self.context
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).data as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).data_end as usize }
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: a helper on the program's own context.
        unsafe { bpf_xdp_get_buff_len(self.context) as u32 }
    }

    #[inline(always)]
    fn load(&self, offset: u32, to: *mut u8, length: u32) -> bool {
        // SAFETY: the caller's buffer holds `length` bytes; the verifier checks it.
        unsafe { bpf_xdp_load_bytes(self.context, offset, to.cast(), length) == 0 }
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).ingress_ifindex }
    }

    #[inline(always)]
    fn segment_bytes(&self) -> u32 {
        0
    }
}

/// A socket buffer.
pub struct SkbFrame {
    context: *mut __sk_buff,
}

impl SkbFrame {
    /// Around the context of the hook; makes the headers linear.
    #[inline(always)]
    pub fn new(context: &TcContext) -> Self {
        let frame = Self {
            context: context.as_ptr().cast(),
        };
        let linear = (frame.end() - frame.start()) as u32;
        let length = frame.length();
        if linear < LINEAR_BYTES && linear < length {
            let wanted = if length < LINEAR_BYTES { length } else { LINEAR_BYTES };
            // SAFETY: a helper on the program's own context. When it fails the headers stay where
            // they are, and the packet counts as truncated.
            unsafe { bpf_skb_pull_data(frame.context, wanted) };
        }
        frame
    }
}

impl SkbFrame {
    /// The context, for helpers that change the frame.
    #[inline(always)]
    pub fn context(&self) -> *mut __sk_buff {
        self.context
    }
}

impl Frame for SkbFrame {
    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).data as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).data_end as usize }
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).len }
    }

    #[inline(always)]
    fn load(&self, offset: u32, to: *mut u8, length: u32) -> bool {
        let context = self.context.cast_const().cast::<c_void>();
        // SAFETY: the caller's buffer holds `length` bytes; the verifier checks it.
        unsafe { bpf_skb_load_bytes(context, offset, to.cast(), length) == 0 }
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).ifindex }
    }

    #[inline(always)]
    fn segment_bytes(&self) -> u32 {
        // SAFETY: the context is valid for the run of the program.
        unsafe { (*self.context).gso_size }
    }
}
