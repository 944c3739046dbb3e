//! execve: the path, the arguments, the environment.

use abi::Errno;
use addr::PAGE_SIZE;
use exec::args::{ArgBudget, MAX_STRING, Strings, TooBig};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::mm::frame;
use crate::mm::uaccess::{self, CstrError};
use crate::process::image::{self, ExecRequest};
use crate::process::layout;
use crate::process::{self, exec as program};

/// `execve(path, argv, envp)`.
pub fn execve(frame: &mut TrapFrame) -> SysResult {
    let [path, argv, envp, ..] = frame.args();
    let request = request(path, argv, envp)?;
    program::execve(frame, request)?;
    // The frame is the new program's; its RAX is 0, like this result.
    Ok(0)
}

fn request(path: u64, argv: u64, envp: u64) -> Result<ExecRequest, Errno> {
    let process = process::current();
    let limits = process.with_limits(|limits| limits.mm());
    let mut budget = ArgBudget::new(limits.stack);
    let path = args::path(path)?;
    let caller = args::caller();
    image::find(&caller, &path)?;
    Ok(ExecRequest {
        path,
        argv: strings(argv, &mut budget)?,
        envp: strings(envp, &mut budget)?,
        caller,
        limits,
        layout: layout::choose(process.persona()),
    })
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
        let size = strings.bytes().len() as u64;
        if !frame::can_spare(2 * size / PAGE_SIZE) {
            return Err(Errno::ENOMEM);
        }
        strings.push(&string).map_err(|TooBig| Errno::ENOMEM)?;
    }
    Ok(strings)
}
