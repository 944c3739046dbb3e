//! Every call that takes a pointer, with every kind of bad one.

use user::map::{self, ANON};
use user::mem::{self, PAGE};
use user::sys;

use crate::cell::{Cells, END, KERNEL};

/// Pages of their own: 0 read-write, 1 free, 2 read-only, 3 free, 4 without access, 5 free.
const SPOT: u64 = 0x3800_0000_0000;
/// A path that exists.
const ROOT: u64 = SPOT + 0x100;
/// A path that does not.
const NOWHERE: u64 = SPOT + 0x200;
/// Zeros to read from and write to.
const GOOD: u64 = SPOT + 0x400;

/// Is an argument.
#[derive(Clone, Copy)]
enum Arg {
    /// A number.
    N(u64),
    /// The pointer in question.
    P,
    /// The end of a pipe that has bytes.
    Reader,
    /// The end of a pipe that has room.
    Writer,
    /// The program's file.
    File,
    /// The root folder.
    Folder,
}

use Arg::{File, Folder, N, P, Reader, Writer};

const AT: Arg = N(libc::AT_FDCWD as u64);
const Z: Arg = N(0);

/// Lists the calls: what it is, its number, its arguments.
const CALLS: &[(&str, i64, &[Arg])] = &[
    ("read", libc::SYS_read, &[Reader, P, N(8)]),
    ("read of a file", libc::SYS_read, &[File, P, N(8)]),
    ("read of nothing", libc::SYS_read, &[Reader, P, Z]),
    ("write", libc::SYS_write, &[Writer, P, N(8)]),
    ("pread64", libc::SYS_pread64, &[File, P, N(8), Z]),
    ("readv", libc::SYS_readv, &[Reader, P, N(1)]),
    ("writev", libc::SYS_writev, &[Writer, P, N(1)]),
    ("open", libc::SYS_open, &[P, Z, Z]),
    ("openat", libc::SYS_openat, &[AT, P, Z, Z]),
    ("stat", libc::SYS_stat, &[P, N(GOOD)]),
    ("stat into", libc::SYS_stat, &[N(ROOT), P]),
    ("lstat", libc::SYS_lstat, &[P, N(GOOD)]),
    ("lstat into", libc::SYS_lstat, &[N(ROOT), P]),
    ("fstat into", libc::SYS_fstat, &[File, P]),
    ("newfstatat", libc::SYS_newfstatat, &[AT, P, N(GOOD), Z]),
    (
        "newfstatat into",
        libc::SYS_newfstatat,
        &[AT, N(ROOT), P, Z],
    ),
    ("statx", libc::SYS_statx, &[AT, P, Z, N(0x7ff), N(GOOD)]),
    (
        "statx into",
        libc::SYS_statx,
        &[AT, N(ROOT), Z, N(0x7ff), P],
    ),
    ("access", libc::SYS_access, &[P, Z]),
    ("faccessat", libc::SYS_faccessat, &[AT, P, Z]),
    ("faccessat2", libc::SYS_faccessat2, &[AT, P, Z, Z]),
    ("poll", libc::SYS_poll, &[P, N(1), Z]),
    ("ppoll", libc::SYS_ppoll, &[P, N(1), N(GOOD), Z, N(8)]),
    (
        "ppoll's time",
        libc::SYS_ppoll,
        &[Z, N(1 << 31), P, Z, N(8)],
    ),
    ("pipe", libc::SYS_pipe, &[P]),
    ("pipe2", libc::SYS_pipe2, &[P, Z]),
    ("nanosleep", libc::SYS_nanosleep, &[P, Z]),
    ("nanosleep's rest", libc::SYS_nanosleep, &[N(GOOD), P]),
    (
        "clock_nanosleep",
        libc::SYS_clock_nanosleep,
        &[N(1), Z, P, Z],
    ),
    ("clock_gettime", libc::SYS_clock_gettime, &[N(1), P]),
    ("clock_getres", libc::SYS_clock_getres, &[N(1), P]),
    ("gettimeofday", libc::SYS_gettimeofday, &[P, Z]),
    ("gettimeofday's zone", libc::SYS_gettimeofday, &[Z, P]),
    ("time", libc::SYS_time, &[P]),
    ("times", libc::SYS_times, &[P]),
    ("getrusage", libc::SYS_getrusage, &[Z, P]),
    ("sysinfo", libc::SYS_sysinfo, &[P]),
    ("uname", libc::SYS_uname, &[P]),
    ("getcwd", libc::SYS_getcwd, &[P, N(64)]),
    ("getcwd, no room", libc::SYS_getcwd, &[P, N(1)]),
    ("chdir", libc::SYS_chdir, &[P]),
    ("readlink", libc::SYS_readlink, &[P, N(GOOD), N(8)]),
    ("readlinkat", libc::SYS_readlinkat, &[AT, P, N(GOOD), N(8)]),
    ("truncate", libc::SYS_truncate, &[P, Z]),
    ("rename", libc::SYS_rename, &[P, N(NOWHERE)]),
    ("rename to", libc::SYS_rename, &[N(NOWHERE), P]),
    ("renameat", libc::SYS_renameat, &[AT, P, AT, N(NOWHERE)]),
    (
        "renameat2",
        libc::SYS_renameat2,
        &[AT, P, AT, N(NOWHERE), Z],
    ),
    ("mkdir", libc::SYS_mkdir, &[P, Z]),
    ("mkdirat", libc::SYS_mkdirat, &[AT, P, Z]),
    ("rmdir", libc::SYS_rmdir, &[P]),
    ("creat", libc::SYS_creat, &[P, Z]),
    ("link", libc::SYS_link, &[P, N(NOWHERE)]),
    ("linkat", libc::SYS_linkat, &[AT, P, AT, N(NOWHERE), Z]),
    ("unlink", libc::SYS_unlink, &[P]),
    ("unlinkat", libc::SYS_unlinkat, &[AT, P, Z]),
    ("symlink", libc::SYS_symlink, &[P, N(ROOT)]),
    ("symlink at", libc::SYS_symlink, &[N(NOWHERE), P]),
    ("symlinkat", libc::SYS_symlinkat, &[P, AT, N(ROOT)]),
    ("chmod", libc::SYS_chmod, &[P, Z]),
    ("fchmodat", libc::SYS_fchmodat, &[AT, P, Z]),
    ("chown", libc::SYS_chown, &[P, Z, Z]),
    ("lchown", libc::SYS_lchown, &[P, Z, Z]),
    ("fchownat", libc::SYS_fchownat, &[AT, P, Z, Z, Z]),
    ("mknod", libc::SYS_mknod, &[P, N(0o10_0000), Z]),
    ("mknodat", libc::SYS_mknodat, &[AT, P, N(0o10_0000), Z]),
    ("getdents64", libc::SYS_getdents64, &[Folder, P, N(512)]),
    ("rt_sigaction", libc::SYS_rt_sigaction, &[N(10), P, Z, N(8)]),
    (
        "rt_sigaction's old",
        libc::SYS_rt_sigaction,
        &[N(10), Z, P, N(8)],
    ),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask, &[Z, P, Z, N(8)]),
    (
        "rt_sigprocmask's old",
        libc::SYS_rt_sigprocmask,
        &[Z, Z, P, N(8)],
    ),
    ("rt_sigpending", libc::SYS_rt_sigpending, &[P, N(8)]),
    ("sigaltstack", libc::SYS_sigaltstack, &[P, Z]),
    ("sigaltstack's old", libc::SYS_sigaltstack, &[Z, P]),
    ("getrlimit", libc::SYS_getrlimit, &[N(3), P]),
    ("setrlimit", libc::SYS_setrlimit, &[N(4), P]),
    ("prlimit64", libc::SYS_prlimit64, &[Z, N(4), P, Z]),
    ("prlimit64's old", libc::SYS_prlimit64, &[Z, N(3), Z, P]),
    ("wait4, no child", libc::SYS_wait4, &[N(u64::MAX), P, Z, Z]),
    ("execve", libc::SYS_execve, &[P, Z, Z]),
    ("execve's argv", libc::SYS_execve, &[N(NOWHERE), P, Z]),
    ("execve's envp", libc::SYS_execve, &[N(NOWHERE), Z, P]),
    ("prctl's name", libc::SYS_prctl, &[N(15), P]),
    ("prctl's name, asked", libc::SYS_prctl, &[N(16), P]),
    ("arch_prctl", libc::SYS_arch_prctl, &[N(0x1003), P]),
    ("futex wait", libc::SYS_futex, &[P, N(128), N(7), Z]),
    ("futex wake", libc::SYS_futex, &[P, N(129), N(1), Z]),
    (
        "futex wait's time",
        libc::SYS_futex,
        &[N(GOOD), N(128), N(7), P],
    ),
    ("set_robust_list", libc::SYS_set_robust_list, &[P, N(24)]),
    (
        "set_robust_list, odd",
        libc::SYS_set_robust_list,
        &[P, N(23)],
    ),
    (
        "get_robust_list",
        libc::SYS_get_robust_list,
        &[Z, P, N(GOOD)],
    ),
    (
        "get_robust_list's length",
        libc::SYS_get_robust_list,
        &[Z, N(GOOD), P],
    ),
    (
        "sched_getaffinity",
        libc::SYS_sched_getaffinity,
        &[Z, N(8), P],
    ),
    ("getrandom", libc::SYS_getrandom, &[P, N(8), Z]),
    ("getrandom of nothing", libc::SYS_getrandom, &[P, Z, Z]),
    ("getcpu", libc::SYS_getcpu, &[P, Z]),
    ("getcpu's node", libc::SYS_getcpu, &[Z, P]),
    ("socketpair", libc::SYS_socketpair, &[N(1), N(1), Z, P]),
    ("FIONBIO", libc::SYS_ioctl, &[Reader, N(0x5421), P]),
    ("mincore", libc::SYS_mincore, &[N(SPOT), N(PAGE), P]),
];

/// Prints a line for each call.
pub(crate) fn print() {
    if let Err(errno) = calls() {
        println!("the pages cannot be made: {errno:?}");
    }
}

fn calls() -> Result<(), sys::Errno> {
    let cells = Cells::new()?;
    // What `getcwd` says is then as long everywhere.
    let _ = std::env::set_current_dir("/");
    for (page, prot) in [(0, map::RW), (2, map::R), (4, map::NONE)] {
        sys::mmap(
            SPOT + page * PAGE,
            PAGE,
            prot,
            ANON | libc::MAP_FIXED,
            -1,
            0,
        )?;
    }
    let words = [(ROOT, "/"), (NOWHERE, "/nowhere/at/all")];
    for (at, byte) in words
        .iter()
        .flat_map(|(start, text)| (*start..).zip(text.bytes()))
    {
        mem::poke(at, byte);
    }
    let mut pipe = [0_i32; 2];
    sys::call(
        libc::SYS_pipe2,
        [sys::at(&mut pipe), libc::O_NONBLOCK as u64],
    )?;
    sys::write(pipe[1], ROOT, 64)?;
    let path = std::env::current_exe()
        .ok()
        .and_then(|path| path.into_os_string().into_string().ok());
    let path = std::ffi::CString::new(path.unwrap_or_default()).unwrap_or_default();
    let (file, folder) = (sys::open(&path)?, sys::open(c"/")?);
    let pointers = [
        0,
        1,
        SPOT + PAGE,
        SPOT + 2 * PAGE,
        SPOT + 3 * PAGE - 1,
        SPOT + 4 * PAGE,
        SPOT + PAGE - 1,
        SPOT + PAGE - 4,
        // Not the last byte of user space: where the stack's addresses are not random it is the stack.
        END,
        0x8000_0000_0000,
        0x1234_5678_9abc_def0,
        KERNEL,
        0xffff_ffff_8000_0000,
        PAGE.wrapping_neg(),
        u64::MAX - 3,
        u64::MAX,
    ];
    for (what, number, args) in CALLS {
        let with = |pointer| {
            let mut all = [0; 6];
            for (slot, arg) in all.iter_mut().zip(args.iter()) {
                *slot = match *arg {
                    N(number) => number,
                    P => pointer,
                    Reader => pipe[0] as u64,
                    Writer => pipe[1] as u64,
                    File => file as u64,
                    Folder => folder as u64,
                };
            }
            all
        };
        cells.line(what, *number, pointers.map(with));
    }
    Ok(())
}
