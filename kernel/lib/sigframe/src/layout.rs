//! The structures of the frame, byte for byte (SF-1).

use abi::SigSet;
use abi::siginfo::UserSigInfo;
use abi::signal::SigAltStack;
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A program's general registers: the first part of `struct sigcontext`, 152 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are registers")]
pub struct Registers {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cs: u16,
    /// Written as 0, and not read.
    pub gs: u16,
    /// Written as 0, and not read.
    pub fs: u16,
    pub ss: u16,
}

/// What the last fault of a program was; it stays until the next one (PF-11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TrapInfo {
    /// The exception's vector.
    pub trapno: u64,
    /// Its error code.
    pub error: u64,
    /// The address of the last page fault.
    pub cr2: u64,
}

/// `struct sigcontext`, 256 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct SigContext {
    /// The interrupted registers.
    pub registers: Registers,
    /// The last fault's error code.
    pub err: u64,
    /// The last fault's vector.
    pub trapno: u64,
    /// The same as the frame's mask.
    pub oldmask: u64,
    /// Where the last page fault was.
    pub cr2: u64,
    /// Where the FP state is; 0 for none.
    pub fpstate: u64,
    /// Zero.
    pub reserved: [u64; 8],
}

/// `struct ucontext`, as the kernel writes it: 304 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UContext {
    /// `UC_*`.
    pub flags: u64,
    /// Always 0.
    pub link: u64,
    /// The alternate stack in force.
    pub stack: SigAltStack,
    /// The interrupted registers.
    pub mcontext: SigContext,
    /// What was blocked.
    pub mask: SigSet,
}

/// `struct rt_sigframe` without the information about the signal, which follows if the handler wants it: 312 of 440
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Frame {
    /// Where the handler returns to.
    pub pretcode: u64,
    /// The handler's third argument.
    pub context: UContext,
}

impl Frame {
    /// Where the context lies, the handler's third argument.
    pub const CONTEXT_AT: u64 = offset_of!(Self, context) as u64;
    /// Where the `siginfo_t` lies, the handler's second argument.
    pub const INFO_AT: u64 = size_of::<Self>() as u64;
    /// Bytes of frame and `siginfo_t`.
    pub const WHOLE: u64 = Self::INFO_AT + size_of::<UserSigInfo>() as u64;
}

/// `uc_flags`: the FP state has an XSAVE header.
pub const UC_FP_XSTATE: u64 = 1;
/// `uc_flags`: the frame holds SS.
pub const UC_SIGCONTEXT_SS: u64 = 2;
/// `uc_flags`: SS is restored whatever it is.
pub const UC_STRICT_RESTORE_SS: u64 = 4;

// SF-1, as measured.
const _: () = {
    assert!(size_of::<SigContext>() == 256);
    assert!(size_of::<UContext>() == 304);
    assert!(Frame::CONTEXT_AT == 8 && Frame::INFO_AT == 312 && Frame::WHOLE == 440);
};
