//! Times as system calls carry them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;

/// `struct timespec`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: i64,
}

impl Timespec {
    /// Splits a count of nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self {
            sec: (ns / NSEC_PER_SEC) as i64,
            nsec: (ns % NSEC_PER_SEC) as i64,
        }
    }

    /// Returns the nanoseconds, at most `u64::MAX`, or `None` for a time that Linux calls
    /// invalid (negative, or nanoseconds out of range).
    pub const fn to_ns(self) -> Option<u64> {
        if self.sec < 0 || self.nsec < 0 || self.nsec >= NSEC_PER_SEC as i64 {
            return None;
        }
        Some(
            (self.sec as u64)
                .saturating_mul(NSEC_PER_SEC)
                .saturating_add(self.nsec as u64),
        )
    }
}

/// `struct timeval`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Timeval {
    /// Seconds.
    pub sec: i64,
    /// Microseconds.
    pub usec: i64,
}

impl Timeval {
    /// Splits a count of nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self {
            sec: (ns / NSEC_PER_SEC) as i64,
            usec: (ns % NSEC_PER_SEC / 1000) as i64,
        }
    }

    /// Returns the nanoseconds, at most `u64::MAX`, or `None` for a time that Linux calls invalid.
    pub const fn to_ns(self) -> Option<u64> {
        if self.usec < 0 || self.usec >= (NSEC_PER_SEC / 1000) as i64 {
            return None;
        }
        let Self { sec, usec } = self;
        let nsec = usec * 1000;
        Timespec { sec, nsec }.to_ns()
    }
}

/// `struct itimerval`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Itimerval {
    /// From each ring to the next; 0 for once.
    pub interval: Timeval,
    /// Until it rings; 0 for never.
    pub value: Timeval,
}

/// `struct timezone`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Timezone {
    /// Minutes west of Greenwich.
    pub minutes_west: i32,
    /// Unused.
    pub dst_time: i32,
}

/// `struct tms`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of times(2)")]
pub struct Tms {
    pub utime: u64,
    pub stime: u64,
    pub cutime: u64,
    pub cstime: u64,
}
