//! Whether CR3 must be written (LZ-9 … LZ-13, LZ-15).

/// An address space's number. Never used twice, so that a CPU never takes a new mm for an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MmId(u64);

impl MmId {
    /// The kernel's own, which has no user half.
    pub const INIT: Self = Self(0);

    /// Makes a number; that it is a fresh one is the caller's business.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// What a CPU's TLB may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuTlb {
    /// What CR3 holds. It need not be the running task's `active_mm` (LZ-10).
    pub loaded: MmId,
    /// The TLB holds nothing of `loaded` that is older than this generation.
    pub seen_gen: u64,
    /// A kernel thread runs; flushes of `loaded` may pass this CPU by.
    pub lazy: bool,
}

/// How a CPU gets onto the mm of the task it switches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    /// It is on it, and was all the time: nothing to do.
    Keep,
    /// It is on it, was lazy, and missed nothing: no CR3 write.
    LeaveLazy,
    /// It is on it, was lazy, and missed a flush: CR3 is written again.
    Reload,
    /// It is on another one: CR3 is written.
    Switch,
}

/// Decides how to get from what `cpu` has loaded onto `next`.
///
/// On a machine with several CPUs the order counts (LZ-12, LZ-15): take `cpu`; if it is lazy on
/// `next` clear the flag, if it is elsewhere announce the switch; then, behind a full barrier, read
/// `next_gen`. Read earlier, it could miss a flush that still saw the CPU lazy.
pub fn plan_load(cpu: &CpuTlb, next: MmId, next_gen: u64) -> Load {
    if cpu.loaded != next {
        Load::Switch
    } else if !cpu.lazy {
        Load::Keep
    } else if cpu.seen_gen == next_gen {
        Load::LeaveLazy
    } else {
        Load::Reload
    }
}

/// Decides whether a CPU that goes on to a kernel thread becomes lazy; on `init_mm` there is
/// nothing to be lazy about (LZ-9).
pub fn enter_lazy(cpu: &CpuTlb) -> bool {
    cpu.loaded != MmId::INIT
}
