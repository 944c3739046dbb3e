//! The resource limits that mm enforces.

/// Default RLIMIT_STACK: 8 MiB.
pub const DEFAULT_STACK_LIMIT: u64 = 8 << 20;

/// The resource limits that mm enforces, in bytes; `u64::MAX` for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MmLimits {
    /// RLIMIT_STACK: how large the stack may grow.
    pub stack: u64,
    /// RLIMIT_DATA: all private writable mappings but the stack, the heap among them (VM-13).
    pub data: u64,
    /// The hard limit of RLIMIT_DATA, which counts in place of a soft one of nothing.
    pub data_hard: u64,
    /// RLIMIT_AS: all mappings.
    pub address_space: u64,
    /// RLIMIT_MEMLOCK; `None` for who may lock as much as there is (CAP_IPC_LOCK).
    pub locked: Option<u64>,
}

impl MmLimits {
    /// What a process has that nobody limited: 8 MiB of stack.
    pub const DEFAULT: Self = Self {
        stack: DEFAULT_STACK_LIMIT,
        data: u64::MAX,
        data_hard: u64::MAX,
        address_space: u64::MAX,
        locked: None,
    };
}
