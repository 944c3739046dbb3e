//! poll and ppoll.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::file::PollFd;
use abi::linux::POLLNVAL;
use abi::time::Timespec;
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
    poll_restartable(fds, u64::from(count as u32), milliseconds(timeout))
}

/// `ppoll(fds, count, timeout, mask, size of the mask)`.
pub fn ppoll(frame: &mut TrapFrame) -> SysResult {
    let [fds, count, timeout, mask, mask_size, _] = frame.args();
    let deadline = deadline(timeout)?;
    let outcome = with_mask(mask, mask_size, || {
        poll_until(fds, u64::from(count as u32), deadline)
    });
    tell_rest(timeout, deadline);
    outcome
}

/// Makes a point in time of a number of milliseconds; a negative one is never.
pub(super) fn milliseconds(timeout: u64) -> Option<u64> {
    let ms = u64::try_from(timeout as i32).ok()?;
    Some(time::now_ns().saturating_add(ms * 1_000_000))
}

/// Makes a point in time of the `timespec` at `addr`; none is never.
pub(super) fn deadline(addr: u64) -> Result<Option<u64>, Errno> {
    match addr {
        0 => Ok(None),
        addr => Ok(Some(
            time::now_ns().saturating_add(args::nanoseconds(addr)?),
        )),
    }
}

/// Stores what is left of a wait at the `timespec` at `addr`; a program that cannot be told does not learn it.
pub(super) fn tell_rest(addr: u64, deadline: Option<u64>) {
    if let Some(deadline) = deadline {
        let rest = Timespec::from_ns(deadline.saturating_sub(time::now_ns()));
        let _ = args::write(addr, &rest);
    }
}

/// Waits with the mask at `mask` in force, if there is one.
pub(super) fn with_mask(mask: u64, size: u64, wait: impl FnOnce() -> SysResult) -> SysResult {
    if mask == 0 {
        return wait();
    }
    if size != size_of::<SigSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let mask = args::read::<SigSet>(mask)?;
    signal::with_own(|signals| signals.suspend_mask(mask));
    let outcome = wait();
    if !matches!(outcome, Err(Errno::RESTART_NOHAND | Errno::EINTR)) {
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
    let mut polled = Vec::new();
    polled
        .try_reserve_exact(count as usize)
        .map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        polled.push(Polled::read(addr + index * size_of::<PollFd>() as u64)?);
    }
    // What the sleep watches is fixed, what each look finds is written down here.
    let mut found = alloc::vec![0_u16; polled.len()];
    let files = polled
        .iter()
        .filter_map(|polled| Some((&**polled.file.as_ref()?, polled.wanted())));
    // Whether it is time or an event that ends the wait, the entries say.
    poll::wait(deadline, files, || {
        polled
            .iter()
            .zip(&mut found)
            .fold(false, |any, (polled, found)| {
                *found = polled.look();
                any | (*found != 0)
            })
    })
    .map_err(|_| Errno::RESTART_NOHAND)?;
    for (index, revents) in (0..).zip(&found) {
        let at = addr
            + index * size_of::<PollFd>() as u64
            + core::mem::offset_of!(PollFd, revents) as u64;
        args::write(at, revents)?;
    }
    Ok(found.iter().filter(|revents| **revents != 0).count() as u64)
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

    fn wanted(&self) -> Readiness {
        Readiness::from_bits_truncate(self.request.events)
    }

    /// Returns what is so now of what was asked for.
    fn look(&self) -> u16 {
        match &self.file {
            // What was named and not opened is no descriptor for this.
            Some(file) if file.is_name_only() => POLLNVAL as u16,
            Some(file) => poll::events(file.file().readiness(), self.wanted()).bits(),
            None if self.request.fd < 0 => 0,
            None => POLLNVAL as u16,
        }
    }
}
