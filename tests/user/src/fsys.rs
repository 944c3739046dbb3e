//! System calls on files that the standard library does not offer, and a directory to use them in.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::map::Map;
use crate::mem::PAGE;
use crate::probe::{Verdict, must, same};
use crate::sys::{self, Result};

/// Is a directory in memory that goes with its owner.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty one.
    pub fn new() -> std::result::Result<Self, String> {
        let path = PathBuf::from(format!("/dev/shm/probe-{}", sys::getpid()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Gives the path of a name in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Gives its own path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}

/// The error of a call of the standard library.
#[must_use]
pub fn errno<T>(result: &std::io::Result<T>) -> i32 {
    match result {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap_or(-1),
    }
}

/// Names the step that failed.
pub fn io<T>(what: &str, result: std::io::Result<T>) -> std::result::Result<T, String> {
    result.map_err(|error| format!("{what}: {error}"))
}

/// The call was refused with `want`.
pub fn fails<T>(what: &str, result: std::io::Result<T>, want: i32) -> Verdict {
    same(what, sys::Errno(errno(&result)), sys::Errno(want))
}

/// Opens a file to read and write, made if it is missing.
pub fn both(path: &Path) -> std::result::Result<File, String> {
    let mut options = OpenOptions::new();
    io(
        "open",
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path),
    )
}

/// Opens a new file of some pages; the first byte of each is `value` and its number.
pub fn filled(dir: &Scratch, pages: u64, value: u8) -> std::result::Result<File, String> {
    let file = both(&dir.path("file"))?;
    for page in 0..pages {
        let bytes = [value.wrapping_add(page as u8); PAGE as usize];
        io("fill", file.write_all_at(&bytes, page * PAGE))?;
    }
    Ok(file)
}

/// Maps a file from its start on.
pub fn mapped(file: &File, pages: u64, prot: i32, flags: i32) -> std::result::Result<Map, String> {
    must("mmap", Map::with(pages, prot, flags, file.as_raw_fd()))
}

/// The byte of the file at an offset.
pub fn byte(file: &File, at: u64) -> std::result::Result<u8, String> {
    let mut byte = [0];
    io("pread", file.read_exact_at(&mut byte, at))?;
    Ok(byte[0])
}

const HERE: u64 = libc::AT_FDCWD as u64;

/// Is `openat` with any flags.
pub fn open(path: &Path, flags: i32, mode: u32) -> Result<i32> {
    let path = text(path);
    let args = [HERE, path.as_ptr() as u64, flags as u64, mode.into()];
    sys::call(libc::SYS_openat, args).map(|fd| fd as i32)
}

/// Is `renameat2`.
pub fn rename(old: &Path, new: &Path, flags: u32) -> Result {
    two_names(libc::SYS_renameat2, old, new, flags.into())
}

/// A call about two names below the working directory.
fn two_names(number: i64, old: &Path, new: &Path, flags: u64) -> Result {
    let (old, new) = (text(old), text(new));
    let (from, to) = (old.as_ptr() as u64, new.as_ptr() as u64);
    sys::call(number, [HERE, from, HERE, to, flags])
}

/// Is `unlinkat`.
pub fn unlink(path: &Path, flags: i32) -> Result {
    let path = text(path);
    sys::call(
        libc::SYS_unlinkat,
        [HERE, path.as_ptr() as u64, flags as u64],
    )
}

/// Is `mkdirat`.
pub fn mkdir(path: &Path, mode: u32) -> Result {
    let path = text(path);
    sys::call(libc::SYS_mkdirat, [HERE, path.as_ptr() as u64, mode.into()])
}

/// Is `linkat`.
pub fn link(old: &Path, new: &Path, flags: i32) -> Result {
    two_names(libc::SYS_linkat, old, new, flags as u64)
}

/// Is `mknodat`.
pub fn mknod(path: &Path, mode: u32, dev: u64) -> Result {
    let path = text(path);
    sys::call(
        libc::SYS_mknodat,
        [HERE, path.as_ptr() as u64, mode.into(), dev],
    )
}

/// Is `truncate`.
pub fn truncate(path: &Path, len: u64) -> Result {
    let path = text(path);
    sys::call(libc::SYS_truncate, [path.as_ptr() as u64, len])
}

/// Is `ftruncate`.
pub fn ftruncate(file: &impl AsRawFd, len: u64) -> Result {
    sys::call(libc::SYS_ftruncate, [file.as_raw_fd() as u64, len])
}

/// Is `fallocate`.
pub fn fallocate(file: &impl AsRawFd, mode: i32, start: u64, len: u64) -> Result {
    let fd = file.as_raw_fd() as u64;
    sys::call(libc::SYS_fallocate, [fd, mode as u64, start, len])
}

/// Is `lseek`.
pub fn seek(file: &impl AsRawFd, offset: i64, whence: i32) -> Result {
    let fd = file.as_raw_fd() as u64;
    sys::call(libc::SYS_lseek, [fd, offset as u64, whence as u64])
}

/// Is `memfd_create`.
pub fn memfd(name: &str, flags: u32) -> Result<i32> {
    let name = CString::new(name).unwrap_or_default();
    let args = [name.as_ptr() as u64, flags.into()];
    sys::call(libc::SYS_memfd_create, args).map(|fd| fd as i32)
}

/// Is `statfs`: kind, blocks, free blocks, files, free files.
pub fn statfs(path: &Path) -> Result<[u64; 5]> {
    let path = text(path);
    let mut words = [0_u64; 15];
    sys::call(
        libc::SYS_statfs,
        [path.as_ptr() as u64, sys::at(&mut words)],
    )?;
    Ok([words[0], words[2], words[3], words[5], words[6]])
}
