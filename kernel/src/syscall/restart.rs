//! Calls that go on where a signal without a handler interrupted them.

use abi::Errno;
use abi::time::Timespec;

use super::futex::{self, FutexWait};
use super::{SysResult, args, poll};
use crate::arch::trapframe::TrapFrame;
use crate::process::{self, restart::RestartBlock};
use crate::time;

/// `restart_syscall()`: made by the kernel on behalf of a program; made by the program itself it is EINTR.
pub fn restart_syscall(_: &mut TrapFrame) -> SysResult {
    match process::current_thread().take_restart() {
        Some(RestartBlock::Sleep { deadline, rest }) => sleep(deadline, rest),
        Some(RestartBlock::Poll {
            fds,
            count,
            deadline,
        }) => poll::poll_restartable(fds, count, deadline),
        Some(RestartBlock::Futex {
            addr,
            expected,
            bits,
            private,
            deadline,
        }) => {
            let wait = FutexWait {
                addr,
                expected,
                bits,
                private,
            };
            futex::wait_for_futex(wait, Some(deadline))
        }
        None => Err(Errno::EINTR),
    }
}

/// Sleeps until `deadline`; interrupted, it stores what remains at `rest` and can go on.
pub fn sleep(deadline: u64, rest: u64) -> SysResult {
    if time::sleep_until(deadline).is_ok() {
        return Ok(0);
    }
    let left = deadline.saturating_sub(time::now_ns());
    if left == 0 {
        return Ok(0);
    }
    args::write_optional(rest, &Timespec::from_ns(left))?;
    process::current_thread().set_restart(RestartBlock::Sleep { deadline, rest });
    Err(Errno::RESTART_BLOCK)
}
