//! Address spaces as programs shape them: mmap, munmap, mprotect, brk, and random requests against a model.

mod stories;

use stories::topic;

#[test]
fn vm_4_mappings_land_where_linux_puts_them() {
    topic("maps", 19);
}

#[test]
fn vm_10_changes_cut_and_join_mappings() {
    let outcome = topic("changes", 12);
    assert!(
        outcome.counter("segv_sent") >= 20,
        "what was unmapped or protected did kill"
    );
}

#[test]
fn vm_9_the_break_grows_shrinks_and_stands_still() {
    topic("brk", 9);
}
