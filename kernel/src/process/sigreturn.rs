//! The way back from a handler (SF-6).
//!
//! The frame lies in the program's memory and may hold anything. `sigframe` makes registers and an FP state of it
//! that are safe to load; what it refuses is a SIGSEGV.

use abi::Signal;
use abi::siginfo::SigInfo;
use abi::signal::SigAltStack;
use sigframe::{BadState, Frame, UContext};
use sigstate::MaskChange;

use super::{current, fault, signal};
use crate::arch::fpu::{self, FpuState};
use crate::arch::trapframe::TrapFrame;
use crate::mm::uaccess;

/// Puts back what the frame at the program's stack pointer holds, and returns what RAX was.
pub fn sigreturn(frame: &mut TrapFrame) -> u64 {
    match restore(frame) {
        Ok(()) => frame.rax,
        Err(BadFrame) => {
            let pid = current().pid();
            log::debug!(target: "process", "pid {pid}: bad frame in rt_sigreturn, sp {:x}", frame.rsp);
            fault::force(Signal::SEGV, SigInfo::kernel(Signal::SEGV));
            0
        }
    }
}

struct BadFrame;

fn restore(frame: &mut TrapFrame) -> Result<(), BadFrame> {
    // The handler's return has taken the first word off the stack.
    let start = frame.rsp.wrapping_sub(8);
    addr::user_range(start, size_of::<Frame>() as u64).ok_or(BadFrame)?;
    let context: UContext = uaccess::read_user(frame.rsp).map_err(|_| BadFrame)?;
    let _ = current().take_restart();
    let restored = sigframe::restore(&context, frame.rflags);
    signal::change_mask(MaskChange::Set, restored.mask);
    frame.set_registers(&restored.registers);
    frame.forget_syscall();
    load_fp_state(restored.fpstate)?;
    set_alt_stack(restored.registers.rsp, restored.stack);
    Ok(())
}

/// Loads the FP state at `addr`; on failure the program has the one it started with.
fn load_fp_state(addr: u64) -> Result<(), BadFrame> {
    fpu::reset();
    if addr == 0 {
        return Ok(());
    }
    if !addr.is_multiple_of(fpu::format().alignment()) {
        return Err(BadFrame);
    }
    let read = |part: &mut [u8], offset: usize| {
        uaccess::copy_from_user(part, addr.wrapping_add(offset as u64)).map_err(|_| BadState)
    };
    FpuState::from_frame(read)
        .map_err(|BadState| BadFrame)?
        .restore();
    Ok(())
}

/// `sigaltstack` with what the frame says; a stack that it would refuse is passed over.
fn set_alt_stack(rsp: u64, stack: SigAltStack) {
    current().with_signals(|signals| {
        if let Ok(stack) = sigframe::check_stack(rsp, &signals.stack, stack) {
            signals.stack = stack;
        }
    });
}
