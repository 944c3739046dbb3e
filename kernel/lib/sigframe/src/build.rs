//! What is written for a handler, and with which registers it starts.

use sigstate::Delivery;

use crate::layout::{
    Frame, Registers, SigContext, TrapInfo, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS,
    UContext,
};
use crate::place::Placement;

/// The direction flag, which functions expect clear; the trap and resume flags, which are the interrupted code's.
const CLEARED: u64 = 1 << 10 | 1 << 8 | 1 << 16;

/// The registers that change when a handler starts; the others stay as they were.
///
/// RAX becomes 0, CS and SS are the usual ones of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are registers")]
pub struct Entry {
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rip: u64,
    pub rsp: u64,
    pub rflags: u64,
}

/// Makes the frame that goes to `at`; `trap` is the last fault, `has_xstate` says whether the FP state has an XSAVE
/// header.
#[inline]
pub fn build(
    delivery: &Delivery,
    registers: Registers,
    trap: TrapInfo,
    at: Placement,
    has_xstate: bool,
) -> Frame {
    let fp_flag = if has_xstate { UC_FP_XSTATE } else { 0 };
    Frame {
        pretcode: delivery.action.restorer,
        context: UContext {
            flags: fp_flag | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
            link: 0,
            stack: delivery.stack,
            mcontext: SigContext {
                registers,
                err: trap.error,
                trapno: trap.trapno,
                oldmask: delivery.mask.bits(),
                cr2: trap.cr2,
                fpstate: at.fpstate,
                reserved: [0; _],
            },
            mask: delivery.mask,
        },
    }
}

/// Returns how the handler starts with its frame at `frame`, when `rflags` were the flags before.
///
/// All handlers get three arguments, with `SA_SIGINFO` or not.
#[inline]
pub fn enter(delivery: &Delivery, rflags: u64, frame: u64) -> Entry {
    Entry {
        rdi: delivery.signal.number().into(),
        rsi: frame.wrapping_add(Frame::INFO_AT),
        rdx: frame.wrapping_add(Frame::CONTEXT_AT),
        rip: delivery.action.handler,
        rsp: frame,
        rflags: rflags & !CLEARED,
    }
}

impl Registers {
    /// The selector of a program's code.
    pub const USER_CS: u16 = 0x33;
    /// The selector of a program's stack.
    pub const USER_SS: u16 = 0x2b;
}
