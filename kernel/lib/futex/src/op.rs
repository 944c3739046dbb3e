//! What a call to `futex` asks for.

use abi::linux::{
    FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE,
    FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};

/// The bits of an ordinary wait and wake: everybody's.
pub const ANY: u32 = u32::MAX;

/// An operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Op {
    /// What is to be done.
    pub command: Command,
    /// Whether only threads of the caller's address space are meant.
    pub private: bool,
    /// Whether its point in time is of the clock on the wall.
    pub realtime: bool,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Sleep, at most as long as the time says.
    Wait,
    /// Sleep until the point in time at most, for a wake-up with one of the bits.
    WaitBits,
    /// Wake some.
    Wake,
    /// Wake some of those that wait for one of the bits.
    WakeBits,
    /// Wake some, and let others wait for another word; if `compares`, only where the word is as expected.
    Requeue {
        /// Whether the word is looked at.
        compares: bool,
    },
    /// Change another word, and wake some of those who wait for either.
    WakeOp,
    /// Take a lock with priority inheritance, waiting until a point in time at most; of the wall clock always if it is `old`.
    LockPi {
        /// Whether it is the first form of the call.
        old: bool,
    },
    /// Take such a lock if it is free.
    TryLockPi,
    /// Give such a lock back.
    UnlockPi,
}

/// There is no such operation here, or no such combination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadOp;

impl Op {
    /// Reads the second argument of the call.
    pub fn new(word: u32) -> Result<Self, BadOp> {
        let command = match word & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) {
            FUTEX_WAIT => Command::Wait,
            FUTEX_WAIT_BITSET => Command::WaitBits,
            FUTEX_WAKE => Command::Wake,
            FUTEX_WAKE_BITSET => Command::WakeBits,
            FUTEX_REQUEUE => Command::Requeue { compares: false },
            FUTEX_CMP_REQUEUE => Command::Requeue { compares: true },
            FUTEX_WAKE_OP => Command::WakeOp,
            FUTEX_LOCK_PI => Command::LockPi { old: true },
            FUTEX_LOCK_PI2 => Command::LockPi { old: false },
            FUTEX_TRYLOCK_PI => Command::TryLockPi,
            FUTEX_UNLOCK_PI => Command::UnlockPi,
            _ => return Err(BadOp),
        };
        let op = Self {
            command,
            private: word & FUTEX_PRIVATE_FLAG != 0,
            realtime: word & FUTEX_CLOCK_REALTIME != 0,
        };
        let has_clock = matches!(command, Command::WaitBits | Command::LockPi { old: false });
        match op.realtime && !has_clock {
            true => Err(BadOp),
            false => Ok(op),
        }
    }
}

/// The third operation of `FUTEX_WAKE_OP`: how a word changes, and whether those who wait for it are woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WakeOp {
    change: u32,
    operand: i32,
    compare: u32,
    with: i32,
}

impl WakeOp {
    /// Reads the last argument of the call.
    pub fn new(encoded: u32) -> Result<Self, BadOp> {
        let twelve = |shift: u32| (encoded << (20 - shift)).cast_signed() >> 20;
        let shifts = encoded >> 31 != 0;
        let operand = match (shifts, twelve(12)) {
            (true, by) => 1_i32.wrapping_shl(by.cast_unsigned()),
            (false, operand) => operand,
        };
        let op = Self {
            change: encoded >> 28 & 7,
            operand,
            compare: encoded >> 24 & 15,
            with: twelve(0),
        };
        match op.change <= 4 && op.compare <= 5 {
            true => Ok(op),
            false => Err(BadOp),
        }
    }

    /// Returns what the word becomes.
    pub fn apply(&self, old: u32) -> u32 {
        let operand = self.operand.cast_unsigned();
        match self.change {
            0 => operand,
            1 => old.wrapping_add(operand),
            2 => old | operand,
            3 => old & !operand,
            _ => old ^ operand,
        }
    }

    /// Returns whether those who wait for the word are to be woken, from what it was.
    pub fn wakes(&self, old: u32) -> bool {
        let old = old.cast_signed();
        match self.compare {
            0 => old == self.with,
            1 => old != self.with,
            2 => old < self.with,
            3 => old <= self.with,
            4 => old > self.with,
            _ => old >= self.with,
        }
    }
}
