//! What the model cannot know and is told: which pages came in unasked, and which went as they may.

use addr::PageRange;

use crate::check::each_small;
use crate::world::Process;

/// Lets the model know which private pages of `range` were brought in, and where guards were put: for
/// operations that may do so, or do so as far as there is memory.
pub fn settle(process: &mut Process, range: PageRange) {
    let Process { mm, space, .. } = process;
    each_small(mm, |page, entry| {
        let Some(promised) = space.pages.get_mut(&page.number()) else {
            return;
        };
        if !range.contains(page) {
            return;
        }
        if entry.is_guard() {
            promised.guard = true;
            promised.own = None;
        } else if entry.is_anon() && promised.own.is_none() {
            promised.own = promised.contents();
        }
    });
}
