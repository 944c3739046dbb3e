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
/// The lowest `si_code` but one that Linux knows.
pub const SI_DETHREAD: i32 = raw::SI_DETHREAD;
/// `si_code`: the end of a name look-up.
pub const SI_ASYNCNL: i32 = raw::SI_ASYNCNL;

/// Words of `siginfo_t` behind its three numbers that anything ever fills.
const FIELDS: usize = 4;

/// What is known about a signal: the first 48 bytes of `siginfo_t`, three numbers and what the kind of signal needs.
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
    pub fields: [u64; FIELDS],
}

/// `siginfo_t` as programs see it: 128 bytes, of which the rest is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UserSigInfo {
    /// What is known.
    pub known: SigInfo,
    /// Zero, if the kernel wrote it.
    pub rest: [u64; 14 - FIELDS],
}

const _: () = assert!(size_of::<UserSigInfo>() == 128);

impl From<SigInfo> for UserSigInfo {
    #[inline]
    fn from(known: SigInfo) -> Self {
        Self {
            known,
            rest: [0; _],
        }
    }
}

/// What became of a child, for [`SigInfo::child`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChildNews {
    /// `CLD_*`.
    pub code: i32,
    /// The child's number.
    pub pid: u32,
    /// Its real user id.
    pub uid: u32,
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

    /// Returns the information of a signal that process `pid` of root sent.
    pub const fn from_process(signal: Signal, code: i32, pid: u32) -> Self {
        Self::from_user(signal, code, (pid, 0))
    }

    /// Returns the information of a signal that a process sent: its number, and the real user id that it has.
    pub const fn from_user(signal: Signal, code: i32, (pid, uid): (u32, u32)) -> Self {
        let mut info = Self::with(signal, code);
        info.fields[0] = pid as u64 | (uid as u64) << 32;
        info
    }

    /// Returns the information of a `SIGCHLD`.
    pub const fn child(news: &ChildNews) -> Self {
        let mut info = Self::with(Signal::CHLD, news.code);
        info.fields[0] = news.pid as u64 | (news.uid as u64) << 32;
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
            fields: [0; FIELDS],
        }
    }

    /// Returns the signal; `None` if a program forged a number that no signal has.
    #[inline]
    pub fn signal(&self) -> Option<Signal> {
        Signal::new(u64::try_from(self.signo).ok()?)
    }
}
