//! What the topics about terminals share: pairs, and reading and writing them.

use libc::{O_NOCTTY, O_RDWR};
use user::probe::{Verdict, must, same};
use user::sys;

pub(crate) const TIOCGPTN: u64 = 0x8004_5430;
pub(crate) const TIOCSPTLCK: u64 = 0x4004_5431;

pub(crate) fn ioctl(fd: i32, request: u64, argument: u64) -> sys::Result {
    sys::call(libc::SYS_ioctl, [fd as u64, request, argument])
}

pub(crate) fn open(path: &str, flags: i32) -> sys::Result<i32> {
    let mut path = [path.as_bytes(), b"\0"].concat();
    sys::call(
        libc::SYS_open,
        [sys::at(path.as_mut_slice()), flags as u64, 0],
    )
    .map(|fd| fd as i32)
}

pub(crate) fn set(fd: i32, request: u64, value: i32) -> sys::Result {
    ioctl(fd, request, sys::at(&mut { value }))
}

pub(crate) fn get(fd: i32, request: u64) -> sys::Result<i32> {
    let mut value = -1_i32;
    ioctl(fd, request, sys::at(&mut value)).map(|_| value)
}

/// Opens a pair: the master, and its end, which becomes nobody's terminal.
pub(crate) fn pair() -> Result<(i32, i32), String> {
    let (master, path) = master()?;
    must("unlocking", set(master, TIOCSPTLCK, 0))?;
    Ok((
        master,
        must("opening the end", open(&path, O_RDWR | O_NOCTTY))?,
    ))
}

pub(crate) fn master() -> Result<(i32, String), String> {
    let master = must("/dev/ptmx", open("/dev/ptmx", O_RDWR | O_NOCTTY))?;
    let number = must("its number", get(master, TIOCGPTN))?;
    Ok((master, format!("/dev/pts/{number}")))
}

pub(crate) fn write(fd: i32, text: &str) -> Result<(), String> {
    let mut bytes = text.as_bytes().to_vec();
    let written = sys::write(fd, sys::at(bytes.as_mut_slice()), bytes.len() as u64);
    same("bytes written", written, Ok(text.len() as u64))
}

/// Reads once.
pub(crate) fn read(fd: i32) -> sys::Result<String> {
    let mut bytes = [0_u8; 256];
    let len = sys::read(fd, sys::at(&mut bytes), 256)?;
    Ok(String::from_utf8_lossy(&bytes[..len as usize]).into_owned())
}

/// Reads until as much came as is wanted.
pub(crate) fn reads(what: &str, fd: i32, want: &str) -> Verdict {
    let mut got = String::new();
    while got.len() < want.len() {
        match must(what, read(fd))? {
            more if more.is_empty() => break,
            more => got += &more,
        }
    }
    same(what, got.as_str(), want)
}
