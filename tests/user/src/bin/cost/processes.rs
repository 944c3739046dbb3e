//! Children and programs.

use std::ffi::CStr;

use user::map::{self, Map};
use user::mem::PAGE;
use user::sys::{self, Errno};

use crate::calls::repeated;
use crate::faults::{unmap, write_pages};

/// Pages of the parent of [`fork_big`]: 64 MiB.
const BIG: u64 = 16_384;
/// Where [`small_program`] puts a program.
const PATH: &CStr = c"/tmp/cost-program";
/// A program of one page of code and four of zeros. It writes to each of the four and exits.
const PROGRAM: &[u8] = &program();

/// Starts a child that does `work`, without what a libc does at fork.
pub(crate) fn fork(work: impl FnOnce() -> i32) -> sys::Result<u64> {
    match sys::call(libc::SYS_fork, [])? {
        0 => sys::exit(work()),
        pid => Ok(pid),
    }
}

/// Waits for a child that ends well.
pub(crate) fn reap(pid: u64) -> sys::Result {
    match sys::wait4(pid as i32, 0)? {
        (_, 0) => Ok(0),
        _ => Err(Errno(libc::ECHILD)),
    }
}

/// Gives what `work` gives in a child.
pub(crate) fn in_child(work: impl FnOnce() -> u64) -> sys::Result {
    let [read, write] = sys::pipe()?;
    let pid = fork(|| {
        let mut result = work();
        i32::from(sys::write(write, sys::at(&mut result), 8) != Ok(8))
    })?;
    let mut result = 0_u64;
    sys::read(read, sys::at(&mut result), 8)?;
    sys::close(read)?;
    sys::close(write)?;
    reap(pid)?;
    Ok(result)
}

pub(crate) fn fork_exit(times: u64) -> sys::Result {
    repeated(times, || ended(fork(|| 0)))
}

/// Waits for a child, if there is one, and gives an answer as the kernel does.
fn ended(pid: sys::Result) -> i64 {
    match pid.and_then(reap) {
        Ok(_) => 0,
        Err(errno) => -i64::from(errno.0),
    }
}

/// The same by a parent of 64 MiB.
pub(crate) fn fork_big(times: u64) -> sys::Result {
    let map = Map::anon(BIG, map::RW)?;
    write_pages(map.start, BIG);
    let took = fork_exit(times)?;
    unmap(map)?;
    Ok(took)
}

pub(crate) fn fork_exec(times: u64) -> sys::Result {
    small_program()?;
    let path = PATH.as_ptr() as u64;
    let mut argv = [path, 0];
    let mut env = [0_u64];
    repeated(times, || {
        ended(fork(|| {
            let args = [path, sys::at(&mut argv), sys::at(&mut env)];
            let _ = sys::call(libc::SYS_execve, args);
            127
        }))
    })
}

pub(crate) fn vfork_exec(times: u64) -> sys::Result {
    small_program()?;
    let mut argv = [PATH.as_ptr() as u64, 0];
    let mut env = [0_u64];
    repeated(times, || {
        ended(sys::vfork_exec(PATH, sys::at(&mut argv), sys::at(&mut env)))
    })
}

fn small_program() -> sys::Result {
    let flags = (libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC) as u64;
    let args = [libc::AT_FDCWD as u64, PATH.as_ptr() as u64, flags, 0o700];
    let fd = sys::call(libc::SYS_openat, args)? as i32;
    sys::write(fd, PROGRAM.as_ptr() as u64, PROGRAM.len() as u64)?;
    sys::close(fd)
}

const BASE: u64 = 0x40_0000;
const HEADERS: usize = 64 + 2 * 56;
const CODE: usize = 4 * 8 + 9;

const fn program() -> [u8; HEADERS + CODE] {
    let mut file = [0; HEADERS + CODE];
    // The ELF header.
    put(&mut file, 0, 0x0001_0102_464c_457f, 8);
    put(&mut file, 16, 2, 2);
    put(&mut file, 18, 62, 2);
    put(&mut file, 20, 1, 4);
    put(&mut file, 24, BASE + HEADERS as u64, 8);
    put(&mut file, 32, 64, 8);
    put(&mut file, 52, 64, 2);
    put(&mut file, 54, 56, 2);
    put(&mut file, 56, 2, 2);
    segment(
        &mut file,
        64,
        5,
        BASE,
        (HEADERS + CODE) as u64,
        (HEADERS + CODE) as u64,
    );
    segment(&mut file, 64 + 56, 6, BASE + PAGE, 0, 4 * PAGE);
    let mut page = 0;
    while page < 4 {
        // mov byte ptr [address], 1
        let at = HEADERS + page * 8;
        put(&mut file, at, 0x25_04c6, 3);
        put(&mut file, at + 3, BASE + PAGE * (page as u64 + 1), 4);
        put(&mut file, at + 7, 1, 1);
        page += 1;
    }
    // mov eax, exit_group; xor edi, edi; syscall
    put(&mut file, HEADERS + 32, 0xe7b8, 5);
    put(&mut file, HEADERS + 37, 0x050f_ff31, 4);
    file
}

const fn segment(file: &mut [u8], at: usize, flags: u64, addr: u64, in_file: u64, in_memory: u64) {
    put(file, at, 1, 4);
    put(file, at + 4, flags, 4);
    put(file, at + 16, addr, 8);
    put(file, at + 24, addr, 8);
    put(file, at + 32, in_file, 8);
    put(file, at + 40, in_memory, 8);
    put(file, at + 48, PAGE, 8);
}

/// Writes the `len` low bytes of `value`.
const fn put(file: &mut [u8], at: usize, value: u64, len: usize) {
    let bytes = value.to_le_bytes();
    let mut index = 0;
    while index < len {
        file[at + index] = bytes[index];
        index += 1;
    }
}
