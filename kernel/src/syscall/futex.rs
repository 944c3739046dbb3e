//! `futex`: what the registers mean; sleeping and waking are in `process::futex`.

use abi::Errno;
use addr::USER_END;
use futex::op::{ANY, BadOp};
use futex::{Command, Op, WakeOp};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::mm::MmUserRef;
use crate::process::futex::{self as waiters, FutexError, Key};
use crate::process::pi;
use crate::process::restart::RestartBlock;
use crate::{process, task, time};

/// `futex(addr, operation, value, timeout, addr2, value3)`.
pub fn futex(frame: &mut TrapFrame) -> SysResult {
    let [addr, operation, value, timeout, other, bits] = frame.args();
    let op = Op::new(operation as u32).map_err(|BadOp| Errno::ENOSYS)?;
    let (value, bits) = (value as u32, bits as u32);
    match op.command {
        Command::Wait | Command::WaitBits => {
            let deadline = deadline(op, timeout)?;
            let wait = FutexWait {
                addr,
                expected: value,
                bits: if op.command == Command::Wait {
                    ANY
                } else {
                    bits
                },
                private: op.private,
            };
            wait_for_futex(wait, deadline)
        }
        Command::Wake => wake(op, addr, value, ANY),
        Command::WakeBits => wake(op, addr, value, bits),
        Command::Requeue { compares } => requeue(
            op,
            [addr, other],
            [value, timeout as u32],
            compares.then_some(bits),
        ),
        Command::LockPi { .. } => {
            let deadline = deadline(op, timeout)?;
            pi::lock(key(addr, op.private)?, addr, &mm()?, deadline, true)?;
            Ok(0)
        }
        Command::TryLockPi => {
            pi::lock(key(addr, op.private)?, addr, &mm()?, None, false)?;
            Ok(0)
        }
        Command::UnlockPi => {
            pi::unlock(key(addr, op.private)?, addr, &*mm()?)?;
            Ok(0)
        }
        Command::WakeOp => wake_op(op, [addr, other], [value, timeout as u32], bits),
    }
}

/// What a wait is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FutexWait {
    /// User address of the word.
    pub addr: u64,
    /// What the word must be.
    pub expected: u32,
    /// Whose wake-ups count.
    pub bits: u32,
    /// Whether only threads of the caller's address space wake it.
    pub private: bool,
}

/// Waits for a word. Interrupted, a wait with an end goes on where it was.
pub fn wait_for_futex(wait: FutexWait, deadline: Option<u64>) -> SysResult {
    let FutexWait {
        addr,
        expected,
        bits,
        private,
    } = wait;
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(addr, private)?;
    let outcome = waiters::wait(key, addr, expected, bits, deadline);
    if let (Err(FutexError::Interrupted), Some(deadline)) = (outcome, deadline) {
        process::current_thread().set_restart(RestartBlock::Futex {
            addr,
            expected,
            bits,
            private,
            deadline,
        });
        return Err(Errno::RESTART_BLOCK);
    }
    outcome?;
    Ok(0)
}

fn wake(op: Op, addr: u64, count: u32, bits: u32) -> SysResult {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(addr, op.private)?;
    // Linux takes any number for one at least.
    let count = count.cast_signed().max(1) as usize;
    Ok(waiters::wake(key, count, bits) as u64)
}

fn requeue(op: Op, words: [u64; 2], counts: [u32; 2], expected: Option<u32>) -> SysResult {
    let [wakes, moves] = counts.map(u32::cast_signed);
    if wakes < 0 || moves < 0 {
        return Err(Errno::EINVAL);
    }
    let [from, to] = [key(words[0], op.private)?, key(words[1], op.private)?];
    let mm = mm()?;
    let expected = expected.map(|value| (&*mm, words[0], value));
    let moved = waiters::requeue(from, to, wakes as usize, moves as usize, expected);
    Ok(moved? as u64)
}

fn wake_op(op: Op, words: [u64; 2], counts: [u32; 2], encoded: u32) -> SysResult {
    let [first, second] = [key(words[0], op.private)?, key(words[1], op.private)?];
    let change = WakeOp::new(encoded).map_err(|BadOp| Errno::ENOSYS)?;
    let before = mm()?.update_word(words[1], |word| Some(change.apply(word)));
    let before = before.map_err(FutexError::from)?;
    let [here, there] = counts.map(|count| count.cast_signed().max(1) as usize);
    let mut woken = waiters::wake(first, here, ANY);
    if change.wakes(before) {
        woken += waiters::wake(second, there, ANY);
    }
    Ok(woken as u64)
}

fn mm() -> Result<MmUserRef, Errno> {
    task::current_mm().ok_or(Errno::EFAULT)
}

/// Names the word at `addr`.
fn key(addr: u64, private: bool) -> Result<Key, Errno> {
    if !addr.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    // One past the last address passes here, as it does on Linux; nothing can wait there.
    if addr > USER_END {
        return Err(Errno::EFAULT);
    }
    if private {
        let mm = task::current_mm_id().ok_or(Errno::EFAULT)?;
        return Ok(Key::private(mm.as_u64(), addr));
    }
    Ok(Key::shared(&*mm()?, addr)?)
}

/// A plain wait takes a length, a wait for bits a point in time.
fn deadline(op: Op, timeout: u64) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let ns = args::nanoseconds(timeout)?;
    Ok(Some(match op.command {
        Command::Wait => time::now_ns().saturating_add(ns),
        Command::LockPi { old: true } => time::when_realtime(ns),
        _ if op.realtime => time::when_realtime(ns),
        _ => ns,
    }))
}
