//! The table of system calls: number, handler, and what is not as on Linux.
//!
//! `docs/abi.md` is made from this file: a line of the table is a call's name, its handler and a
//! note. A call that is not here does not exist (ENOSYS).

use abi::Sysno;

use super::{
    Handler, advice, clock, credentials, epoll, event, exec, facts, fd, file, futex, identity,
    ioprio, kill, lock, memory, message, mount, names, others, path, pidfd, poll, prctl, process,
    residency, restart, sched, select, serve, signal, socket, sockopt, splice, stat, system,
    terminal, timer, times, wait, xattr,
};

/// One more than the highest number in the table.
const SIZE: usize = 512;

/// Returns the handler of a call.
#[inline]
pub fn handler(number: i32) -> Option<Handler> {
    TABLE.get(usize::try_from(number).ok()?).copied().flatten()
}

/// Builds the array that [`handler`] indexes.
macro_rules! table {
    ($($call:ident => $handler:path, $note:literal;)*) => {
        static TABLE: [Option<Handler>; SIZE] = {
            let mut table: [Option<Handler>; SIZE] = [None; SIZE];
            $(table[Sysno::$call.id() as usize] = Some(|frame| serve(frame, $handler));)*
            table
        };
    };
}

table! {
    read => file::read, "";
    write => file::write, "";
    open => file::open, "";
    close => fd::close, "";
    stat => stat::stat, "";
    fstat => stat::fstat, "";
    lstat => stat::lstat, "";
    poll => poll::poll, "";
    lseek => file::lseek, "";
    mmap => memory::mmap, "MAP_HUGETLB: ENOMEM, none are set aside";
    mprotect => memory::mprotect, "";
    munmap => memory::munmap, "";
    brk => memory::brk, "";
    rt_sigaction => signal::rt_sigaction, "";
    rt_sigprocmask => signal::rt_sigprocmask, "";
    rt_sigreturn => signal::rt_sigreturn, "";
    ioctl => terminal::ioctl, "what terminals and ptys have, FIONREAD of pipes and sockets, FIONBIO, FIOCLEX; else ENOTTY";
    pread64 => file::pread64, "";
    pwrite64 => file::pwrite64, "";
    readv => file::readv, "";
    writev => file::writev, "";
    access => path::access, "";
    pipe => fd::pipe, "";
    sched_yield => sched::sched_yield, "";
    mremap => memory::mremap, "";
    msync => residency::msync, "";
    mincore => residency::mincore, "";
    madvise => residency::madvise, "MADV_COLLAPSE, HWPOISON and SOFT_OFFLINE: EINVAL; MADV_MERGEABLE, COLD and PAGEOUT are hints that nothing takes";
    dup => fd::dup, "";
    dup2 => fd::dup2, "";
    pause => signal::pause, "";
    nanosleep => clock::nanosleep, "";
    getitimer => timer::getitimer, "";
    alarm => timer::alarm, "";
    setitimer => timer::setitimer, "";
    getpid => identity::getpid, "";
    sendto => message::sendto, "MSG_OOB: EOPNOTSUPP";
    recvfrom => message::recvfrom, "";
    socket => socket::socket, "AF_UNIX; there are no others";
    socketpair => socket::socketpair, "see socket";
    bind => socket::bind, "";
    listen => socket::listen, "";
    connect => socket::connect, "";
    accept => socket::accept, "";
    accept4 => socket::accept4, "";
    getsockname => socket::getsockname, "";
    getpeername => socket::getpeername, "";
    shutdown => socket::shutdown, "";
    setsockopt => sockopt::setsockopt, "SOL_SOCKET; filters, time stamps and marks: ENOPROTOOPT";
    getsockopt => sockopt::getsockopt, "see setsockopt";
    sendmsg => message::sendmsg, "see sendto";
    sendmmsg => message::sendmmsg, "see sendto";
    recvmsg => message::recvmsg, "";
    recvmmsg => message::recvmmsg, "";
    clone => process::clone, "no namespaces: EINVAL, or EPERM for who may not ask";
    fork => process::fork, "";
    vfork => process::vfork, "";
    execve => exec::execve, "";
    execveat => exec::execveat, "";
    exit => process::exit, "";
    wait4 => wait::wait4, "";
    waitid => wait::waitid, "";
    pidfd_open => pidfd::pidfd_open, "";
    pidfd_send_signal => pidfd::pidfd_send_signal, "";
    pidfd_getfd => pidfd::pidfd_getfd, "";
    unshare => process::unshare, "FILES, FS and SYSVSEM; see clone";
    kill => kill::kill, "";
    uname => system::uname, "";
    fcntl => fd::fcntl, "signals for readiness are kept, not sent; F_SETLEASE, F_NOTIFY: EINVAL";
    fsync => facts::fsync, "";
    fdatasync => facts::fsync, "";
    truncate => facts::truncate, "";
    ftruncate => facts::ftruncate, "";
    getcwd => path::getcwd, "";
    chdir => path::chdir, "";
    fchdir => path::fchdir, "";
    rename => names::rename, "";
    mkdir => names::mkdir, "";
    rmdir => names::rmdir, "";
    creat => file::creat, "";
    link => names::link, "";
    unlink => names::unlink, "";
    symlink => names::symlink, "";
    readlink => path::readlink, "";
    chmod => facts::chmod, "";
    fchmod => facts::fchmod, "";
    chown => facts::chown, "";
    fchown => facts::fchown, "";
    lchown => facts::lchown, "";
    umask => identity::umask, "";
    gettimeofday => clock::gettimeofday, "";
    getrlimit => others::getrlimit, "";
    getrusage => system::getrusage, "";
    sysinfo => system::sysinfo, "";
    times => clock::times, "";
    getuid => credentials::getuid, "";
    getgid => credentials::getgid, "";
    geteuid => credentials::geteuid, "";
    getegid => credentials::getegid, "";
    setuid => credentials::setuid, "";
    setgid => credentials::setgid, "";
    setreuid => credentials::setreuid, "";
    setregid => credentials::setregid, "";
    setresuid => credentials::setresuid, "";
    getresuid => credentials::getresuid, "";
    setresgid => credentials::setresgid, "";
    getresgid => credentials::getresgid, "";
    setfsuid => credentials::setfsuid, "";
    setfsgid => credentials::setfsgid, "";
    getgroups => credentials::getgroups, "";
    setgroups => credentials::setgroups, "";
    capget => credentials::capget, "";
    capset => credentials::capset, "";
    setpgid => identity::setpgid, "";
    getppid => identity::getppid, "";
    personality => identity::personality, "only `ADDR_NO_RANDOMIZE`; a persona that would change more is EINVAL";
    getpgrp => identity::getpgrp, "";
    setsid => identity::setsid, "";
    getpgid => identity::getpgid, "";
    getsid => identity::getsid, "";
    rt_sigpending => signal::rt_sigpending, "";
    rt_sigtimedwait => signal::rt_sigtimedwait, "";
    rt_sigqueueinfo => kill::rt_sigqueueinfo, "";
    rt_sigsuspend => signal::rt_sigsuspend, "";
    sigaltstack => signal::sigaltstack, "";
    mlock => residency::mlock, "";
    munlock => residency::munlock, "";
    mlockall => residency::mlockall, "";
    munlockall => residency::munlockall, "";
    mlock2 => residency::mlock2, "";
    mknod => names::mknod, "";
    vhangup => terminal::vhangup, "";
    prctl => prctl::prctl, "names, ends of parents, subreapers, dumpability, capabilities, slack and the like; no seccomp, no speculation control: EINVAL";
    arch_prctl => identity::arch_prctl, "FS and GS base; else EINVAL";
    setrlimit => others::setrlimit, "RLIMIT_MEMLOCK and MSGQUEUE are kept; RTTIME: EINVAL";
    sync => system::sync, "";
    reboot => system::reboot, "power-off, halt, restart: all end the machine";
    gettid => identity::gettid, "";
    tkill => kill::tkill, "";
    time => clock::time, "";
    futex => futex::futex, "FUTEX_CMP_REQUEUE_PI and WAIT_REQUEUE_PI: ENOSYS";
    sched_setaffinity => sched::sched_setaffinity, "";
    sched_getaffinity => sched::sched_getaffinity, "";
    sched_setparam => sched::sched_setparam, "";
    sched_getparam => sched::sched_getparam, "";
    sched_setscheduler => sched::sched_setscheduler, "no SCHED_DEADLINE, no SCHED_EXT: EINVAL";
    sched_getscheduler => sched::sched_getscheduler, "";
    sched_get_priority_max => sched::sched_get_priority_max, "";
    sched_get_priority_min => sched::sched_get_priority_min, "";
    sched_rr_get_interval => sched::sched_rr_get_interval, "";
    sched_setattr => sched::sched_setattr, "see sched_setscheduler; no bounds of the utilisation: EOPNOTSUPP";
    sched_getattr => sched::sched_getattr, "";
    getpriority => sched::getpriority, "";
    setpriority => sched::setpriority, "";
    getdents => stat::getdents, "";
    getdents64 => stat::getdents64, "";
    restart_syscall => restart::restart_syscall, "";
    set_tid_address => identity::set_tid_address, "";
    timer_create => timer::timer_create, "";
    timer_settime => timer::timer_settime, "";
    timer_gettime => timer::timer_gettime, "";
    timer_getoverrun => timer::timer_getoverrun, "";
    timer_delete => timer::timer_delete, "";
    clock_settime => clock::clock_settime, "";
    settimeofday => clock::settimeofday, "";
    adjtimex => clock::adjtimex, "asks only; to steer the clock: EINVAL";
    clock_adjtime => clock::clock_adjtime, "see adjtimex";
    process_vm_readv => others::process_vm_readv, "";
    process_vm_writev => others::process_vm_writev, "";
    kcmp => others::kcmp, "no KCMP_EPOLL_TFD: EINVAL";
    membarrier => others::membarrier, "no barriers for rseq and for single CPUs: EINVAL";
    sethostname => system::sethostname, "";
    setdomainname => system::setdomainname, "";
    ioprio_set => ioprio::ioprio_set, "kept; there are no disks";
    ioprio_get => ioprio::ioprio_get, "see ioprio_set";
    clock_gettime => clock::clock_gettime, "";
    clock_getres => clock::clock_getres, "";
    clock_nanosleep => clock::clock_nanosleep, "";
    exit_group => process::exit_group, "";
    tgkill => kill::tgkill, "";
    openat => file::openat, "";
    mkdirat => names::mkdirat, "";
    mknodat => names::mknodat, "";
    fchownat => facts::fchownat, "";
    newfstatat => stat::newfstatat, "";
    unlinkat => names::unlinkat, "";
    renameat => names::renameat, "";
    linkat => names::linkat, "";
    symlinkat => names::symlinkat, "";
    readlinkat => path::readlinkat, "";
    fchmodat => facts::fchmodat, "";
    faccessat => path::faccessat, "";
    ppoll => poll::ppoll, "";
    epoll_create => epoll::epoll_create, "";
    epoll_create1 => epoll::epoll_create1, "";
    epoll_ctl => epoll::epoll_ctl, "";
    epoll_wait => epoll::epoll_wait, "";
    epoll_pwait => epoll::epoll_pwait, "";
    epoll_pwait2 => epoll::epoll_pwait2, "";
    eventfd => event::eventfd, "";
    eventfd2 => event::eventfd2, "";
    timerfd_create => event::timerfd_create, "";
    timerfd_settime => event::timerfd_settime, "";
    timerfd_gettime => event::timerfd_gettime, "";
    signalfd => event::signalfd, "";
    signalfd4 => event::signalfd4, "";
    sendfile => splice::sendfile, "";
    splice => splice::splice, "";
    tee => splice::tee, "";
    vmsplice => splice::vmsplice, "the pages are copied";
    copy_file_range => splice::copy_file_range, "";
    select => select::select, "";
    pselect6 => select::pselect6, "";
    set_robust_list => identity::set_robust_list, "";
    get_robust_list => identity::get_robust_list, "";
    dup3 => fd::dup3, "";
    rt_tgsigqueueinfo => kill::rt_tgsigqueueinfo, "";
    pipe2 => fd::pipe2, "O_NOTIFICATION_PIPE: EINVAL";
    prlimit64 => others::prlimit64, "see setrlimit";
    getcpu => system::getcpu, "";
    renameat2 => names::renameat2, "RENAME_WHITEOUT: EINVAL";
    getrandom => system::getrandom, "";
    statx => stat::statx, "";
    close_range => fd::close_range, "";
    faccessat2 => path::faccessat2, "";
    fallocate => facts::fallocate, "";
    utimensat => times::utimensat, "";
    utimes => times::utimes, "";
    statfs => facts::statfs, "";
    fstatfs => facts::fstatfs, "";
    preadv => file::preadv, "";
    pwritev => file::pwritev, "";
    clone3 => process::clone3, "see clone; no control groups";
    fchmodat2 => facts::fchmodat2, "";
    flock => lock::flock, "";
    openat2 => file::openat2, "";
    utime => times::utime, "";
    futimesat => times::futimesat, "";
    mount => mount::mount, "tmpfs, proc, sysfs, devtmpfs, bind, move, remount; every mount is private: MS_SHARED and MS_UNBINDABLE are EINVAL";
    umount2 => mount::umount2, "MNT_EXPIRE: EINVAL";
    chroot => path::chroot, "";
    preadv2 => file::preadv2, "RWF_HIPRI, DSYNC, SYNC and APPEND; else EOPNOTSUPP";
    pwritev2 => file::pwritev2, "see preadv2";
    fadvise64 => advice::fadvise64, "";
    readahead => advice::readahead, "";
    sync_file_range => advice::sync_file_range, "";
    syncfs => advice::syncfs, "";
    setxattr => xattr::setxattr, "user, trusted and security; no access control lists: EOPNOTSUPP";
    lsetxattr => xattr::lsetxattr, "";
    fsetxattr => xattr::fsetxattr, "";
    getxattr => xattr::getxattr, "";
    lgetxattr => xattr::lgetxattr, "";
    fgetxattr => xattr::fgetxattr, "";
    listxattr => xattr::listxattr, "";
    llistxattr => xattr::llistxattr, "";
    flistxattr => xattr::flistxattr, "";
    removexattr => xattr::removexattr, "";
    lremovexattr => xattr::lremovexattr, "";
    fremovexattr => xattr::fremovexattr, "";
    memfd_create => file::memfd_create, "MFD_HUGETLB: EINVAL";
}
