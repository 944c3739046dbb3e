//! execve: the path, the arguments, the environment.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::linux::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use addr::PAGE_SIZE;
use exec::args::{ArgBudget, MAX_STRING, Strings, TooBig};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::Follow;
use crate::mm::frame;
use crate::mm::uaccess::{self, CstrError};
use crate::process::image::{self, ExecRequest, Target};
use crate::process::{self, exec as program, layout};

/// `execve(path, argv, envp)`.
pub fn execve(frame: &mut TrapFrame) -> SysResult {
    let [path, argv, envp, ..] = frame.args();
    let path = args::path(path)?;
    let target = Target::Named(process::current().cwd(), path.clone(), Follow::Yes);
    run(frame, path, target, true, [argv, envp])
}

/// `execveat(dirfd, path, argv, envp, flags)`: what is found from a descriptor, or is one, is told by that.
pub fn execveat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, argv, envp, flags, _] = frame.args();
    let flags = flags as u32;
    if flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = match flags & AT_SYMLINK_NOFOLLOW {
        0 => Follow::Yes,
        _ => Follow::No,
    };
    let path = args::path(path)?;
    let from_fd = dirfd as i32 != AT_FDCWD && !path.starts_with(b"/");
    let (target, told) = if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        let inode = args::location_named_or_fd(&args::caller(), dirfd, &path, follow, true)?;
        (Target::Open(inode), format!("/dev/fd/{}", dirfd as i32))
    } else {
        let base = args::directory(&args::caller(), dirfd, &path)?;
        let name = String::from_utf8_lossy(&path).into_owned();
        let told = match from_fd {
            true => format!("/dev/fd/{}/{name}", dirfd as i32),
            false => name,
        };
        (Target::Named(base, path, follow), told)
    };
    // The program that is to read a script opens it anew, when this descriptor is closed.
    let closes = process::current().with_files(|files| files.closes_on_exec(dirfd as i32));
    let can_reopen = !(from_fd && closes == Some(true));
    run(frame, told.into_bytes(), target, can_reopen, [argv, envp])
}

fn run(
    frame: &mut TrapFrame,
    path: Vec<u8>,
    target: Target,
    can_reopen: bool,
    [argv, envp]: [u64; 2],
) -> SysResult {
    let caller = args::caller();
    let found = image::find(&caller, &target)?;
    let process = process::current();
    let limits = process.with_limits(|limits| limits.mm());
    let mut budget = ArgBudget::new(limits.stack);
    let request = ExecRequest {
        path,
        can_reopen,
        argv: strings(argv, &mut budget)?,
        envp: strings(envp, &mut budget)?,
        caller,
        honours_bits: !process::current_thread().no_new_privs.load(Relaxed),
        limits,
        layout: layout::choose(process.persona()),
    };
    program::execve(frame, found, request)?;
    // The frame is the new program's; its RAX is 0, like this result.
    Ok(0)
}

/// Reads a null-terminated list of strings; no list is an empty one (EX-4).
fn strings(addr: u64, budget: &mut ArgBudget) -> Result<Strings, Errno> {
    let mut strings = Strings::new();
    if addr == 0 {
        return Ok(strings);
    }
    for index in 0.. {
        let pointer = args::read::<u64>(addr.checked_add(index * 8).ok_or(Errno::EFAULT)?)?;
        if pointer == 0 {
            break;
        }
        let string =
            uaccess::read_cstr(pointer, MAX_STRING as usize - 1).map_err(|error| match error {
                CstrError::Fault => Errno::EFAULT,
                CstrError::TooLong => Errno::E2BIG,
            })?;
        budget
            .take(string.len() as u64)
            .map_err(|TooBig| Errno::E2BIG)?;
        let size = strings.size() as u64;
        if !frame::can_spare(2 * size / PAGE_SIZE) {
            return Err(Errno::ENOMEM);
        }
        strings.push(&string).map_err(|TooBig| Errno::ENOMEM)?;
    }
    Ok(strings)
}
