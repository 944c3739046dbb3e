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

/// Makes the frame and the handler's registers; `None` without `SA_RESTORER`, where nothing could return (SF-4).
///
/// `has_xstate` says whether the FP state has an XSAVE header.
pub fn build(
    registers: &Registers,
    delivery: &Delivery,
    at: Placement,
    has_xstate: bool,
) -> Option<(Frame, Registers)> {
    let action = &delivery.action;
    if action.flags & u64::from(SA_RESTORER) == 0 {
        return None;
    }
    let fp_flag = if has_xstate { UC_FP_XSTATE } else { 0 };
    let frame = Frame {
        pretcode: action.restorer,
        context: UContext {
            flags: fp_flag | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
            link: 0,
            stack: delivery.stack,
            mcontext: context(registers, delivery, at.fpstate),
            mask: delivery.mask,
        },
        info: delivery.info,
    };
    Some((frame, at_entry(registers, delivery, at.frame)))
}

/// All handlers get three arguments, with `SA_SIGINFO` or not.
fn at_entry(registers: &Registers, delivery: &Delivery, frame: u64) -> Registers {
    Registers {
        rdi: delivery.signal.number().into(),
        rsi: frame.wrapping_add(Frame::WITHOUT_INFO as u64),
        rdx: frame.wrapping_add(8),
        rax: 0,
        rip: delivery.action.handler,
        rsp: frame,
        rflags: registers.rflags & !CLEARED,
        cs: Registers::USER_CS,
        ss: Registers::USER_SS,
        ..*registers
    }
}

fn context(registers: &Registers, delivery: &Delivery, fpstate: u64) -> SigContext {
    SigContext {
        err: delivery.trap.error,
        trapno: delivery.trap.trapno,
        oldmask: delivery.mask.bits(),
        cr2: delivery.trap.cr2,
        fpstate,
        ..registers.to_context()
    }
}

impl Registers {
    /// The selector of a program's code.
    pub const USER_CS: u16 = 0x33;
    /// The selector of a program's stack.
    pub const USER_SS: u16 = 0x2b;

    fn to_context(self) -> SigContext {
        SigContext {
            r8: self.r8,
            r9: self.r9,
            r10: self.r10,
            r11: self.r11,
            r12: self.r12,
            r13: self.r13,
            r14: self.r14,
            r15: self.r15,
            rdi: self.rdi,
            rsi: self.rsi,
            rbp: self.rbp,
            rbx: self.rbx,
            rdx: self.rdx,
            rax: self.rax,
            rcx: self.rcx,
            rsp: self.rsp,
            rip: self.rip,
            rflags: self.rflags,
            cs: self.cs,
            ss: self.ss,
            ..SigContext::default()
        }
    }
}
