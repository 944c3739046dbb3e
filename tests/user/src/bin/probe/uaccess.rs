//! Pointers a program hands to the kernel: bad ones are EFAULT, good ones work like the program's own accesses (PF-14…16).

use user::child::Ended;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, code, holds, lives, must, refused, same};
use user::{child, sys};

pub(crate) const TOPIC: Topic = Topic {
    name: "uaccess",
    about: "bad pointers are EFAULT, partial copies, copies that break COW or grow the stack",
    cases: &[
        ("write_from_bad_pointers", write_from_bad_pointers),
        ("writev_from_bad_pointers", writev_from_bad_pointers),
        ("read_into_bad_pointers", read_into_bad_pointers),
        ("uname_into_bad_pointers", || {
            filling(libc::SYS_uname, |addr| [addr, 0, 0, 0])
        }),
        ("clock_into_bad_pointers", || {
            filling(libc::SYS_clock_gettime, |addr| [1, addr, 0, 0])
        }),
        ("random_into_bad_pointers", || {
            filling(libc::SYS_getrandom, |addr| [addr, 16, 0, 0])
        }),
        ("fstat_into_bad_pointers", || {
            filling(libc::SYS_fstat, |addr| [1, addr, 0, 0])
        }),
        ("pipe_into_bad_pointers", || {
            filling(libc::SYS_pipe2, |addr| [addr, 0, 0, 0])
        }),
        ("limit_into_bad_pointers", limit_into_bad_pointers),
        ("wait_into_bad_pointers", wait_into_bad_pointers),
        ("sleep_from_bad_pointers", || {
            taking(libc::SYS_nanosleep, |addr| [addr, 0, 0, 0])
        }),
        ("open_of_bad_pointers", || {
            taking(libc::SYS_openat, |addr| [libc::AT_FDCWD as u64, addr, 0, 0])
        }),
        ("exec_of_bad_pointers", || {
            taking(libc::SYS_execve, |addr| [addr, 0, 0, 0])
        }),
        ("exec_with_bad_argv", exec_with_bad_argv),
        ("path_runs_off_its_page", path_runs_off_its_page),
        ("read_is_partial", read_is_partial),
        ("write_of_half_a_buffer", write_of_half_a_buffer),
        ("length_wraps", length_wraps),
        ("kernel_write_breaks_cow", kernel_write_breaks_cow),
        (
            "kernel_write_leaves_zero_page",
            kernel_write_leaves_zero_page,
        ),
        ("kernel_write_populates", kernel_write_populates),
        ("kernel_read_populates", kernel_read_populates),
        ("kernel_write_grows_stack", kernel_write_grows_stack),
        ("bad_pointer_then_good", bad_pointer_then_good),
    ],
};

/// Addresses the kernel may neither read nor write for a program, and why.
fn unreadable() -> Result<Vec<(&'static str, u64)>, String> {
    let gone = must("mmap", Map::anon(1, map::RW))?;
    must("munmap", sys::munmap(gone.start, PAGE))?;
    let none = must("mmap", Map::anon(1, map::NONE))?;
    Ok(vec![
        ("null", 0),
        ("one", 1),
        ("unmapped", gone.start + 8),
        ("PROT_NONE", none.start),
        ("past user space", 0x7fff_ffff_f000),
        ("the last canonical byte", 0x7fff_ffff_ffff),
        ("non-canonical", 0x8000_0000_0000),
        ("non-canonical, far", 0x1234_5678_9abc_def0),
        ("non-canonical, high", 0xffff_7fff_ffff_fff0),
        ("direct map", 0xffff_8880_0000_1000),
        ("kernel image", 0xffff_ffff_8000_0000),
        ("the last page", 0xffff_ffff_ffff_f000),
        ("the last byte", u64::MAX),
    ])
}

/// The same, and memory that may only be read.
fn unwritable() -> Result<Vec<(&'static str, u64)>, String> {
    let mut all = unreadable()?;
    all.push(("read-only", must("mmap", Map::anon(1, map::R))?.start));
    all.push(("own code", unwritable as *const () as u64));
    Ok(all)
}

/// Makes `number` read from each bad address.
fn taking(number: i64, args: fn(u64) -> [u64; 4]) -> Verdict {
    for (what, addr) in unreadable()? {
        refused(what, sys::call(number, args(addr)), libc::EFAULT)?;
    }
    Ok(())
}

/// Makes `number` write to each bad address.
fn filling(number: i64, args: fn(u64) -> [u64; 4]) -> Verdict {
    for (what, addr) in unwritable()? {
        refused(what, sys::call(number, args(addr)), libc::EFAULT)?;
    }
    Ok(())
}

fn write_from_bad_pointers() -> Verdict {
    let [_reader, writer] = must("pipe", sys::pipe())?;
    for (what, addr) in unreadable()? {
        refused(what, sys::write(writer, addr, 1), libc::EFAULT)?;
        refused(
            what,
            sys::write(libc::STDOUT_FILENO, addr, 16),
            libc::EFAULT,
        )?;
    }
    Ok(())
}

fn writev_from_bad_pointers() -> Verdict {
    let [_reader, writer] = must("pipe", sys::pipe())?;
    for (what, addr) in unreadable()? {
        let mut vector = [addr, 1];
        refused(
            what,
            sys::call(libc::SYS_writev, [writer as u64, sys::at(&mut vector), 1]),
            libc::EFAULT,
        )?;
        refused(
            what,
            sys::call(libc::SYS_writev, [writer as u64, addr, 1]),
            libc::EFAULT,
        )?;
    }
    Ok(())
}

fn read_into_bad_pointers() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut text = *b"abcdefgh";
    must("write", sys::write(writer, sys::at(&mut text), 8))?;
    for (what, addr) in unwritable()? {
        refused(what, sys::read(reader, addr, 1), libc::EFAULT)?;
    }
    let mut back = [0_u8; 8];
    same(
        "bytes left in the pipe",
        must("read", sys::read(reader, sys::at(&mut back), 8))?,
        8,
    )?;
    same("what they are", back, text)
}

/// A null pointer means that the old limit is not wanted.
fn limit_into_bad_pointers() -> Verdict {
    let wild = unwritable()?.into_iter().filter(|(_, addr)| *addr != 0);
    for (what, addr) in wild {
        let limit = u64::from(libc::RLIMIT_STACK);
        refused(
            what,
            sys::call(libc::SYS_prlimit64, [0, limit, 0, addr]),
            libc::EFAULT,
        )?;
    }
    Ok(())
}

fn wait_into_bad_pointers() -> Verdict {
    for (what, addr) in unwritable()? {
        if addr == 0 {
            continue; // a null status pointer means "not wanted"
        }
        let pid = must("fork", child::start(|| 7))?;
        refused(
            what,
            sys::call(libc::SYS_wait4, [pid as u64, addr, 0, 0]),
            libc::EFAULT,
        )?;
        refused(
            "the child is reaped all the same",
            sys::wait4(pid, 0),
            libc::ECHILD,
        )?;
    }
    Ok(())
}

fn exec_with_bad_argv() -> Verdict {
    let path = c"/proc/self/exe";
    for (what, addr) in unreadable()? {
        if addr == 0 {
            continue; // a null argv is an empty one
        }
        let mut argv = [addr, 0];
        refused(
            what,
            sys::call(libc::SYS_execve, [path.as_ptr() as u64, addr, 0]),
            libc::EFAULT,
        )?;
        refused(
            what,
            sys::call(
                libc::SYS_execve,
                [path.as_ptr() as u64, sys::at(&mut argv), 0],
            ),
            libc::EFAULT,
        )?;
    }
    Ok(())
}

/// A path whose terminator would lie on a page that is not there.
fn path_runs_off_its_page() -> Verdict {
    let map = must("mmap", Map::apart(1, 1, map::RW))?;
    for offset in 1..=4 {
        mem::poke(map.end() - offset, b'/');
    }
    let opened = sys::call(
        libc::SYS_openat,
        [libc::AT_FDCWD as u64, map.end() - 4, 0, 0],
    );
    refused("openat", opened, libc::EFAULT)?;
    mem::poke(map.end() - 1, 0);
    must(
        "openat of ///",
        sys::call(
            libc::SYS_openat,
            [libc::AT_FDCWD as u64, map.end() - 4, 0, 0],
        ),
    )
    .map(drop)
}

fn read_is_partial() -> Verdict {
    let map = must("mmap", Map::apart(1, 1, map::RW))?;
    let file = must("open", sys::open(&own_path()?))?;
    same(
        "20 bytes into room for 10",
        sys::read(file, map.end() - 10, 20),
        Ok(10),
    )?;
    same("the file's first byte", mem::peek(map.end() - 10), 0x7f)
}

fn own_path() -> Result<std::ffi::CString, String> {
    let path = std::env::current_exe().map_err(|e| e.to_string())?;
    std::ffi::CString::new(path.to_string_lossy().as_bytes()).map_err(|e| e.to_string())
}

fn write_of_half_a_buffer() -> Verdict {
    let map = must("mmap", Map::apart(1, 1, map::RW))?;
    let [_reader, writer] = must("pipe", sys::pipe())?;
    refused(
        "20 bytes where 10 are",
        sys::write(writer, map.end() - 10, 20),
        libc::EFAULT,
    )
}

fn length_wraps() -> Verdict {
    let [_reader, writer] = must("pipe", sys::pipe())?;
    // As much as one call transfers would lie in user space.
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let low = sys::mmap(0x2000_0000_0000, 4096, map::RW, flags, -1, 0);
    let mut byte = [1_u8];
    for addr in [sys::at(&mut byte), must("mmap", low)?] {
        refused(
            "a negative length",
            sys::write(writer, addr, u64::MAX),
            libc::EFAULT,
        )?;
        refused(
            "a length past user space",
            sys::write(writer, addr, 0x7fff_ffff_ffff_f000),
            libc::EFAULT,
        )?;
    }
    Ok(())
}

fn kernel_write_breaks_cow() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    map.fill(11);
    let [reader, writer] = must("pipe", sys::pipe())?;
    lives("the child reads into a shared page", || {
        let mut new = [99_u8];
        let done =
            sys::write(writer, sys::at(&mut new), 1).and_then(|_| sys::read(reader, map.start, 1));
        i32::from(done != Ok(1) || mem::peek(map.start) != 99)
    })?;
    same("the parent's byte", mem::peek(map.start), 11)
}

fn kernel_write_leaves_zero_page() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    holds("fresh pages are zero", map.is_zero())?;
    same(
        "random bytes",
        sys::call(libc::SYS_getrandom, [map.start, PAGE, 0]),
        Ok(PAGE),
    )?;
    holds(
        "they arrived",
        (0..PAGE / 8).any(|word| mem::peek64(map.start + word * 8) != 0),
    )?;
    holds(
        "the neighbour is still zero",
        Map {
            start: map.page(1),
            pages: 1,
        }
        .is_zero(),
    )?;
    holds(
        "so is fresh memory",
        must("mmap", Map::anon(4, map::RW))?.is_zero(),
    )
}

fn kernel_write_populates() -> Verdict {
    let map = must("mmap", Map::anon(3, map::RW))?;
    let across = map.page(1) - 8;
    same(
        "random bytes",
        sys::call(libc::SYS_getrandom, [across, PAGE + 16, 0]),
        Ok(PAGE + 16),
    )?;
    same("before them", mem::peek(across - 1), 0)?;
    same("after them", mem::peek(across + PAGE + 16), 0)
}

fn kernel_read_populates() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    same(
        "write of untouched memory",
        sys::write(writer, map.page(1) - 4, 8),
        Ok(8),
    )?;
    let mut back = [1_u8; 8];
    same("read", sys::read(reader, sys::at(&mut back), 8), Ok(8))?;
    same("what arrived", back, [0; 8])
}

fn kernel_write_grows_stack() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut text = *b"0123456789";
    must("write", sys::write(writer, sys::at(&mut text), 10))?;
    let far = mem::stack_pointer() - 2 * 1024 * 1024;
    same(
        "read into the stack's future",
        sys::read(reader, far, 10),
        Ok(10),
    )?;
    same("its last byte", mem::peek(far + 9), b'9')
}

/// After a refused pointer the same call works in the same process, and a killed sibling changes nothing.
fn bad_pointer_then_good() -> Verdict {
    let mut name = [0_u8; 390];
    for _ in 0..100 {
        refused(
            "uname",
            sys::call(libc::SYS_uname, [0x8000_0000_0000]),
            libc::EFAULT,
        )?;
        must("uname", sys::call(libc::SYS_uname, [sys::at(&mut name)]))?;
    }
    let ended = must(
        "fork",
        child::run(|| {
            code(refused(
                "uname",
                sys::call(libc::SYS_uname, [1]),
                libc::EFAULT,
            ))
        }),
    )?;
    same("a child does the same", ended, Ended::Exited(0))
}
