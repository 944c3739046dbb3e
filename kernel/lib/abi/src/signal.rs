//! Signals: numbers, sets, dispositions' defaults and the structures that carry them.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A signal number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Signal(u8);

/// What a signal does to a process that neither ignores nor handles it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// Ends the process.
    Terminate,
    /// Ends the process; Linux would also write a core file.
    Core,
    /// Nothing happens.
    Ignore,
    /// Stops the process until [`Signal::CONT`].
    Stop,
    /// Lets a stopped process go on.
    Continue,
}

/// Declares the standard signals with their numbers.
macro_rules! signals {
    ($($name:ident = $number:literal,)*) => {
        impl Signal {
            $(#[doc = concat!("`SIG", stringify!($name), "`.")]
            pub const $name: Self = Self($number);)*

            const NAMES: &'static [(Self, &'static str)] =
                &[$((Self::$name, concat!("SIG", stringify!($name))),)*];
        }
    };
}

signals! {
    HUP = 1, INT = 2, QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, BUS = 7, FPE = 8,
    KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12, PIPE = 13, ALRM = 14, TERM = 15, STKFLT = 16,
    CHLD = 17, CONT = 18, STOP = 19, TSTP = 20, TTIN = 21, TTOU = 22, URG = 23, XCPU = 24,
    XFSZ = 25, VTALRM = 26, PROF = 27, WINCH = 28, IO = 29, PWR = 30, SYS = 31,
}

impl Signal {
    /// Number of signals; the highest one.
    pub const COUNT: usize = 64;

    /// Names signal `number`, or `None` if there is no such signal.
    pub const fn new(number: u64) -> Option<Self> {
        match number {
            1..=64 => Some(Self(number as u8)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Returns the place in a table of all signals, counted from 0.
    pub const fn index(self) -> usize {
        // The remainder is what it was: it tells the compiler that a table of all signals has such a place.
        (self.0 as usize - 1) % Self::COUNT
    }

    /// Says whether this is a signal that can be neither caught, blocked nor ignored.
    pub const fn is_unmaskable(self) -> bool {
        SigSet::UNMASKABLE.contains(self)
    }

    /// Returns what happens where the process has not said otherwise.
    pub const fn default_action(self) -> DefaultAction {
        match self {
            Self::CHLD | Self::URG | Self::WINCH => DefaultAction::Ignore,
            Self::CONT => DefaultAction::Continue,
            Self::STOP | Self::TSTP | Self::TTIN | Self::TTOU => DefaultAction::Stop,
            Self::QUIT
            | Self::ILL
            | Self::TRAP
            | Self::ABRT
            | Self::BUS
            | Self::FPE
            | Self::SEGV
            | Self::XCPU
            | Self::XFSZ
            | Self::SYS => DefaultAction::Core,
            _ => DefaultAction::Terminate,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(signal, _)| signal == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "SIGRT_{}", self.0 - 32),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of signals: bit n-1 stands for signal n.
#[derive(Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SigSet(u64);

impl SigSet {
    /// The set without signals.
    pub const EMPTY: Self = Self(0);

    /// The two signals that no mask can hold back.
    pub const UNMASKABLE: Self = Self::EMPTY.with(Signal::KILL).with(Signal::STOP);

    /// All signals.
    pub const ALL: Self = Self(u64::MAX);

    /// Those that a program's own instructions cause.
    pub const SYNCHRONOUS: Self = Self::EMPTY
        .with(Signal::SEGV)
        .with(Signal::BUS)
        .with(Signal::ILL)
        .with(Signal::TRAP)
        .with(Signal::FPE)
        .with(Signal::SYS);

    /// Those that stop a process by default.
    pub const STOPS: Self = Self::EMPTY
        .with(Signal::STOP)
        .with(Signal::TSTP)
        .with(Signal::TTIN)
        .with(Signal::TTOU);

    /// Makes a set from its bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns the set with `signal` in it.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << signal.index())
    }

    /// Returns the set without `signal`.
    #[must_use]
    pub const fn without(self, signal: Signal) -> Self {
        Self(self.0 & !(1 << signal.index()))
    }

    /// Returns what is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what is in this set and not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns what is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the lowest signal in the set.
    pub const fn first(self) -> Option<Signal> {
        Signal::new(self.0.trailing_zeros() as u64 + 1)
    }

    /// Says whether `signal` is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << signal.index() != 0
    }

    /// Says whether the set has no signals.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Visits the signals in the set, lowest first.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=Signal::COUNT as u8)
            .map(Signal)
            .filter(move |signal| self.contains(*signal))
    }
}

impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// `SIG_DFL`, as a handler's address.
pub const SIG_DFL: u64 = 0;
/// `SIG_IGN`, as a handler's address.
pub const SIG_IGN: u64 = 1;

/// `struct kernel_sigaction`: how one signal is to be taken.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct SigAction {
    /// [`SIG_DFL`], [`SIG_IGN`] or a handler's address.
    pub handler: u64,
    /// `SA_*`.
    pub flags: u64,
    /// Where the handler returns to.
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: SigSet,
}

/// `stack_t`: the alternate signal stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigAltStack {
    /// Lowest address.
    pub sp: u64,
    /// `SS_*`.
    pub flags: u32,
    /// Padding.
    pub pad: u32,
    /// Bytes.
    pub size: u64,
}

impl SigAltStack {
    /// None, as every program starts; a stack without size is disabled.
    pub const NONE: Self = Self {
        sp: 0,
        flags: 0,
        pad: 0,
        size: 0,
    };

    /// Disabled by the program (`SS_DISABLE`).
    pub const DISABLED: Self = Self {
        flags: linux_raw_sys::general::SS_DISABLE,
        ..Self::NONE
    };

    /// Returns what is left once a handler runs: nothing of a stack with `SS_AUTODISARM`.
    #[must_use]
    pub const fn disarmed(self) -> Self {
        match self.flags & linux_raw_sys::general::SS_AUTODISARM {
            0 => self,
            _ => Self::DISABLED,
        }
    }
}
