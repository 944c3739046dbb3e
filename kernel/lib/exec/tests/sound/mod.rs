//! An independent check of what a plan promises.

use addr::{PAGE_SIZE, USER_END};
use exec::LoadPlan;
use pte::Prot;

/// Asserts everything a plan promises about a file of `file_len` bytes.
pub(crate) fn assert_sound(plan: &LoadPlan<'_>, file_len: u64) {
    let mut end = plan.span.start;
    for segment in &plan.segments {
        assert!(!segment.pages.is_empty());
        assert!(segment.pages.start >= end, "overlapping or descending");
        end = segment.pages.end;
        assert!(segment.pages.end.number() * PAGE_SIZE <= USER_END);
        assert!(segment.file_pages <= segment.pages.len());
        let file_end = (segment.file_page + segment.file_pages) * PAGE_SIZE;
        assert!(segment.file_pages == 0 || file_end < file_len + PAGE_SIZE);
        assert_eq!(
            segment.file_range().len() + segment.anon_range().len(),
            segment.pages.len()
        );
        let tail = &segment.zero_tail;
        if !tail.is_empty() {
            assert!(segment.prot.contains(Prot::WRITE));
            assert_eq!(tail.end, segment.file_range().end.start().as_u64());
            assert!(tail.end - tail.start < PAGE_SIZE);
        }
    }
    assert_eq!(plan.span.end, end);
    assert_eq!(plan.brk_start, end.start().as_u64());
    assert!(plan.entry < USER_END);
    assert!(plan.align.is_power_of_two() && plan.align >= PAGE_SIZE);
}
