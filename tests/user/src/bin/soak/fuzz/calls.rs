//! The system calls and what their arguments mean: what is made of them is nearly always something.

use super::words::Word::{
    self, Action, Addr, Any, Attr, Bits, Buf, Dir, Event, Fd, FdSet, Hint, Iov, Len, Limit, MapFd,
    MapFlags, MapLen, Msg, Mutex, Name, Null, Of, Offset, Path, Pid, Poll, Set, Sig, SignalEvent,
    Small, Sock, Spec, Stack, Text, Time,
};

/// What a call leaves behind that later ones can use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    Nothing,
    /// A descriptor.
    AnFd,
    /// Two descriptors, where the argument with this number points.
    Pair(usize),
    /// A mapping, as long as the argument with this number says.
    AMap(usize),
}

use Gives::{AMap, AnFd, Nothing, Pair};

/// A call: its number, how often it is made, its arguments and what it gives.
pub(crate) struct Call {
    pub(crate) number: i64,
    pub(crate) weight: u32,
    pub(crate) args: &'static [Word],
    pub(crate) gives: Gives,
}

macro_rules! calls {
    ($($number:ident $weight:literal [$($arg:expr),*] $gives:expr;)*) => {
        &[$(Call { number: libc::$number, weight: $weight, args: &[$($arg),*], gives: $gives }),*]
    };
}

const PROT: Word = Of(&[0, 1, 3, 3, 3, 3, 5, 7, 0x0100_0003]);
const OPEN: Word = Of(&[
    0, 0, 2, 2, 0x42, 0x42, 0x242, 0xc2, 0x442, 0x1_0000, 0x20_0000, 0x41_0002, 0x800, 0x8_0042,
]);
const MODE: Word = Of(&[0o644, 0o755, 0o600, 0o777, 0, 0o4755, 0o1777]);
const CLOEXEC: Word = Of(&[0, 0x800, 0x8_0000, 0x8_0800]);
const AT: Word = Of(&[0, 0, 0x100, 0x400, 0x1000]);
const WAIT: Word = Of(&[1, 1, 1, 3, 5, 9, 0x4000_0001, 0]);
const CLOCK: Word = Of(&[0, 1, 1, 4, 5, 6, 7, 2, 3, 8, 9, 11]);
const MSG: Word = Of(&[0x40, 0x40, 0x4040, 0x4042, 0x60, 0x4100_0040]);

/// Every call that has a meaning here; all other numbers are tried with anything.
pub(crate) const CALLS: &[Call] = calls! {
    // Memory.
    SYS_mmap 40 [Hint, MapLen, PROT, MapFlags, MapFd, Offset] AMap(1);
    SYS_munmap 20 [Addr, MapLen] Nothing;
    SYS_mprotect 16 [Addr, MapLen, PROT] Nothing;
    SYS_mremap 12 [Addr, MapLen, MapLen, Of(&[0, 1, 1, 1, 3, 5]), Hint] AMap(2);
    SYS_madvise 14 [Addr, MapLen, Of(&[0, 3, 4, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25])] Nothing;
    SYS_brk 4 [Any] Nothing;
    SYS_mincore 4 [Addr, MapLen, Buf] Nothing;
    SYS_msync 4 [Addr, MapLen, Small(8)] Nothing;
    SYS_mlock 4 [Addr, MapLen] Nothing;
    SYS_mlock2 2 [Addr, MapLen, Small(3)] Nothing;
    SYS_munlock 4 [Addr, MapLen] Nothing;
    SYS_mlockall 1 [Small(8)] Nothing;
    SYS_munlockall 2 [] Nothing;
    SYS_memfd_create 6 [Text, Bits(&[1, 2, 4, 8, 0x10])] AnFd;
    SYS_process_vm_readv 3 [Pid, Iov, Small(4), Iov, Small(4), Null] Nothing;
    SYS_process_vm_writev 3 [Pid, Iov, Small(4), Iov, Small(4), Null] Nothing;
    SYS_membarrier 2 [Of(&[0, 1, 2, 4, 8, 16, 32, 64]), Small(2), Null] Nothing;
    SYS_remap_file_pages 1 [Addr, MapLen, Null, Small(9), Null] Nothing;
    // Files.
    SYS_openat 30 [Dir, Path, OPEN, MODE] AnFd;
    SYS_open 8 [Path, OPEN, MODE] AnFd;
    SYS_openat2 3 [Dir, Path, Buf, Of(&[24, 24, 16, 32, 4096])] AnFd;
    SYS_creat 3 [Name, MODE] AnFd;
    SYS_close 24 [Fd] Nothing;
    SYS_close_range 1 [Of(&[4, 9, 20, 40]), Of(&[12, 30, 63, 4_294_967_295]), Of(&[0, 2, 4])] Nothing;
    SYS_read 20 [Fd, Buf, Len] Nothing;
    SYS_write 24 [Fd, Buf, Len] Nothing;
    SYS_pread64 6 [Fd, Buf, Len, Offset] Nothing;
    SYS_pwrite64 6 [Fd, Buf, Len, Offset] Nothing;
    SYS_readv 6 [Fd, Iov, Small(5)] Nothing;
    SYS_writev 6 [Fd, Iov, Small(5)] Nothing;
    SYS_preadv 3 [Fd, Iov, Small(5), Offset, Null] Nothing;
    SYS_pwritev 3 [Fd, Iov, Small(5), Offset, Null] Nothing;
    SYS_preadv2 2 [Fd, Iov, Small(5), Offset, Null, Small(33)] Nothing;
    SYS_pwritev2 2 [Fd, Iov, Small(5), Offset, Null, Small(33)] Nothing;
    SYS_lseek 8 [Fd, Offset, Small(6)] Nothing;
    SYS_dup 8 [Fd] AnFd;
    SYS_dup2 4 [Fd, Small(64)] AnFd;
    SYS_dup3 4 [Fd, Small(64), CLOEXEC] AnFd;
    SYS_fcntl 24 [Fd, Of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 36, 37, 38, 1024, 1025, 1030, 1031, 1032, 1033, 1034, 1036]), Of(&[0, 1, 2, 4, 0x800, 0x402, 4096, 65536, 1 << 20])] Nothing;
    SYS_flock 4 [Fd, Of(&[1, 2, 4, 5, 6, 8, 12])] Nothing;
    SYS_ioctl 8 [Fd, Of(&[0x5401, 0x5402, 0x5403, 0x5404, 0x5409, 0x540b, 0x540e, 0x540f, 0x5410, 0x5413, 0x5414, 0x541b, 0x5421, 0x5411, 0x5422, 0x5429, 0x5441, 0x8004_5430, 0x4004_5431, 0x5450, 0x5451]), Buf] Nothing;
    SYS_ftruncate 8 [Fd, Offset] Nothing;
    SYS_truncate 4 [Path, Offset] Nothing;
    SYS_fallocate 6 [Fd, Of(&[0, 1, 3, 8, 16, 32]), Offset, Offset] Nothing;
    SYS_fsync 1 [Fd] Nothing;
    SYS_sync 1 [] Nothing;
    SYS_syncfs 1 [Fd] Nothing;
    SYS_sync_file_range 1 [Fd, Offset, Offset, Small(8)] Nothing;
    SYS_fadvise64 2 [Fd, Offset, Offset, Small(7)] Nothing;
    SYS_readahead 1 [Fd, Offset, Len] Nothing;
    SYS_sendfile 6 [Fd, Fd, Null, Len] Nothing;
    SYS_copy_file_range 4 [Fd, Null, Fd, Null, Len, Null] Nothing;
    SYS_splice 6 [Fd, Null, Fd, Null, Len, Small(16)] Nothing;
    SYS_tee 3 [Fd, Fd, Len, Small(16)] Nothing;
    SYS_vmsplice 3 [Fd, Iov, Small(5), Small(16)] Nothing;
    // Names.
    SYS_stat 6 [Path, Buf] Nothing;
    SYS_lstat 4 [Path, Buf] Nothing;
    SYS_fstat 6 [Fd, Buf] Nothing;
    SYS_newfstatat 4 [Dir, Path, Buf, AT] Nothing;
    SYS_statx 4 [Dir, Path, AT, Of(&[0x7ff, 0x17ff, 0, 0xfff]), Buf] Nothing;
    SYS_statfs 2 [Path, Buf] Nothing;
    SYS_fstatfs 2 [Fd, Buf] Nothing;
    SYS_access 3 [Path, Small(8)] Nothing;
    SYS_faccessat2 3 [Dir, Path, Small(8), AT] Nothing;
    SYS_mkdir 6 [Name, MODE] Nothing;
    SYS_mkdirat 3 [Dir, Name, MODE] Nothing;
    SYS_rmdir 4 [Name] Nothing;
    SYS_unlink 6 [Name] Nothing;
    SYS_unlinkat 4 [Dir, Name, Of(&[0, 0, 0x200])] Nothing;
    SYS_rename 6 [Name, Name] Nothing;
    SYS_renameat2 5 [Dir, Name, Dir, Name, Of(&[0, 0, 1, 2, 4])] Nothing;
    SYS_link 4 [Name, Name] Nothing;
    SYS_linkat 4 [Dir, Path, Dir, Name, Of(&[0, 0x400, 0x1000])] Nothing;
    SYS_symlink 5 [Path, Name] Nothing;
    SYS_symlinkat 3 [Path, Dir, Name] Nothing;
    SYS_readlink 4 [Path, Buf, Len] Nothing;
    SYS_mknod 4 [Name, Of(&[0o10644, 0o10666, 0o100_644, 0o20666, 0o140_777, 0o60600]), Of(&[0, 0x103, 0x105, 0x107, 0x501])] Nothing;
    SYS_chmod 3 [Name, MODE] Nothing;
    SYS_fchmod 2 [Fd, MODE] Nothing;
    SYS_fchmodat2 2 [Dir, Name, MODE, AT] Nothing;
    SYS_chown 3 [Name, Small(3), Small(3)] Nothing;
    SYS_fchown 2 [Fd, Small(3), Small(3)] Nothing;
    SYS_fchownat 2 [Dir, Name, Small(3), Small(3), AT] Nothing;
    SYS_utimensat 3 [Dir, Path, Time, AT] Nothing;
    SYS_getdents64 8 [Fd, Buf, Len] Nothing;
    SYS_getcwd 3 [Buf, Len] Nothing;
    SYS_chdir 2 [Name] Nothing;
    SYS_fchdir 2 [Fd] Nothing;
    SYS_chroot 1 [Name] Nothing;
    SYS_umask 2 [MODE] Nothing;
    SYS_mount 2 [Text, Name, Text, Bits(&[1, 2, 4, 8, 32, 4096, 0x4_0000]), Null] Nothing;
    SYS_umount2 2 [Name, Of(&[0, 2, 8])] Nothing;
    SYS_setxattr 2 [Name, Text, Buf, Len, Small(3)] Nothing;
    SYS_getxattr 2 [Path, Text, Buf, Len] Nothing;
    SYS_listxattr 2 [Path, Buf, Len] Nothing;
    SYS_inotify_init1 2 [CLOEXEC] AnFd;
    SYS_inotify_add_watch 2 [Fd, Path, Bits(&[1, 2, 4, 8, 0x100, 0x200, 0x400])] Nothing;
    SYS_inotify_rm_watch 1 [Fd, Small(4)] Nothing;
    // Pipes, events, polling.
    SYS_pipe 6 [Buf] Pair(0);
    SYS_pipe2 10 [Buf, Of(&[0, 0x800, 0x800, 0x8_0800, 0x4800])] Pair(0);
    SYS_eventfd2 6 [Small(9), Of(&[0, 1, 0x800, 0x801, 0x8_0000])] AnFd;
    SYS_timerfd_create 5 [CLOCK, CLOEXEC] AnFd;
    SYS_timerfd_settime 5 [Fd, Small(4), Spec, Buf] Nothing;
    SYS_timerfd_gettime 2 [Fd, Buf] Nothing;
    SYS_signalfd4 5 [Fd, Set, Of(&[8, 8, 8, 4]), CLOEXEC] AnFd;
    SYS_epoll_create1 5 [Of(&[0, 0x8_0000])] AnFd;
    SYS_epoll_ctl 16 [Fd, Of(&[1, 1, 1, 2, 3]), Fd, Event] Nothing;
    SYS_epoll_wait 8 [Fd, Buf, Small(9), Small(3)] Nothing;
    SYS_epoll_pwait 3 [Fd, Buf, Small(9), Small(3), Set, Of(&[8, 8, 4])] Nothing;
    SYS_epoll_pwait2 2 [Fd, Buf, Small(9), Time, Set, Of(&[8, 8, 4])] Nothing;
    SYS_poll 8 [Poll, Small(6), Small(3)] Nothing;
    SYS_ppoll 5 [Poll, Small(6), Time, Set, Of(&[8, 8, 4])] Nothing;
    SYS_select 5 [Small(64), FdSet, FdSet, FdSet, Time] Nothing;
    SYS_pselect6 4 [Small(64), FdSet, FdSet, FdSet, Time, Null] Nothing;
    // Sockets.
    SYS_socket 8 [Of(&[1, 1, 1, 1, 2, 16]), Of(&[1, 2, 5, 0x801, 0x8_0002, 0x8_0805]), Small(2)] AnFd;
    SYS_socketpair 8 [Of(&[1, 1, 1, 2]), Of(&[1, 2, 5, 0x801, 0x802, 0x8_0805]), Small(2), Buf] Pair(3);
    SYS_bind 8 [Fd, Sock, Of(&[2, 6, 8, 110, 111])] Nothing;
    SYS_connect 8 [Fd, Sock, Of(&[2, 6, 8, 110])] Nothing;
    SYS_listen 6 [Fd, Small(5)] Nothing;
    SYS_accept4 6 [Fd, Null, Null, CLOEXEC] AnFd;
    SYS_sendmsg 10 [Fd, Msg, MSG] Nothing;
    SYS_recvmsg 10 [Fd, Msg, MSG] Nothing;
    SYS_sendmmsg 2 [Fd, Msg, Small(2), MSG] Nothing;
    SYS_recvmmsg 2 [Fd, Msg, Small(2), MSG, Time] Nothing;
    SYS_sendto 6 [Fd, Buf, Len, MSG, Sock, Of(&[0, 6, 8, 110])] Nothing;
    SYS_recvfrom 6 [Fd, Buf, Len, MSG, Null, Null] Nothing;
    SYS_shutdown 4 [Fd, Small(4)] Nothing;
    SYS_getsockname 2 [Fd, Buf, Buf] Nothing;
    SYS_getpeername 2 [Fd, Buf, Buf] Nothing;
    SYS_setsockopt 4 [Fd, Of(&[1, 1, 6]), Small(48), Buf, Of(&[4, 4, 8, 16])] Nothing;
    SYS_getsockopt 4 [Fd, Of(&[1, 1, 6]), Small(60), Buf, Buf] Nothing;
    // Signals.
    SYS_rt_sigaction 12 [Sig, Action, Null, Of(&[8, 8, 8, 4])] Nothing;
    SYS_rt_sigprocmask 8 [Small(4), Set, Buf, Of(&[8, 8, 8, 4])] Nothing;
    SYS_rt_sigpending 2 [Buf, Of(&[8, 8, 16])] Nothing;
    SYS_rt_sigsuspend 2 [Set, Of(&[8, 8, 4])] Nothing;
    SYS_rt_sigtimedwait 4 [Set, Buf, Time, Of(&[8, 8, 4])] Nothing;
    SYS_rt_sigqueueinfo 4 [Pid, Sig, Buf] Nothing;
    SYS_rt_tgsigqueueinfo 3 [Pid, Pid, Sig, Buf] Nothing;
    SYS_sigaltstack 4 [Stack, Buf] Nothing;
    SYS_kill 8 [Pid, Sig] Nothing;
    SYS_tkill 4 [Pid, Sig] Nothing;
    SYS_tgkill 4 [Pid, Pid, Sig] Nothing;
    SYS_alarm 1 [Small(2)] Nothing;
    SYS_setitimer 3 [Small(3), Spec, Buf] Nothing;
    SYS_getitimer 2 [Small(3), Buf] Nothing;
    SYS_timer_create 4 [CLOCK, SignalEvent, Buf] Nothing;
    SYS_timer_settime 4 [Small(6), Small(2), Spec, Buf] Nothing;
    SYS_timer_gettime 2 [Small(6), Buf] Nothing;
    SYS_timer_getoverrun 1 [Small(6)] Nothing;
    SYS_timer_delete 3 [Small(6)] Nothing;
    SYS_pidfd_open 4 [Pid, Of(&[0, 0, 0x800])] AnFd;
    SYS_pidfd_send_signal 4 [Fd, Sig, Null, Null] Nothing;
    SYS_pidfd_getfd 2 [Fd, Small(16), Null] AnFd;
    // Processes.
    SYS_wait4 20 [Pid, Buf, WAIT, Buf] Nothing;
    SYS_waitid 8 [Small(4), Pid, Buf, Of(&[5, 5, 0x0100_0005, 0xf, 3]), Buf] Nothing;
    SYS_getpid 2 [] Nothing;
    SYS_setpgid 3 [Pid, Pid] Nothing;
    SYS_getpgid 2 [Pid] Nothing;
    SYS_getsid 2 [Pid] Nothing;
    SYS_setsid 1 [] Nothing;
    SYS_prctl 8 [Small(75), Small(16), Small(3), Small(3), Small(3)] Nothing;
    SYS_arch_prctl 1 [Of(&[0x1003, 0x1004, 0x1011]), Buf] Nothing;
    SYS_personality 1 [Of(&[0xffff_ffff, 0, 0x4_0000])] Nothing;
    SYS_prlimit64 4 [Null, Small(17), Limit, Buf] Nothing;
    SYS_getrlimit 2 [Small(17), Buf] Nothing;
    SYS_getrusage 3 [Of(&[0, 1, u64::MAX]), Buf] Nothing;
    SYS_times 2 [Buf] Nothing;
    SYS_sysinfo 2 [Buf] Nothing;
    SYS_uname 2 [Buf] Nothing;
    SYS_setuid 1 [Of(&[0, 0, 0, 1, u64::MAX])] Nothing;
    SYS_setresuid 1 [Of(&[0, 0, 1, u64::MAX]), Of(&[0, 0, 1, u64::MAX]), Of(&[0, 0, 1, u64::MAX])] Nothing;
    SYS_setresgid 2 [Small(3), Small(3), Small(3)] Nothing;
    SYS_setgroups 1 [Small(4), Buf] Nothing;
    SYS_getgroups 1 [Small(40), Buf] Nothing;
    SYS_getresuid 1 [Buf, Buf, Buf] Nothing;
    SYS_capget 1 [Buf, Buf] Nothing;
    SYS_sched_yield 6 [] Nothing;
    SYS_sched_setaffinity 4 [Pid, Small(16), Buf] Nothing;
    SYS_sched_getaffinity 2 [Pid, Small(136), Buf] Nothing;
    SYS_sched_setscheduler 3 [Pid, Of(&[0, 0, 3, 5, 1, 2, 6]), Buf] Nothing;
    SYS_sched_getscheduler 2 [Pid] Nothing;
    SYS_sched_setparam 2 [Pid, Buf] Nothing;
    SYS_sched_setattr 3 [Pid, Attr, Null] Nothing;
    SYS_sched_getattr 2 [Pid, Buf, Of(&[48, 56, 64, 100]), Null] Nothing;
    SYS_getpriority 2 [Small(3), Pid] Nothing;
    SYS_setpriority 2 [Small(3), Pid, Small(25)] Nothing;
    SYS_futex 30 [Mutex, Of(&[0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 128, 129, 129, 131, 132, 133, 134, 135, 136, 137, 138, 140, 265]), Small(5), Time, Mutex, Of(&[0, 1, 2, u64::MAX, 0xffff_ffff])] Nothing;
    SYS_futex_waitv 2 [Buf, Small(4), Null, Time, CLOCK] Nothing;
    SYS_set_robust_list 2 [Buf, Of(&[24, 24, 16])] Nothing;
    SYS_get_robust_list 2 [Pid, Buf, Buf] Nothing;
    SYS_set_tid_address 1 [Mutex] Nothing;
    SYS_rseq 1 [Buf, Of(&[32, 32, 64]), Small(2), Any] Nothing;
    SYS_unshare 1 [Bits(&[0x200, 0x400, 0x2_0000])] Nothing;
    // Time.
    SYS_nanosleep 3 [Time, Buf] Nothing;
    SYS_clock_nanosleep 3 [CLOCK, Small(2), Time, Buf] Nothing;
    SYS_clock_gettime 3 [CLOCK, Buf] Nothing;
    SYS_clock_getres 2 [CLOCK, Buf] Nothing;
    SYS_gettimeofday 2 [Buf, Null] Nothing;
    SYS_time 1 [Null] Nothing;
    SYS_getcpu 2 [Buf, Buf, Null] Nothing;
    SYS_getrandom 3 [Buf, Len, Small(4)] Nothing;
};

/// Calls that a fuzzer must leave out: they end the machine, or take time itself away from it.
pub(crate) const SPARED: &[i64] = &[
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_pivot_root,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];
/// Calls whose first arguments name tasks: the first process and "everybody" are left alone.
pub(crate) const NAMING: &[i64] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_prlimit64,
    libc::SYS_setpgid,
    libc::SYS_ptrace,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
];

/// Calls that change the mappings in a range.
pub(crate) const MAPPING: &[i64] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_pkey_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_remap_file_pages,
    libc::SYS_mseal,
];
/// Calls that send signals.
pub(crate) const SENDING: &[i64] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];
