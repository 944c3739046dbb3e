//! The word, and its transitions.
//!
//! | bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `STARTED` | it was woken for the first time | an owner, or the thread | – |
//! | `STOP` | it shall end | an owner | – |
//! | `PARK` | it shall park | an owner | an owner: unpark, stop |
//! | `PARKED` | it sleeps, parked | the thread | as `PARK`; the thread when it goes on |
//! | `EXITED` | it has its result and will do nothing more | the thread | – |

use core::fmt;

/// Where a kernel thread stands, and what is wished of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State(u8);

const STARTED: u8 = 1 << 0;
const STOP: u8 = 1 << 1;
const PARK: u8 = 1 << 2;
const PARKED: u8 = 1 << 3;
const EXITED: u8 = 1 << 4;

/// Whether the thread sleeps for the first wake-up, which no other kind of wake-up is (KT-1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a thread that was never woken sleeps until it is"]
pub struct First(pub bool);

/// What a thread does first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// It calls its function.
    Run,
    /// It was stopped before: the function is never called (KT-1).
    NeverRun,
}

/// What a thread does that has come to where it parks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParkStep {
    /// It is parked: it tells those who wait for that, and sleeps. Only unpark and stop wake it.
    Sleep,
    /// Nobody wants it parked (any more).
    GoOn,
}

/// Why a thread was not parked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParkRefused {
    /// It has ended or is told to (Linux: ENOSYS).
    Ends,
    /// Somebody parks it already (Linux: EBUSY).
    Busy,
    /// Somebody unparked it before it was parked.
    Withdrawn,
}

impl State {
    /// A thread that was made and has not run.
    pub const CREATED: Self = Self(0);

    /// Reads a word that [`Self::bits`] gave.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Returns the word.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether it shall end.
    pub const fn should_stop(self) -> bool {
        self.has(STOP)
    }

    /// Whether it shall park.
    pub const fn should_park(self) -> bool {
        self.has(PARK)
    }

    /// Whether it shall do anything but what its function does: it sleeps for nothing else then.
    pub const fn is_called(self) -> bool {
        self.has(STOP | PARK)
    }

    /// Whether it sleeps, parked.
    pub const fn is_parked(self) -> bool {
        self.has(PARKED)
    }

    /// Whether it has its result.
    pub const fn has_exited(self) -> bool {
        self.has(EXITED)
    }

    /// Whether its CPU may be chosen: it stands still, and begins there when it goes on.
    pub const fn may_bind(self) -> bool {
        !self.has(STARTED | EXITED) || self.has(PARKED)
    }

    /// An owner's: it may run. The thread is to be woken if this is the first time.
    pub const fn start(self) -> (Self, First) {
        (self.with(STARTED), First(!self.has(STARTED)))
    }

    /// The thread's first step: whether its function is called. It parks before if that is wished.
    pub const fn begin(self) -> (Self, Begin) {
        if self.has(STOP) {
            return (self, Begin::NeverRun);
        }
        (self.with(STARTED), Begin::Run)
    }

    /// An owner's: it shall end, and does not stay parked. The thread is to be woken, parked or not.
    pub const fn stop(self) -> Self {
        self.with(STOP).without(PARK | PARKED)
    }

    /// An owner's: it shall park. The thread is to be woken, for the first time if need be.
    pub const fn park(self) -> Result<(Self, First), ParkRefused> {
        if self.has(STOP | EXITED) {
            Err(ParkRefused::Ends)
        } else if self.has(PARK) {
            Err(ParkRefused::Busy)
        } else {
            Ok((self.with(PARK | STARTED), First(!self.has(STARTED))))
        }
    }

    /// What the owner who parks it has to know; `None` while there is something to wait for.
    pub const fn park_answer(self) -> Option<Result<(), ParkRefused>> {
        if self.has(STOP | EXITED) {
            Some(Err(ParkRefused::Ends))
        } else if !self.has(PARK) {
            Some(Err(ParkRefused::Withdrawn))
        } else if self.has(PARKED) {
            Some(Ok(()))
        } else {
            None
        }
    }

    /// An owner's: it shall go on. `None` if nobody wants it parked: it must not be woken then, for it may
    /// just be on its way to park for somebody else.
    pub const fn unpark(self) -> Option<Self> {
        if self.has(PARK) {
            Some(self.without(PARK | PARKED))
        } else {
            None
        }
    }

    /// The thread's, after it marked itself as one that only unpark and stop wake.
    pub const fn park_step(self) -> (Self, ParkStep) {
        if self.has(PARK) {
            (self.with(PARKED), ParkStep::Sleep)
        } else {
            (self.without(PARKED), ParkStep::GoOn)
        }
    }

    /// The thread's last step; its result is there for whoever waits.
    pub const fn exit(self) -> Self {
        self.with(EXITED).without(PARK | PARKED)
    }

    const fn has(self, any: u8) -> bool {
        self.0 & any != 0
    }

    const fn with(self, bits: u8) -> Self {
        Self(self.0 | bits)
    }

    const fn without(self, bits: u8) -> Self {
        Self(self.0 & !bits)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u8, &str); 5] = [
            (STARTED, "started"),
            (STOP, "stop"),
            (PARK, "park"),
            (PARKED, "parked"),
            (EXITED, "exited"),
        ];
        let set = NAMES.iter().filter(|(bit, _)| self.has(*bit));
        f.debug_set().entries(set.map(|(_, name)| *name)).finish()
    }
}
