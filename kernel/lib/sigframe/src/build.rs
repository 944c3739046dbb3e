//! What is written for a handler, and with which registers it starts.

use abi::linux::SA_RESTORER;
use abi::siginfo::SigInfo;
use abi::signal::{SigAction, SigAltStack};
use abi::{SigSet, Signal};

use crate::layout::{
    Frame, Registers, SigContext, TrapInfo, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS,
    UContext,
};
use crate::place::Placement;

/// The direction flag, which functions expect clear; the trap and resume flags, which are the interrupted code's.
const CLEARED: u64 = 1 << 10 | 1 << 8 | 1 << 16;

/// A signal on its way to its handler.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Which one.
    pub signal: Signal,
    /// How it is taken: its handler is a function.
    pub action: SigAction,
    /// What is known about it.
    pub info: SigInfo,
    /// What `rt_sigreturn` will block again.
    pub mask: SigSet,
    /// The alternate stack in force.
    pub stack: SigAltStack,
    /// The last fault.
    pub trap: TrapInfo,
}

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

impl Delivery {
    /// Returns whether the handler could return: without `SA_RESTORER` it must not start (SF-4).
    #[inline]
    pub fn can_return(&self) -> bool {
        self.action.flags & u64::from(SA_RESTORER) != 0
    }

    /// Makes the frame that goes to `at`; `has_xstate` says whether the FP state has an XSAVE header.
    #[inline]
    pub fn frame(&self, registers: Registers, at: Placement, has_xstate: bool) -> Frame {
        let fp_flag = if has_xstate { UC_FP_XSTATE } else { 0 };
        Frame {
            pretcode: self.action.restorer,
            context: UContext {
                flags: fp_flag | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
                link: 0,
                stack: self.stack,
                mcontext: SigContext {
                    registers,
                    err: self.trap.error,
                    trapno: self.trap.trapno,
                    oldmask: self.mask.bits(),
                    cr2: self.trap.cr2,
                    fpstate: at.fpstate,
                    reserved: [0; _],
                },
                mask: self.mask,
            },
            info: self.info.into(),
        }
    }

    /// Returns how the handler starts with its frame at `frame`, when `rflags` were the flags before.
    ///
    /// All handlers get three arguments, with `SA_SIGINFO` or not.
    #[inline]
    pub fn entry(&self, rflags: u64, frame: u64) -> Entry {
        Entry {
            rdi: self.signal.number().into(),
            rsi: frame.wrapping_add(Frame::WITHOUT_INFO as u64),
            rdx: frame.wrapping_add(8),
            rip: self.action.handler,
            rsp: frame,
            rflags: rflags & !CLEARED,
        }
    }
}

impl Registers {
    /// The selector of a program's code.
    pub const USER_CS: u16 = 0x33;
    /// The selector of a program's stack.
    pub const USER_SS: u16 = 0x2b;
}
