//! epoll: interests and waiting.

use abi::Errno;
use abi::event::EpollEvent;
use abi::file::OpenFlags;
use abi::linux::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};

use super::poll::{deadline, milliseconds, with_mask};
use super::{SysResult, args, fd};
use crate::arch::trapframe::TrapFrame;
use crate::fs::epoll::{self, Epoll};
use crate::fs::eventfd::downcast;

/// The most events one call can be asked for.
const MAX_EVENTS: u64 = i32::MAX as u64 / size_of::<EpollEvent>() as u64;

/// `epoll_create(size)`: the size says nothing.
pub fn epoll_create(frame: &mut TrapFrame) -> SysResult {
    let [size, ..] = frame.args();
    if size as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    fd::insert_new(epoll::epoll(), false)
}

/// `epoll_create1(flags)`.
pub fn epoll_create1(frame: &mut TrapFrame) -> SysResult {
    let [flags, ..] = frame.args();
    let flags = OpenFlags::from_bits_retain(flags as u32);
    if !OpenFlags::CLOEXEC.contains(flags) {
        return Err(Errno::EINVAL);
    }
    fd::insert_new(epoll::epoll(), flags.contains(OpenFlags::CLOEXEC))
}

/// `epoll_ctl(epoll, operation, fd, event)`.
pub fn epoll_ctl(frame: &mut TrapFrame) -> SysResult {
    let [epfd, operation, fd, event, ..] = frame.args();
    let operation = operation as u32;
    let event = match operation {
        EPOLL_CTL_DEL => EpollEvent::default(),
        _ => args::read::<EpollEvent>(event)?,
    };
    let outer = args::opened_file(epfd)?;
    let file = args::opened_file(fd)?;
    if file.file().poll_queue().is_none() {
        return Err(Errno::EPERM);
    }
    let epoll = downcast::<Epoll>(&outer).ok_or(Errno::EINVAL)?;
    if alloc::sync::Arc::ptr_eq(&outer, &file) {
        return Err(Errno::EINVAL);
    }
    let (fd, events, data) = (fd as i32, event.events, event.data);
    match operation {
        EPOLL_CTL_ADD => epoll.add(&file, fd, events, data)?,
        EPOLL_CTL_MOD => epoll.change(&file, fd, events, data)?,
        EPOLL_CTL_DEL => epoll.remove(&file, fd)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// `epoll_wait(epoll, events, max, timeout in ms)`.
pub fn epoll_wait(frame: &mut TrapFrame) -> SysResult {
    let [epfd, events, max, timeout, ..] = frame.args();
    wait(epfd, events, max, milliseconds(timeout))
}

/// `epoll_pwait(epoll, events, max, timeout in ms, mask, size of the mask)`.
pub fn epoll_pwait(frame: &mut TrapFrame) -> SysResult {
    let [epfd, events, max, timeout, mask, size] = frame.args();
    with_mask(mask, size, || {
        wait(epfd, events, max, milliseconds(timeout))
    })
}

/// `epoll_pwait2(epoll, events, max, timeout, mask, size of the mask)`.
pub fn epoll_pwait2(frame: &mut TrapFrame) -> SysResult {
    let [epfd, events, max, timeout, mask, size] = frame.args();
    let deadline = deadline(timeout)?;
    with_mask(mask, size, || wait(epfd, events, max, deadline))
}

fn wait(epfd: u64, addr: u64, max: u64, deadline: Option<u64>) -> SysResult {
    let file = args::opened_file(epfd)?;
    let max = u64::try_from(max as i32).map_err(|_| Errno::EINVAL)?;
    if max == 0 || max > MAX_EVENTS {
        return Err(Errno::EINVAL);
    }
    addr::user_range(addr, max * size_of::<EpollEvent>() as u64).ok_or(Errno::EFAULT)?;
    let epoll = downcast::<Epoll>(&file).ok_or(Errno::EINVAL)?;
    loop {
        let mut at = addr;
        let told = epoll.tell_events(max as usize, |events, data| {
            let written = args::write(at, &EpollEvent { events, data });
            at += size_of::<EpollEvent>() as u64;
            written.is_ok()
        });
        match told {
            None => return Err(Errno::EFAULT),
            Some(0) => {}
            Some(told) => return Ok(told as u64),
        }
        if !epoll.wait(deadline).map_err(|_| Errno::EINTR)? {
            return Ok(0);
        }
    }
}
