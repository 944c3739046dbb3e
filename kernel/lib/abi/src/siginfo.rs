//! `siginfo_t`: what a handler is told about the signal that it handles.

use linux_raw_sys::general as raw;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Signal;

/// `si_code`: sent with `kill`.
pub const SI_USER: i32 = raw::SI_USER as i32;
/// `si_code`: sent by the kernel, with nothing more to say.
pub const SI_KERNEL: i32 = raw::SI_KERNEL as i32;
/// `si_code`: sent with `tkill` or `tgkill`.
pub const SI_TKILL: i32 = raw::SI_TKILL;

/// `siginfo_t`, 128 bytes: three numbers, then what the kind of signal needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigInfo {
    /// `si_signo`.
    pub signo: i32,
    /// `si_errno`.
    pub errno: i32,
    /// `si_code`.
    pub code: i32,
    /// Padding.
    pub pad: i32,
    /// What depends on the signal.
    pub fields: [u64; 14],
}

const _: () = assert!(size_of::<SigInfo>() == 128);

/// What became of a child, for [`SigInfo::child`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChildNews {
    /// `CLD_*`.
    pub code: i32,
    /// The child's number.
    pub pid: u32,
    /// Its exit code, or the signal that ended, stopped or continued it.
    pub status: i32,
    /// User time in clock ticks.
    pub utime: u64,
    /// System time in clock ticks.
    pub stime: u64,
}

impl SigInfo {
    /// Returns the information of a signal from the kernel that says no more (`SI_KERNEL`).
    pub const fn kernel(signal: Signal) -> Self {
        Self::with(signal, SI_KERNEL)
    }

    /// Returns the information of a fault at `addr`.
    pub const fn fault(signal: Signal, code: i32, addr: u64) -> Self {
        let mut info = Self::with(signal, code);
        info.fields[0] = addr;
        info
    }

    /// Returns the information of a signal that process `pid` sent; everybody is root.
    pub const fn from_process(signal: Signal, code: i32, pid: u32) -> Self {
        let mut info = Self::with(signal, code);
        info.fields[0] = pid as u64;
        info
    }

    /// Returns the information of a `SIGCHLD`.
    pub const fn child(news: &ChildNews) -> Self {
        let mut info = Self::with(Signal::CHLD, news.code);
        info.fields[0] = news.pid as u64;
        info.fields[1] = news.status as u32 as u64;
        info.fields[2] = news.utime;
        info.fields[3] = news.stime;
        info
    }

    const fn with(signal: Signal, code: i32) -> Self {
        Self {
            signo: signal.number() as i32,
            errno: 0,
            code,
            pad: 0,
            fields: [0; 14],
        }
    }

    /// Returns the signal; `None` if a program forged a number that no signal has.
    pub fn signal(&self) -> Option<Signal> {
        Signal::new(u64::try_from(self.signo).ok()?)
    }
}
