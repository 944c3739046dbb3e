//! Would the CPU let an access through this leaf?

use crate::{Access, Pte};

impl Pte {
    /// Says whether the leaf now allows `access`, made by user mode if `user`.
    ///
    /// A fault on an entry that allows the access was caused by a stale translation and is
    /// cured by dropping that. Upper levels are the caller's to check (PF-5), as are SMEP
    /// and SMAP; supervisor writes obey the write bit because CR0.WP is always on (PF-15).
    pub const fn permits(self, access: Access, user: bool) -> bool {
        let right = match access {
            Access::Read => true,
            Access::Write => self.is_writable(),
            Access::Fetch => self.executable(),
        };
        self.is_present() && (self.is_user() || !user) && right
    }
}
