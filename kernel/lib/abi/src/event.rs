//! Events as system calls carry them: of epoll, of timers, of signals that are read.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Signal;
use crate::siginfo::SigInfo;
use crate::time::Timespec;

/// `struct epoll_event`; packed on x86-64.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C, packed)]
pub struct EpollEvent {
    /// `EPOLL*`.
    pub events: u32,
    /// Whatever the program wants to have back.
    pub data: u64,
}

const _: () = assert!(size_of::<EpollEvent>() == 12);

/// `struct itimerspec`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Itimerspec {
    /// From each expiration to the next; 0 for once.
    pub interval: Timespec,
    /// Until the first; 0 for never.
    pub value: Timespec,
}

/// `struct signalfd_siginfo`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of signalfd(2)")]
pub struct SignalfdSigInfo {
    pub signo: u32,
    pub errno: i32,
    pub code: i32,
    pub pid: u32,
    pub uid: u32,
    pub fd: i32,
    pub tid: u32,
    pub band: u32,
    pub overrun: u32,
    pub trapno: u32,
    pub status: i32,
    pub int: i32,
    pub ptr: u64,
    pub utime: u64,
    pub stime: u64,
    pub addr: u64,
    /// What no signal here has, and room for more.
    pub rest: [u64; 6],
}

const _: () = assert!(size_of::<SignalfdSigInfo>() == 128);

/// `si_code`: a timer expired.
const SI_TIMER: i32 = -2;
/// `si_code`: a file is ready.
const SI_SIGIO: i32 = -5;
/// The first `si_code` that says nothing but that the kernel sent it.
const SI_KERNEL: i32 = 0x80;

impl From<SigInfo> for SignalfdSigInfo {
    fn from(info: SigInfo) -> Self {
        let mut told = Self {
            signo: info.signo as u32,
            errno: info.errno,
            code: info.code,
            ..Self::default()
        };
        let low = |field: usize| info.fields[field] as u32;
        let high = |field: usize| (info.fields[field] >> 32) as u32;
        match (info.code, info.signal()) {
            (1..SI_KERNEL, Some(Signal::CHLD)) => {
                (told.pid, told.uid) = (low(0), high(0));
                told.status = low(1) as i32;
                (told.utime, told.stime) = (info.fields[2], info.fields[3]);
            }
            (
                1..SI_KERNEL,
                Some(Signal::ILL | Signal::FPE | Signal::SEGV | Signal::BUS | Signal::TRAP),
            ) => told.addr = info.fields[0],
            (1..SI_KERNEL, Some(Signal::IO)) | (SI_SIGIO, _) => {
                told.band = low(0);
                told.fd = low(1) as i32;
            }
            (SI_TIMER, _) => {
                (told.tid, told.overrun) = (low(0), high(0));
                (told.ptr, told.int) = (info.fields[1], low(1) as i32);
            }
            (code, _) => {
                (told.pid, told.uid) = (low(0), high(0));
                if code < 0 {
                    (told.ptr, told.int) = (info.fields[1], low(1) as i32);
                }
            }
        }
        told
    }
}
