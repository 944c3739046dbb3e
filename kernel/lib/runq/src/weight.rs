//! What a nice level is worth: each is a quarter more than the next.

/// The weight of nice level 0.
pub const NICE_0: u32 = 1024;
/// The weight of a task that runs when nobody else wants to (`SCHED_IDLE`).
pub const IDLE: u32 = 3;
/// The lowest nice level: the largest weight.
pub const MIN_NICE: i8 = -20;
/// The highest nice level: the smallest weight.
pub const MAX_NICE: i8 = 19;

const LEVELS: usize = 40;

/// `1024 · (5/4)^-nice`, rounded.
const WEIGHTS: [u32; LEVELS] = {
    let mut weights = [0; LEVELS];
    let mut level = 0;
    while level < LEVELS {
        let nice = level as i32 + MIN_NICE as i32;
        let power = nice.unsigned_abs();
        let (over, under) = (5_u64.pow(power), 4_u64.pow(power));
        let (over, under) = if nice < 0 {
            (over, under)
        } else {
            (under, over)
        };
        weights[level] = ((NICE_0 as u64 * over + under / 2) / under) as u32;
        level += 1;
    }
    weights
};

/// The largest weight of all.
pub const HEAVIEST: u32 = WEIGHTS[0];

/// Returns the weight of a nice level; one out of range counts as the nearest.
pub fn of_nice(nice: i8) -> u32 {
    let nice = nice.clamp(MIN_NICE, MAX_NICE);
    WEIGHTS[(nice - MIN_NICE) as usize]
}

/// Returns by how much `ns` of running raise the virtual run time of a task of `weight`.
///
/// Exact for up to 200 days at a time.
#[inline]
pub fn virtual_ns(ns: u64, weight: u32) -> u64 {
    if weight == NICE_0 {
        ns
    } else {
        ns.saturating_mul(u64::from(NICE_0)) / u64::from(weight.max(1))
    }
}
