//! Capabilities: root's rights one by one.

/// One capability; the number is Linux's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of capabilities(7)")]
pub enum Cap {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawio = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysPacct = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    Mknod = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    Setfcap = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    Perfmon = 38,
    Bpf = 39,
    CheckpointRestore = 40,
}

/// The highest number of a capability.
pub const LAST_CAP: u8 = Cap::CheckpointRestore as u8;

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapSet(u64);

impl CapSet {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// Every one there is.
    pub const ALL: Self = Self((1 << (LAST_CAP + 1)) - 1);
    /// What a change of the file-system user id gives and takes: those that are about files.
    pub const FILES: Self = Self(
        1 << Cap::Chown as u8
            | 1 << Cap::DacOverride as u8
            | 1 << Cap::DacReadSearch as u8
            | 1 << Cap::Fowner as u8
            | 1 << Cap::Fsetid as u8
            | 1 << Cap::LinuxImmutable as u8
            | 1 << Cap::MacOverride as u8
            | 1 << Cap::Mknod as u8,
    );

    /// Makes a set of bits; those that no capability has are dropped.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Returns the bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns whether `cap` is in it.
    pub const fn contains(self, cap: Cap) -> bool {
        self.0 & 1 << cap as u8 != 0
    }

    /// Returns whether all of `other` is in it.
    pub const fn includes(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Returns whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns it with `cap`.
    pub const fn with(self, cap: Cap) -> Self {
        Self(self.0 | 1 << cap as u8)
    }

    /// Returns it without `cap`.
    pub const fn without(self, cap: Cap) -> Self {
        Self(self.0 & !(1 << cap as u8))
    }

    /// Returns what is in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what is in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns what is in it and not in `other`.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The sets of somebody, as in capabilities(7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Those in effect.
    pub effective: CapSet,
    /// Those that may be put into effect.
    pub permitted: CapSet,
    /// Those that a program's file may grant across exec.
    pub inheritable: CapSet,
    /// The most that exec can ever give.
    pub bounding: CapSet,
    /// Those that stay across exec of an ordinary program.
    pub ambient: CapSet,
}

impl Caps {
    /// Root's, at boot.
    pub const ROOT: Self = Self {
        effective: CapSet::ALL,
        permitted: CapSet::ALL,
        inheritable: CapSet::EMPTY,
        bounding: CapSet::ALL,
        ambient: CapSet::EMPTY,
    };
    /// An ordinary user's.
    pub const USER: Self = Self {
        effective: CapSet::EMPTY,
        permitted: CapSet::EMPTY,
        inheritable: CapSet::EMPTY,
        bounding: CapSet::ALL,
        ambient: CapSet::EMPTY,
    };
}
