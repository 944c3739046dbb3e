//! What a task asks of the scheduler.

use crate::weight::{self, HEAVIEST, MAX_NICE, MIN_NICE};

/// The lowest real-time priority.
pub const MIN_RT: u8 = 1;
/// The highest real-time priority.
pub const MAX_RT: u8 = 99;

/// How a task is scheduled; the numbers are Linux's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Policy {
    /// A fair share (`SCHED_OTHER`).
    Normal = 0,
    /// Before all fair ones, until it sleeps, yields or a higher priority comes.
    Fifo = 1,
    /// Like [`Fifo`](Self::Fifo), but takes turns with its equals.
    RoundRobin = 2,
    /// A fair share, and preempts nobody when it wakes up.
    Batch = 3,
    /// A share so small that it runs when nobody else wants to.
    Idle = 5,
}

impl Policy {
    /// Returns the policy with Linux's number.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Normal,
            1 => Self::Fifo,
            2 => Self::RoundRobin,
            3 => Self::Batch,
            5 => Self::Idle,
            _ => return None,
        })
    }

    /// Returns the lowest and the highest priority there are under it.
    pub fn priorities(self) -> (u8, u8) {
        match self.is_realtime() {
            true => (MIN_RT, MAX_RT),
            false => (0, 0),
        }
    }

    /// Returns whether it is one of the two real-time policies.
    pub fn is_realtime(self) -> bool {
        matches!(self, Self::Fifo | Self::RoundRobin)
    }
}

/// What a task asks for, in one word: see [`to_word`](Self::to_word).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    /// How it is scheduled.
    pub policy: Policy,
    /// −20 … 19; kept, but without effect, while the policy is real-time.
    pub nice: i8,
    /// 1 … 99 for a real-time policy, else 0.
    pub rt_priority: u8,
    /// Whether children start with [`DEFAULT`](Self::DEFAULT) instead of what this asks beyond it.
    pub reset_on_fork: bool,
}

impl Params {
    /// What a task has that never asked.
    pub const DEFAULT: Self = Self {
        policy: Policy::Normal,
        nice: 0,
        rt_priority: 0,
        reset_on_fork: false,
    };

    /// Makes what Linux's numbers ask for; `None` if there is no such policy, or the priority does not belong to it.
    pub fn asked(policy: u32, priority: u32, nice: i8, reset_on_fork: bool) -> Option<Self> {
        let policy = Policy::from_number(policy)?;
        let (lowest, highest) = policy.priorities();
        let rt_priority = u8::try_from(priority).ok()?;
        (lowest..=highest).contains(&rt_priority).then_some(Self {
            policy,
            nice: nice.clamp(MIN_NICE, MAX_NICE),
            rt_priority,
            reset_on_fork,
        })
    }

    /// Returns whether the two real-time policies are meant.
    pub fn is_realtime(self) -> bool {
        self.policy.is_realtime()
    }

    /// Returns the weight. Real-time tasks have none among themselves; for the load of a CPU they count
    /// as the heaviest.
    pub fn weight(self) -> u32 {
        match self.policy {
            Policy::Fifo | Policy::RoundRobin => HEAVIEST,
            Policy::Idle => weight::IDLE,
            Policy::Normal | Policy::Batch => weight::of_nice(self.nice),
        }
    }

    /// Returns how high it ranks: 1 for a fair task, more for a real-time one; an idle CPU ranks 0.
    pub fn rank(self) -> u8 {
        1 + self.rt_priority
    }

    /// Returns what a child starts with.
    pub fn for_child(self) -> Self {
        if !self.reset_on_fork {
            return self;
        }
        match self.policy {
            Policy::Fifo | Policy::RoundRobin => Self::DEFAULT,
            policy => Self {
                policy,
                nice: self.nice.max(0),
                ..Self::DEFAULT
            },
        }
    }

    /// Packs it: policy in bits 0–7, nice in 8–15, priority in 16–23, the flag in 24.
    pub fn to_word(self) -> u32 {
        u32::from_le_bytes([
            self.policy as u8,
            self.nice.cast_unsigned(),
            self.rt_priority,
            self.reset_on_fork.into(),
        ])
    }

    /// Unpacks a word of [`to_word`](Self::to_word).
    pub fn from_word(word: u32) -> Self {
        let [policy, nice, rt_priority, reset] = word.to_le_bytes();
        Self {
            policy: Policy::from_number(policy.into()).unwrap_or(Policy::Normal),
            nice: nice.cast_signed(),
            rt_priority,
            reset_on_fork: reset != 0,
        }
    }
}
