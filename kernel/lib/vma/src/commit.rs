//! The commitment: how much private memory may be promised (VM-14).

/// How promises are limited; the numbers are those of `/proc/sys/vm/overcommit_memory`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overcommit {
    /// Only a single request that no machine this size could fill is refused.
    #[default]
    Heuristic = 0,
    /// Nothing is refused.
    Always = 1,
    /// All promises together stay below a share of the memory.
    Never = 2,
}

impl Overcommit {
    /// Returns the mode with this number.
    pub const fn new(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Heuristic),
            1 => Some(Self::Always),
            2 => Some(Self::Never),
            _ => None,
        }
    }

    /// Says whether `request` pages more may be promised where `committed` are already, on a
    /// machine of `ram` pages of which `ratio` per cent may be promised in the strictest mode.
    pub const fn allows(self, request: u64, committed: u64, ram: u64, ratio: u64) -> bool {
        match self {
            Self::Heuristic => request <= ram,
            Self::Always => true,
            Self::Never => match committed.checked_add(request) {
                Some(promised) => promised <= limit(ram, ratio),
                None => false,
            },
        }
    }
}

/// Returns how many of `ram` pages are `ratio` per cent.
pub const fn limit(ram: u64, ratio: u64) -> u64 {
    (ram as u128 * ratio as u128 / 100) as u64
}
