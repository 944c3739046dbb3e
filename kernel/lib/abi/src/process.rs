//! Processes: clone flags, wait statuses, limits and usage.

use bitflags::bitflags;
use linux_raw_sys::general as raw;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Signal;

/// What `personality` is given by who only asks.
pub const PERSONA_QUERY: u32 = u32::MAX;

bitflags! {
    /// Whose behaviour a program asks for (`personality`): an execution domain in the low byte, and
    /// single deviations. Other bits mean nothing, and are kept.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Persona: u32 {
        /// `uname` tells of Linux 2.6.
        const UNAME26 = 0x0002_0000;
        /// Programs find the same addresses at every start.
        const ADDR_NO_RANDOMIZE = 0x0004_0000;
        /// A page of zeros lies at address 0.
        const MMAP_PAGE_ZERO = 0x0010_0000;
        /// Mappings are placed from the bottom up.
        const ADDR_COMPAT_LAYOUT = 0x0020_0000;
        /// What may be read may be executed.
        const READ_IMPLIES_EXEC = 0x0040_0000;
        /// `select` and `poll` leave their timeout alone.
        const STICKY_TIMEOUTS = 0x0400_0000;
        /// The execution domain; 0 is Linux.
        const DOMAIN = 0x0000_00ff;
    }
}

impl Persona {
    /// What would change the behaviour of calls in ways that this kernel does not know.
    pub const UNSUPPORTED: Self = Self::UNAME26
        .union(Self::MMAP_PAGE_ZERO)
        .union(Self::ADDR_COMPAT_LAYOUT)
        .union(Self::READ_IMPLIES_EXEC)
        .union(Self::STICKY_TIMEOUTS)
        .union(Self::DOMAIN);
}

bitflags! {
    /// Flags of `clone`, without the exit signal in the low byte.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CloneFlags: u64 {
        /// Shares the address space.
        const VM = raw::CLONE_VM as u64;
        /// Shares the working directory.
        const FS = raw::CLONE_FS as u64;
        /// Shares the descriptor table.
        const FILES = raw::CLONE_FILES as u64;
        /// Shares the signal handlers.
        const SIGHAND = raw::CLONE_SIGHAND as u64;
        /// The parent sleeps until the child has released its memory.
        const VFORK = raw::CLONE_VFORK as u64;
        /// The child is a sibling.
        const PARENT = raw::CLONE_PARENT as u64;
        /// The child is a thread.
        const THREAD = raw::CLONE_THREAD as u64;
        /// Shares semaphore adjustments.
        const SYSVSEM = raw::CLONE_SYSVSEM as u64;
        /// Sets the FS base.
        const SETTLS = raw::CLONE_SETTLS as u64;
        /// Stores the child's number in the parent.
        const PARENT_SETTID = raw::CLONE_PARENT_SETTID as u64;
        /// Clears the child's number in memory when it ends.
        const CHILD_CLEARTID = raw::CLONE_CHILD_CLEARTID as u64;
        /// Has had no meaning since Linux 2.6.2.
        const DETACHED = raw::CLONE_DETACHED as u64;
        /// A tracer cannot force tracing on the child.
        const UNTRACED = raw::CLONE_UNTRACED as u64;
        /// Stores the child's number in the child.
        const CHILD_SETTID = raw::CLONE_CHILD_SETTID as u64;
        /// Shares the context of input and output, which says nothing here.
        const IO = raw::CLONE_IO as u64;
        /// Signals have their default actions in the child, but for those that are ignored (`clone3`).
        const CLEAR_SIGHAND = 0x1_0000_0000;
        /// Gives the parent a descriptor of the child.
        const PIDFD = raw::CLONE_PIDFD as u64;
        /// The child begins in a control group (`clone3`).
        const INTO_CGROUP = 0x2_0000_0000;
        /// A mount namespace of its own.
        const NEWNS = raw::CLONE_NEWNS as u64;
        /// A namespace of clocks of its own; in the bits of `clone`'s exit signal.
        const NEWTIME = raw::CLONE_NEWTIME as u64;
        /// Other bits are kept.
        const _ = !0;
    }
}

impl CloneFlags {
    /// All namespaces that a child may have of its own, but that of clocks.
    pub const NAMESPACES: Self = Self::from_bits_retain(
        (raw::CLONE_NEWNS
            | raw::CLONE_NEWCGROUP
            | raw::CLONE_NEWUTS
            | raw::CLONE_NEWIPC
            | raw::CLONE_NEWUSER
            | raw::CLONE_NEWPID
            | raw::CLONE_NEWNET) as u64,
    );
    /// The bits that `clone3` knows.
    pub const KNOWN: u64 = 0x3_ffff_ffff;
}

/// `struct clone_args`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of clone3(2)")]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

impl CloneArgs {
    /// Its size when it had no `set_tid`.
    pub const FIRST_SIZE: u64 = 64;
}

const _: () = assert!(size_of::<CloneArgs>() == size_of::<raw::clone_args>());

/// `arch_prctl`: sets the GS base.
pub const ARCH_SET_GS: u32 = 0x1001;
/// `arch_prctl`: sets the FS base.
pub const ARCH_SET_FS: u32 = 0x1002;
/// `arch_prctl`: stores the FS base.
pub const ARCH_GET_FS: u32 = 0x1003;
/// `arch_prctl`: stores the GS base.
pub const ARCH_GET_GS: u32 = 0x1004;

const _: () = assert!(ARCH_SET_FS == raw::ARCH_SET_FS);

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// It called exit with this code.
    Exited(u8),
    /// A signal ended it.
    Signaled(Signal),
}

impl ExitStatus {
    /// Returns the word that `wait4` stores.
    pub const fn wait_word(self) -> u32 {
        match self {
            Self::Exited(code) => (code as u32) << 8,
            Self::Signaled(signal) => signal.number() as u32,
        }
    }
}

/// `struct rlimit`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Rlimit {
    /// The limit in force.
    pub current: u64,
    /// How far it may be raised.
    pub maximum: u64,
}

impl Rlimit {
    /// No limit.
    pub const INFINITY: u64 = u64::MAX;

    /// Makes a limit from both values.
    pub const fn new(current: u64, maximum: u64) -> Self {
        Self { current, maximum }
    }
}

/// `struct rusage`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of getrusage(2)")]
pub struct Rusage {
    pub utime: crate::time::Timeval,
    pub stime: crate::time::Timeval,
    pub maxrss: u64,
    pub ixrss: u64,
    pub idrss: u64,
    pub isrss: u64,
    pub minflt: u64,
    pub majflt: u64,
    pub nswap: u64,
    pub inblock: u64,
    pub oublock: u64,
    pub msgsnd: u64,
    pub msgrcv: u64,
    pub nsignals: u64,
    pub nvcsw: u64,
    pub nivcsw: u64,
}

/// Bytes of `struct timex`.
pub const TIMEX_SIZE: usize = 208;
