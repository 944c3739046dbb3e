//! Signals on the way back to user mode: handlers start, processes end or stop. See docs/paths/signal.md.
//!
//! Each round of the exit loop takes one signal. A handler's frame is put on the program's stack, and the
//! trap frame becomes that of the handler's first instruction; the next round may put another on top (SF-7).

use abi::linux::{SA_ONSTACK, SA_RESTART, SA_SIGINFO};
use abi::siginfo::{SigInfo, UserSigInfo};
use abi::{Errno, Signal, Sysno};
use sigframe::{BadState, Frame};
use sigstate::{After, Delivery, Next, with_handler, without_handler};

use super::thread::{Thread, current_thread};
use super::{ExitStatus, alarm, exit_group, exit_thread, fault, signal, timer};
use crate::arch::trapframe::TrapFrame;
use crate::arch::{fpu, fpu_frame};
use crate::mm::uaccess::{self, Efault};

/// The frame could not be written.
struct NoFrame;

/// Acts on one signal, or on the end of the thread; interrupts are on.
pub fn handle_pending(frame: &mut TrapFrame) {
    if let Some(signal) = signal::fatal() {
        exit_thread(ExitStatus::Signaled(signal));
    }
    let thread: &Thread = &current_thread();
    loop {
        // Looked at where it is: it is large.
        match &mut signal::with_current(thread, |signals| signals.take_next()) {
            Some(Next::Handle(delivery)) => {
                alarm::signal_taken(&thread.process, delivery.signal);
                timer::signal_taken(&thread.process, &mut delivery.info);
                handle(thread, frame, delivery);
            }
            Some(Next::Die(signal)) => exit_group(ExitStatus::Signaled(*signal)),
            Some(Next::Stop(stop)) => super::stop::stop(*stop),
            Some(Next::Park) => super::stop::park(),
            Some(Next::PassOver(info)) => {
                timer::signal_taken(&thread.process, info);
                continue;
            }
            None => go_on(thread, frame),
        }
        return;
    }
}

/// Starts a handler, or ends in SIGSEGV where it cannot start (SG-7).
fn handle(thread: &Thread, frame: &mut TrapFrame, delivery: &Delivery) {
    let restarts = delivery.action.flags & u64::from(SA_RESTART) != 0;
    if frame.is_syscall() {
        finish_call(frame, with_handler(frame.rax, restarts));
    }
    if let Err(NoFrame) = set_up(thread, frame, delivery) {
        cannot_handle(thread, delivery);
    }
}

/// A handler of SIGSEGV that cannot start would not start for the next SIGSEGV either.
#[cold]
fn cannot_handle(thread: &Thread, delivery: &Delivery) {
    let signal = delivery.signal;
    signal::with_current(thread, |signals| signals.handler_cannot_start(delivery));
    log::debug!(target: "process", "pid {}: no room for the frame of {signal}", thread.tid());
    if signal == Signal::SEGV {
        thread
            .process
            .with_signals(|signals| signals.reset_action(Signal::SEGV));
    }
    fault::force(Signal::SEGV, SigInfo::kernel(Signal::SEGV));
}

/// Writes the FP state and the frame; the registers become the handler's.
fn set_up(thread: &Thread, frame: &mut TrapFrame, delivery: &Delivery) -> Result<(), NoFrame> {
    if !delivery.can_return() {
        return Err(NoFrame);
    }
    let (format, stack) = (fpu::format(), &delivery.stack);
    let flags = delivery.action.flags;
    let wants_stack = flags & u64::from(SA_ONSTACK) != 0;
    let at = sigframe::place(frame.rsp, stack, wants_stack, format.frame_size()).ok_or(NoFrame)?;
    fpu_frame::save(at.fpstate).map_err(|BadState| NoFrame)?;
    let built = sigframe::build(
        delivery,
        frame.registers(),
        thread.trap(),
        at,
        format.has_xstate(),
    );
    uaccess::write_user(at.frame, &built).map_err(|Efault| NoFrame)?;
    if flags & u64::from(SA_SIGINFO) != 0 {
        let info = UserSigInfo::from(delivery.info);
        uaccess::write_user(at.frame + Frame::INFO_AT, &info).map_err(|Efault| NoFrame)?;
    }
    frame.enter_handler(&sigframe::enter(delivery, frame.rflags, at.frame));
    fpu::reset();
    Ok(())
}

/// No handler runs: an interrupted call goes on, and a mask that was for a while is put back.
fn go_on(thread: &Thread, frame: &mut TrapFrame) {
    if frame.is_syscall() {
        finish_call(frame, without_handler(frame.rax));
    }
    signal::with_current(thread, |signals| signals.restore_mask());
}

fn finish_call(frame: &mut TrapFrame, after: After) {
    let number = match after {
        After::Return => return,
        After::Interrupted => return frame.set_return(Errno::EINTR.to_result()),
        After::Again => frame.error,
        After::Continue => Sysno::restart_syscall.id() as u64,
    };
    frame.call_again(number);
}
