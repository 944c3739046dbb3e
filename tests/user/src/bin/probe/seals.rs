//! Seals of files in memory: what can never be done to them again.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, PermissionsExt};

use user::fsys::{self, Scratch, both, fails, filled, io, mapped};
use user::map;
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "seals",
    about: "what seals forbid, and which can be added",
    cases: &[
        ("which_files_have_them", which_files_have_them),
        ("adding", adding),
        ("no_longer", no_longer),
        ("no_shorter", no_shorter),
        ("no_writing", no_writing),
        (
            "mappings_forbid_sealing_against_writing",
            mappings_forbid_sealing_against_writing,
        ),
        ("no_writing_from_now_on", no_writing_from_now_on),
        ("not_executable", not_executable),
    ],
};

const SEAL: u64 = libc::F_SEAL_SEAL as u64;
const SHRINK: u64 = libc::F_SEAL_SHRINK as u64;
const GROW: u64 = libc::F_SEAL_GROW as u64;
const WRITE: u64 = libc::F_SEAL_WRITE as u64;
const FUTURE_WRITE: u64 = 0x10;
const EXEC: u64 = 0x20;

/// A file of two pages that can be sealed.
fn sealable() -> Result<File, String> {
    let file = memory_file(libc::MFD_ALLOW_SEALING)?;
    io("fill", file.write_all_at(&[7; 2 * PAGE as usize], 0))?;
    Ok(file)
}

fn memory_file(flags: u32) -> Result<File, String> {
    let fd = must("memfd_create", fsys::memfd("sealed", flags))?;
    let file = both(format!("/proc/self/fd/{fd}").as_ref())?;
    must("close", sys::close(fd))?;
    Ok(file)
}

fn add(file: &impl AsRawFd, seals: u64) -> sys::Result {
    control(file.as_raw_fd(), libc::F_ADD_SEALS, seals)
}

fn seals(file: &impl AsRawFd) -> sys::Result {
    control(file.as_raw_fd(), libc::F_GET_SEALS, 0)
}

fn control(fd: RawFd, command: i32, argument: u64) -> sys::Result {
    sys::call(libc::SYS_fcntl, [fd as u64, command as u64, argument])
}

fn which_files_have_them() -> Verdict {
    same("sealable", must("get", seals(&sealable()?))?, 0)?;
    let plain = memory_file(0)?;
    same("not sealable", must("get", seals(&plain))?, SEAL)?;
    refused("it", add(&plain, GROW), libc::EPERM)?;
    let dir = Scratch::new()?;
    let named = filled(&dir, 1, 0)?;
    same("one with a name", must("get", seals(&named))?, SEAL)?;
    refused("it", add(&named, GROW), libc::EPERM)?;
    let directory = io("open", File::open(dir.root()))?;
    refused("a directory", seals(&directory), libc::EINVAL)?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    let get = control(reader, libc::F_GET_SEALS, 0);
    refused("a pipe", get, libc::EINVAL)?;
    let add = |end| control(end, libc::F_ADD_SEALS, GROW);
    refused("to read", add(reader), libc::EPERM)?;
    refused("to write", add(writer), libc::EINVAL)
}

fn adding() -> Verdict {
    let file = sealable()?;
    must("one", add(&file, GROW))?;
    must("another", add(&file, SHRINK))?;
    must("again", add(&file, SHRINK))?;
    same("both", must("get", seals(&file))?, GROW | SHRINK)?;
    refused("unknown", add(&file, 0x8000), libc::EINVAL)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let reader = io("reader", File::open(path))?;
    refused("by a reader", add(&reader, SEAL), libc::EPERM)?;
    must("the last", add(&file, SEAL))?;
    refused("no more", add(&file, WRITE), libc::EPERM)?;
    same("three", must("get", seals(&file))?, GROW | SHRINK | SEAL)
}

fn no_longer() -> Verdict {
    let file = sealable()?;
    io("size", file.set_len(PAGE + 100))?;
    must("seal", add(&file, GROW))?;
    fails("ftruncate", file.set_len(PAGE + 101), libc::EPERM)?;
    fails("at the end", file.write_at(b"x", PAGE + 100), libc::EPERM)?;
    let more = vec![1; 2 * PAGE as usize];
    let whole = io("up to the last whole page", file.write_at(&more, 0))?;
    same("is written", whole as u64, PAGE)?;
    fails("across the end", file.write_at(&more, PAGE), libc::EPERM)?;
    same("inside", io("write", file.write_at(&[2; 100], PAGE))?, 100)?;
    refused(
        "fallocate",
        fsys::fallocate(&file, 0, 0, 2 * PAGE),
        libc::EPERM,
    )?;
    must("inside", fsys::fallocate(&file, 0, 0, PAGE + 100))?;
    io("shorter", file.set_len(10))
}

fn no_shorter() -> Verdict {
    let file = sealable()?;
    must("seal", add(&file, SHRINK))?;
    fails("ftruncate", file.set_len(PAGE), libc::EPERM)?;
    io("the same", file.set_len(2 * PAGE))?;
    io("longer", file.set_len(3 * PAGE))?;
    fails("and back", file.set_len(2 * PAGE), libc::EPERM)?;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    same("a hole", fsys::fallocate(&file, punch, 0, PAGE), Ok(0))
}

fn no_writing() -> Verdict {
    let file = sealable()?;
    must("seal", add(&file, WRITE))?;
    fails("write", file.write_at(b"x", 0), libc::EPERM)?;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    refused("punch", fsys::fallocate(&file, punch, 0, PAGE), libc::EPERM)?;
    let shared = |prot| map::Map::with(1, prot, libc::MAP_SHARED, file.as_raw_fd());
    refused("a mapping to write", shared(map::RW), libc::EPERM)?;
    let reading = must("one to read", shared(map::R))?;
    same("reads", mem::peek(reading.start), 7)?;
    refused("later", reading.protect(map::RW), libc::EACCES)?;
    let own = mapped(&file, 1, map::RW, libc::MAP_PRIVATE)?;
    mem::poke(own.start, 1);
    io("another size", file.set_len(PAGE))
}

fn mappings_forbid_sealing_against_writing() -> Verdict {
    let file = sealable()?;
    let shared = mapped(&file, 2, map::RW, libc::MAP_SHARED)?;
    refused("mapped to write", add(&file, WRITE), libc::EBUSY)?;
    same("no seal", must("get", seals(&file))?, 0)?;
    must("half of it goes", sys::munmap(shared.start, PAGE))?;
    refused("the other half", add(&file, WRITE), libc::EBUSY)?;
    must("protect", sys::mprotect(shared.page(1), PAGE, map::R))?;
    refused("could be changed", add(&file, WRITE), libc::EBUSY)?;
    must("it goes", sys::munmap(shared.page(1), PAGE))?;
    let own = mapped(&file, 2, map::RW, libc::MAP_PRIVATE)?;
    mem::poke(own.start, 1);
    same("private ones do not count", add(&file, WRITE), Ok(0))
}

fn no_writing_from_now_on() -> Verdict {
    let file = sealable()?;
    let shared = mapped(&file, 2, map::RW, libc::MAP_SHARED)?;
    must("seal", add(&file, FUTURE_WRITE))?;
    mem::poke(shared.start, 9);
    fails("write", file.write_at(b"x", 0), libc::EPERM)?;
    let mut byte = [0];
    io("read", file.read_exact_at(&mut byte, 0))?;
    same("stores go on", byte[0], 9)?;
    let again = map::Map::with(1, map::RW, libc::MAP_SHARED, file.as_raw_fd());
    refused("another mapping", again, libc::EPERM)
}

fn not_executable() -> Verdict {
    const MFD_NOEXEC_SEAL: u32 = 8;
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    let file = memory_file(MFD_NOEXEC_SEAL)?;
    same("its seals", must("get", seals(&file))?, EXEC)?;
    let facts = io("stat", file.metadata())?;
    same("its mode", facts.permissions().mode() & 0o7777, 0o666)?;
    fails("chmod", file.set_permissions(mode(0o777)), libc::EPERM)?;
    io("less", file.set_permissions(mode(0o600)))?;
    let file = sealable()?;
    io("chmod", file.set_permissions(mode(0o600)))?;
    must("seal", add(&file, EXEC))?;
    fails("chmod", file.set_permissions(mode(0o700)), libc::EPERM)?;
    io("write", file.write_all_at(b"x", 0))?;
    let file = sealable()?;
    must("an executable one", add(&file, EXEC))?;
    let all = EXEC | SHRINK | GROW | WRITE | FUTURE_WRITE;
    same("cannot be changed", must("get", seals(&file))?, all)?;
    fails("write", file.write_at(b"x", 0), libc::EPERM)
}
