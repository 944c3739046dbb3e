//! Load averages: how many tasks run or want to, over the last 1, 5 and 15 minutes.
//!
//! Every five seconds what there is counts for a little, and what there was for a little less: after one,
//! five and fifteen minutes 1/e of it are left.

/// Nanoseconds between two looks.
const PERIOD: u64 = 5_000_000_000;
/// 1, in numbers with 11 bits behind the point.
const ONE: u64 = 1 << 11;
/// What is left of a load after one period: e^(-5/60), e^(-5/300), e^(-5/900).
const LEFT: [u64; 3] = [1884, 2014, 2037];
/// Periods after which nothing but the present load is left.
const FORGOTTEN: u64 = 1 << 12;

/// The averages.
#[derive(Clone, Debug)]
pub struct Averages {
    loads: [u64; 3],
    due: u64,
}

impl Default for Averages {
    fn default() -> Self {
        Self::new()
    }
}

impl Averages {
    /// Those of a machine that has done nothing yet.
    pub const fn new() -> Self {
        Self {
            loads: [0; 3],
            due: PERIOD,
        }
    }

    /// Takes `active` for the number of tasks since the last look, if it is time for one; returns when the next is due.
    ///
    /// A machine that sleeps is looked at late: the periods that were missed count as well.
    pub fn update(&mut self, now: u64, active: u64) -> u64 {
        if now >= self.due {
            let missed = (now - self.due) / PERIOD;
            for _ in 0..=missed.min(FORGOTTEN) {
                self.step(active * ONE);
            }
            self.due += (missed + 1) * PERIOD;
        }
        self.due
    }

    fn step(&mut self, active: u64) {
        for (load, left) in self.loads.iter_mut().zip(LEFT) {
            // Rounded up on the way up, so that the load of one task becomes 1.
            let up = if active >= *load { ONE - 1 } else { 0 };
            *load = (*load * left + active * (ONE - left) + up) / ONE;
        }
    }

    /// Returns them in 1/65536, as `sysinfo` does.
    pub fn scaled(&self) -> [u64; 3] {
        self.loads.map(|load| load << 5)
    }
}
