//! System calls as the kernel sees them: numbers, addresses and lengths, nothing checked on the way.
//!
//! libc's wrappers look at some arguments themselves, so a probe that wants to hand the kernel a wild pointer must
//! go past them. Pointers are therefore plain `u64` here, and a call that lets the kernel write to an address is
//! as dangerous as that address: the callers are probes whose whole point is what happens then.
#![expect(
    unsafe_code,
    reason = "system calls are made with the `syscall` instruction"
)]

use std::arch::asm;
use std::fmt;

/// Carries an `errno` value, and prints as its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// Is what a system call gives back.
pub type Result<T = u64> = std::result::Result<T, Errno>;

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(code, _)| *code == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

/// Names the values the probes expect or have met.
const NAMES: &[(i32, &str)] = &[
    (libc::EPERM, "EPERM"),
    (libc::ENOENT, "ENOENT"),
    (libc::EINTR, "EINTR"),
    (libc::EIO, "EIO"),
    (libc::E2BIG, "E2BIG"),
    (libc::ENOEXEC, "ENOEXEC"),
    (libc::EBADF, "EBADF"),
    (libc::ECHILD, "ECHILD"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EACCES, "EACCES"),
    (libc::EFAULT, "EFAULT"),
    (libc::EEXIST, "EEXIST"),
    (libc::ENODEV, "ENODEV"),
    (libc::ENOTDIR, "ENOTDIR"),
    (libc::EISDIR, "EISDIR"),
    (libc::EINVAL, "EINVAL"),
    (libc::EMFILE, "EMFILE"),
    (libc::ENOTTY, "ENOTTY"),
    (libc::ESPIPE, "ESPIPE"),
    (libc::EROFS, "EROFS"),
    (libc::EPIPE, "EPIPE"),
    (libc::ERANGE, "ERANGE"),
    (libc::ENAMETOOLONG, "ENAMETOOLONG"),
    (libc::ENOSYS, "ENOSYS"),
    (libc::ELOOP, "ELOOP"),
    (libc::EOVERFLOW, "EOVERFLOW"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
];

/// Makes system call `number` and returns what the kernel left in `rax`.
///
/// It promises nothing about the caller's memory: the kernel may write wherever the arguments say.
#[inline(always)]
#[must_use]
pub fn raw(number: i64, args: [u64; 6]) -> i64 {
    let result;
    // SAFETY: the instruction itself clobbers only rax, rcx and r11; what the kernel does with the arguments is
    // the caller's intention (see the head of this file).
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes a system call and splits the answer into value and error (SY-3: [-4095, -1] is an error).
pub fn call<const N: usize>(number: i64, args: [u64; N]) -> Result {
    let mut six = [0; 6];
    six[..N].copy_from_slice(&args);
    let result = raw(number, six);
    if (-4095..0).contains(&result) {
        return Err(Errno(-(result as i32)));
    }
    Ok(result as u64)
}

/// Gives the address of a value, for the kernel to read or fill.
pub fn at<T: ?Sized>(value: &mut T) -> u64 {
    std::ptr::from_mut(value).cast::<u8>() as u64
}

/// Is `mmap`.
pub fn mmap(addr: u64, len: u64, prot: i32, flags: i32, fd: i32, offset: u64) -> Result {
    call(
        libc::SYS_mmap,
        [addr, len, prot as u64, flags as u64, fd as u64, offset],
    )
}

/// Is `munmap`.
pub fn munmap(addr: u64, len: u64) -> Result {
    call(libc::SYS_munmap, [addr, len])
}

/// Is `mprotect`.
pub fn mprotect(addr: u64, len: u64, prot: i32) -> Result {
    call(libc::SYS_mprotect, [addr, len, prot as u64])
}

/// Is `read` into an address.
pub fn read(fd: i32, addr: u64, len: u64) -> Result {
    call(libc::SYS_read, [fd as u64, addr, len])
}

/// Is `write` from an address.
pub fn write(fd: i32, addr: u64, len: u64) -> Result {
    call(libc::SYS_write, [fd as u64, addr, len])
}

/// Is `close`.
pub fn close(fd: i32) -> Result {
    call(libc::SYS_close, [fd as u64])
}

/// Opens a path for reading.
pub fn open(path: &std::ffi::CStr) -> Result<i32> {
    let args = [
        libc::AT_FDCWD as u64,
        path.as_ptr() as u64,
        libc::O_RDONLY as u64,
        0,
    ];
    call(libc::SYS_openat, args).map(|fd| fd as i32)
}

/// Makes a pipe: the end to read from, the end to write to.
pub fn pipe() -> Result<[i32; 2]> {
    let mut ends = [0_i32; 2];
    call(libc::SYS_pipe2, [at(&mut ends), 0])?;
    Ok(ends)
}

/// Sleeps for some milliseconds.
pub fn sleep_ms(ms: u64) -> Result {
    let mut time = [ms / 1000, ms % 1000 * 1_000_000];
    call(libc::SYS_nanosleep, [at(&mut time), 0])
}

/// Reads the monotonic clock, in milliseconds.
#[must_use]
pub fn now_ms() -> u64 {
    let mut time = [0_u64; 2];
    match call(
        libc::SYS_clock_gettime,
        [libc::CLOCK_MONOTONIC as u64, at(&mut time)],
    ) {
        Ok(_) => time[0] * 1000 + time[1] / 1_000_000,
        Err(error) => panic!("clock_gettime: {error:?}"),
    }
}

/// Is `getpid`.
#[must_use]
pub fn getpid() -> i32 {
    raw(libc::SYS_getpid, [0; 6]) as i32
}

/// Is `getppid`.
#[must_use]
pub fn getppid() -> i32 {
    raw(libc::SYS_getppid, [0; 6]) as i32
}

/// Forks through libc, whose own state has to know of it: 0 in the child.
pub fn fork() -> Result<i32> {
    // SAFETY: the programs have one thread, so the child may do whatever its parent may.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(Errno(
            std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
        ));
    }
    Ok(pid)
}

/// Is `wait4`: which child ended, and its raw status.
pub fn wait4(pid: i32, options: i32) -> Result<(i32, i32)> {
    let mut status = 0_i32;
    let who = call(
        libc::SYS_wait4,
        [pid as u64, at(&mut status), options as u64, 0],
    )?;
    Ok((who as i32, status))
}

/// Ends the process at once, without libc's or Rust's parting work.
pub fn exit(code: i32) -> ! {
    let _ = raw(libc::SYS_exit_group, [code as u64, 0, 0, 0, 0, 0]);
    unreachable!("exit_group returned")
}

/// Sets the soft limit of a resource, keeping the hard one.
pub fn set_soft_limit(resource: u32, soft: u64) -> Result {
    let mut limit = [0_u64; 2];
    call(
        libc::SYS_prlimit64,
        [0, u64::from(resource), 0, at(&mut limit)],
    )?;
    limit[0] = soft;
    call(
        libc::SYS_prlimit64,
        [0, u64::from(resource), at(&mut limit), 0],
    )
}

/// Gives the process's minor faults so far, where the kernel counts them.
pub fn minor_faults() -> Option<u64> {
    let mut usage = [0_u64; 18];
    call(
        libc::SYS_getrusage,
        [libc::RUSAGE_SELF as u64, at(&mut usage)],
    )
    .ok()?;
    Some(usage[8])
}

/// Gives faults their default, deadly meaning again: Rust's runtime catches SIGSEGV and SIGBUS on Linux.
pub fn die_of_faults() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: SIG_DFL names no handler, so nothing can run that was not meant to.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Powers the machine off. It returns only where the caller may not.
pub fn power_off() -> Result {
    let (first, second) = (0xfee1_dead_u64, 0x2812_1969_u64);
    call(libc::SYS_reboot, [first, second, 0x4321_fedc, 0])
}

/// Makes a `vfork` child that stores `value` at `addr` in its parent's memory, sleeps, and exits with 3; gives its pid.
///
/// The child runs on the parent's stack, so it does all of this in registers.
pub fn vfork_store(addr: u64, value: u8, ms: u64) -> Result<i32> {
    let mut time = [ms / 1000, ms % 1000 * 1_000_000];
    let result: i64;
    // SAFETY: the child touches only `addr` and `time`, which outlive it (the parent sleeps until it has gone).
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov byte ptr [r8], r9b",
            "mov rdi, r10", "xor esi, esi", "mov eax, {nanosleep}", "syscall",
            "mov edi, 3", "mov eax, {exit}", "syscall",
            "2:",
            nanosleep = const libc::SYS_nanosleep, exit = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_vfork => result,
            in("r8") addr, in("r9") u64::from(value), in("r10") at(&mut time),
            lateout("rdi") _, lateout("rsi") _, lateout("rcx") _, lateout("r11") _,
        );
    }
    if result < 0 {
        Err(Errno(-(result as i32)))
    } else {
        Ok(result as i32)
    }
}

/// Makes a `vfork` child that executes `path`, or exits with 127; gives its pid.
///
/// `argv` and `env` are the addresses of lists as `execve` takes them. The child runs on the parent's stack, so it does
/// all of this in registers.
pub fn vfork_exec(path: &std::ffi::CStr, argv: u64, env: u64) -> Result {
    let result: i64;
    // SAFETY: the child writes to no memory, and its parent sleeps until it has another program or has gone.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r8", "mov rsi, r9", "mov rdx, r10", "mov eax, {execve}", "syscall",
            "mov edi, 127", "mov eax, {exit}", "syscall",
            "2:",
            execve = const libc::SYS_execve, exit = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_vfork => result,
            in("r8") path.as_ptr(), in("r9") argv, in("r10") env,
            lateout("rdi") _, lateout("rsi") _, lateout("rdx") _, lateout("rcx") _, lateout("r11") _,
        );
    }
    if result < 0 {
        return Err(Errno(-(result as i32)));
    }
    Ok(result as u64)
}
