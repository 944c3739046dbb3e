//! The way back from a handler (SF-6).
//!
//! The frame lies in the program's memory and may hold anything. `sigframe` makes registers of it that are safe to
//! load, the CPU itself refuses an FP state that is not; what is refused is a SIGSEGV.

use core::mem::MaybeUninit;

use abi::Signal;
use abi::siginfo::SigInfo;
use sigframe::{BadState, Frame, UContext};
use sigstate::MaskChange;

use super::thread::{Thread, current_thread};
use super::{fault, signal};
use crate::arch::trapframe::TrapFrame;
use crate::arch::{fpu, fpu_frame};
use crate::mm::uaccess;

/// Puts back what the frame at the program's stack pointer holds, and returns what RAX was.
pub fn sigreturn(frame: &mut TrapFrame) -> u64 {
    let thread: &Thread = &current_thread();
    if let Err(BadFrame) = restore(thread, frame) {
        log::debug!(target: "process", "pid {}: bad frame in rt_sigreturn, sp {:x}", thread.tid(), frame.rsp);
        fault::force(Signal::SEGV, SigInfo::kernel(Signal::SEGV));
        return 0;
    }
    frame.rax
}

struct BadFrame;

fn restore(thread: &Thread, frame: &mut TrapFrame) -> Result<(), BadFrame> {
    // The handler's return has taken the first word off the stack.
    let start = frame.rsp.wrapping_sub(8);
    addr::user_range(start, Frame::WHOLE).ok_or(BadFrame)?;
    // Worked on where it was read to: it is large.
    let mut place = MaybeUninit::<UContext>::uninit();
    let context = uaccess::read_user_into(&mut place, frame.rsp).map_err(|_| BadFrame)?;
    let _ = thread.take_restart();
    sigframe::restore(context, frame.rflags);
    frame.set_registers(&context.mcontext.registers);
    let loaded = load_fp_state(context.mcontext.fpstate);
    signal::with_current(thread, |signals| {
        signals.change_mask(MaskChange::Set, context.mask);
        // As `sigaltstack` would do it, but a stack that it would refuse is passed over.
        let stack = sigframe::check_stack(frame.rsp, signals.stack(), context.stack);
        if let (Ok(()), Ok(stack)) = (&loaded, stack) {
            *signals.stack_mut() = stack;
        }
    });
    loaded.map_err(|BadState| BadFrame)
}

/// Loads the FP state at `addr`; if there is none, the program has the one it started with.
fn load_fp_state(addr: u64) -> Result<(), BadState> {
    match addr {
        0 => {
            fpu::reset();
            Ok(())
        }
        _ => fpu_frame::load(addr),
    }
}
