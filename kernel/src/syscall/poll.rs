//! poll and ppoll.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::file::PollFd;
use abi::linux::POLLNVAL;
use abi::{Errno, SigSet};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::OpenFile;
use crate::fs::file::Readiness;
use crate::fs::poll;
use crate::process::{self, restart::RestartBlock, signal};
use crate::time;

/// `poll(fds, count, timeout in ms)`.
pub fn poll(frame: &mut TrapFrame) -> SysResult {
    let [fds, count, timeout, ..] = frame.args();
    let deadline = match u64::try_from(timeout as i32) {
        Ok(ms) => Some(time::now_ns().saturating_add(ms * 1_000_000)),
        Err(_) => None,
    };
    poll_restartable(fds, count, deadline)
}

/// `ppoll(fds, count, timeout, mask, size of the mask)`.
pub fn ppoll(frame: &mut TrapFrame) -> SysResult {
    let [fds, count, timeout, mask, mask_size, _] = frame.args();
    let deadline = match timeout {
        0 => None,
        addr => Some(time::now_ns().saturating_add(args::nanoseconds(addr)?)),
    };
    if mask == 0 {
        return poll_until(fds, count, deadline);
    }
    if mask_size != size_of::<SigSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let mask = args::read::<SigSet>(mask)?;
    signal::with_own(|signals| signals.suspend_mask(mask));
    let outcome = poll_until(fds, count, deadline);
    if outcome != Err(Errno::RESTART_NOHAND) {
        // Interrupted, the mask holds until the handler has run.
        signal::with_own(|signals| signals.restore_mask());
    }
    outcome
}

/// Polls; interrupted, it goes on with the time that is left.
pub fn poll_restartable(fds: u64, count: u64, deadline: Option<u64>) -> SysResult {
    let outcome = poll_until(fds, count, deadline);
    if outcome != Err(Errno::RESTART_NOHAND) {
        return outcome;
    }
    process::current_thread().set_restart(RestartBlock::Poll {
        fds,
        count,
        deadline,
    });
    Err(Errno::RESTART_BLOCK)
}

/// One entry: what was asked, and the file.
struct Polled {
    request: PollFd,
    file: Option<Arc<OpenFile>>,
}

fn poll_until(addr: u64, count: u64, deadline: Option<u64>) -> SysResult {
    if count > process::current().fd_limit() {
        return Err(Errno::EINVAL);
    }
    let mut polled = (0..count)
        .map(|index| Polled::read(addr + index * size_of::<PollFd>() as u64))
        .collect::<Result<Vec<_>, _>>()?;
    // Whether it is time or an event that ends the wait, the entries say.
    poll::wait(deadline, || {
        polled
            .iter_mut()
            .fold(false, |any, polled| polled.look() | any)
    })
    .map_err(|_| Errno::RESTART_NOHAND)?;
    let mut ready = 0;
    for (index, polled) in (0..).zip(&polled) {
        let revents = addr
            + index * size_of::<PollFd>() as u64
            + core::mem::offset_of!(PollFd, revents) as u64;
        args::write(revents, &polled.request.revents)?;
        ready += u64::from(polled.request.revents != 0);
    }
    Ok(ready)
}

impl Polled {
    fn read(addr: u64) -> Result<Self, Errno> {
        let request = args::read::<PollFd>(addr)?;
        let file = if request.fd < 0 {
            None
        } else {
            process::current().file(request.fd)
        };
        Ok(Self { request, file })
    }

    /// Notes what is so now; returns whether that is anything asked for.
    fn look(&mut self) -> bool {
        self.request.revents = match &self.file {
            Some(file) => {
                let wanted = Readiness::from_bits_truncate(self.request.events);
                poll::events(file.file().readiness(), wanted).bits()
            }
            None if self.request.fd < 0 => 0,
            None => POLLNVAL as u16,
        };
        self.request.revents != 0
    }
}
