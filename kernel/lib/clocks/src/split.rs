//! How the CPU time of a thread divides into user and system time.
//!
//! The sum is exact; where it was spent is only looked at now and then, in the timer interrupt, since looking at every way
//! in and out of the kernel would cost every call. The samples say in what proportion the sum divides.

use core::ops::Add;

/// CPU time in ns, by where the CPU was when it was looked at next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sampled {
    /// In the program.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
}

impl Sampled {
    /// Nobody has looked yet.
    pub const NOTHING: Self = Self { user: 0, system: 0 };
}

impl Add for Sampled {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
        }
    }
}

/// Divides `total` in the proportion of the samples; without samples all of it is user time. The two parts together are
/// the whole.
pub fn split(total: u64, sampled: Sampled) -> (u64, u64) {
    let Sampled { user, system } = sampled;
    let sum = u128::from(user) + u128::from(system);
    if system == 0 {
        return (total, 0);
    }
    let system = (u128::from(total) * u128::from(system) / sum) as u64;
    (total - system, system)
}
