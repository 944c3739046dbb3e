//! What `setsockopt` sets, as far as it is kept.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::Patience;
use crate::time;

/// A socket's options.
#[derive(Default)]
pub struct Options {
    /// Options that are on or off, a bit for the number of each.
    switches: AtomicU64,
    /// How long a receiver waits, in ns; 0 for ever.
    receive_timeout: AtomicU64,
    /// How long a sender waits.
    send_timeout: AtomicU64,
    /// Bytes of the buffer that nobody here has; 0 for the default.
    pub receive_buffer: AtomicU32,
    /// `struct linger`: whether, and seconds.
    pub linger: [AtomicU32; 2],
}

impl Options {
    /// Returns whether an option with a number below 64 is on.
    pub fn is_on(&self, option: u32) -> bool {
        self.switches.load(Relaxed) >> option & 1 != 0
    }

    /// Turns an option with a number below 64 on or off.
    pub fn set(&self, option: u32, on: bool) {
        match on {
            true => self.switches.fetch_or(1 << option, Relaxed),
            false => self.switches.fetch_and(!(1 << option), Relaxed),
        };
    }

    /// Sets how long a receiver, or else a sender, waits; 0 for ever.
    pub fn set_timeout(&self, receiver: bool, ns: u64) {
        self.timeout_of(receiver).store(ns, Relaxed);
    }

    /// Returns how long a receiver, or else a sender, waits.
    pub fn timeout(&self, receiver: bool) -> u64 {
        self.timeout_of(receiver).load(Relaxed)
    }

    fn timeout_of(&self, receiver: bool) -> &AtomicU64 {
        match receiver {
            true => &self.receive_timeout,
            false => &self.send_timeout,
        }
    }

    /// Returns how long a receiver that begins now waits.
    pub fn receive_patience(&self, nonblocking: bool) -> Patience {
        patience(nonblocking, self.timeout(true))
    }

    /// Returns how long a sender that begins now waits.
    pub fn send_patience(&self, nonblocking: bool) -> Patience {
        patience(nonblocking, self.timeout(false))
    }
}

fn patience(nonblocking: bool, timeout: u64) -> Patience {
    match (nonblocking, timeout) {
        (true, _) => Patience::None,
        (false, 0) => Patience::Endless,
        (false, ns) => Patience::Until(time::now_ns().saturating_add(ns)),
    }
}
