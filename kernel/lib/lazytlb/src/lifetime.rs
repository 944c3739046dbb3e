//! What keeps a borrowed mm alive: two ways, behind one trait (LZ-30, LZ-31).
//!
//! | | [`Counted`] | [`Shot`] |
//! |---|---|---|
//! | becoming a borrower | one more unit of `mm_count` | nothing |
//! | the borrow ends | one unit less, after CR3 is off the mm | nothing |
//! | `mm_count` reaches 0 | nobody borrows: free the PML4 | take every CPU in the mask off it, then free it |
//! | a dead process' PML4 | lives as long as its last borrower | goes with the process |

/// How long a borrowed mm lives.
pub trait Lifetime: Sync {
    /// Whether a borrower holds one unit of `mm_count`.
    ///
    /// If not, what a borrower stands on is whatever its CPU has loaded, and nothing more; and who frees a
    /// PML4 first makes the CPUs in the mm's mask load `init_mm`. For that the mask must contain every CPU
    /// that may have the mm loaded.
    fn counts(&self) -> bool;
}

/// Borrowers hold references, as on x86 Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted;

/// Borrowers hold nothing, and are thrown out at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot;

impl Lifetime for Counted {
    fn counts(&self) -> bool {
        true
    }
}

impl Lifetime for Shot {
    fn counts(&self) -> bool {
        false
    }
}
