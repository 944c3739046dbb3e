//! Each structure has the size and the offsets of Linux's own.

use core::mem::{offset_of, size_of};

use abi::linux;
use abi::{file, process, signal, system, time};

/// Asserts equal sizes and equal offsets of the named pairs of fields.
macro_rules! same_layout {
    ($ours:ty, $theirs:ty $(, $field:ident = $other:ident)*) => {
        assert_eq!(size_of::<$ours>(), size_of::<$theirs>(), stringify!($ours));
        $(assert_eq!(
            offset_of!($ours, $field),
            offset_of!($theirs, $other),
            stringify!($ours.$field)
        );)*
    };
}

#[test]
fn file_structures_are_laid_out_as_linux_lays_them_out() {
    same_layout!(
        file::Stat,
        linux::stat,
        mode = st_mode,
        rdev = st_rdev,
        size = st_size,
        blocks = st_blocks,
        atime = st_atime,
        mtime = st_mtime,
        ctime = st_ctime
    );
    same_layout!(
        file::Statx,
        linux::statx,
        mode = stx_mode,
        ino = stx_ino,
        atime = stx_atime,
        attributes_mask = stx_attributes_mask,
        mtime = stx_mtime,
        rdev = stx_rdev_major,
        dev = stx_dev_major,
        rest = stx_mnt_id
    );
    same_layout!(
        file::PollFd,
        linux::pollfd,
        events = events,
        revents = revents
    );
    same_layout!(
        file::Termios,
        linux::termios,
        lflag = c_lflag,
        line = c_line,
        cc = c_cc
    );
    same_layout!(file::Winsize, linux::winsize, columns = ws_col);
    assert_eq!(
        size_of::<file::DirentHead>(),
        offset_of!(linux::linux_dirent64, d_name)
    );
    assert_eq!(size_of::<file::Iovec>(), 16);
}

#[test]
fn signal_structures_are_laid_out_as_linux_lays_them_out() {
    same_layout!(
        signal::SigAction,
        linux::kernel_sigaction,
        flags = sa_flags,
        restorer = sa_restorer,
        mask = sa_mask
    );
    same_layout!(
        signal::SigAltStack,
        linux::sigaltstack,
        flags = ss_flags,
        size = ss_size
    );
}

#[test]
fn process_and_time_structures_are_laid_out_as_linux_lays_them_out() {
    same_layout!(process::Rlimit, linux::rlimit64, maximum = rlim_max);
    same_layout!(
        process::Rusage,
        linux::rusage,
        stime = ru_stime,
        maxrss = ru_maxrss,
        minflt = ru_minflt,
        nivcsw = ru_nivcsw
    );
    same_layout!(time::Timespec, linux::timespec, nsec = tv_nsec);
    same_layout!(time::Timeval, linux::timeval, usec = tv_usec);
    same_layout!(time::Itimerval, linux::itimerval, value = it_value);
    same_layout!(time::Timezone, linux::timezone, dst_time = tz_dsttime);
}

#[test]
fn system_structures_are_laid_out_as_linux_lays_them_out() {
    use linux_raw_sys::system as theirs;
    same_layout!(
        system::Utsname,
        theirs::new_utsname,
        machine = machine,
        domainname = domainname
    );
    same_layout!(
        system::Sysinfo,
        theirs::sysinfo,
        totalram = totalram,
        procs = procs,
        totalhigh = totalhigh,
        mem_unit = mem_unit
    );
}

#[test]
fn the_first_form_of_scheduling_attributes_has_the_size_that_its_users_name() {
    assert_eq!(size_of::<system::SchedAttr>(), 48);
    assert_eq!(offset_of!(system::SchedAttr, priority), 20);
    assert_eq!(system::SCHED_ATTR_SIZE, 56);
}
