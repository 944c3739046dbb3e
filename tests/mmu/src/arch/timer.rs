//! The clock, which stands still: nothing here takes time.

/// Returns the time in ns.
pub fn now_ns() -> u64 {
    0
}
