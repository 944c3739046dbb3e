//! Address spaces as programs shape them: mmap, munmap, mprotect, brk, and random requests against a model.

mod stories;

use stories::{ends, passes, topic, word_after};

#[test]
fn vm_4_mappings_land_where_linux_puts_them() {
    topic("maps", 22);
}

#[test]
fn vm_10_changes_cut_and_join_mappings() {
    let outcome = topic("changes", 14);
    assert!(
        outcome.counter("segv_sent") >= 20,
        "what was unmapped or protected did kill"
    );
}

#[test]
fn vm_11_mremap_moves_grows_and_doubles() {
    topic("remap", 15);
}

#[test]
fn vm_12_advice_is_followed() {
    topic("advice", 16);
}

#[test]
fn vm_13_locked_memory_is_present() {
    topic("locks", 11);
}

#[test]
fn hf_6_presence_is_the_objects() {
    topic("residency", 8);
}

#[test]
fn vm_13_limits_hold_for_every_way_to_get_memory() {
    topic("limits", 11);
}

#[test]
fn vm_17_the_map_has_linuxs_shape() {
    topic("shapes", 9);
}

#[test]
fn vm_9_the_break_grows_shrinks_and_stands_still() {
    topic("brk", 9);
}

#[test]
fn vm_4_programs_find_their_parts_elsewhere_at_every_start() {
    topic("places", 7);
    passes("init=/bin/probe -- compare").line_containing(
        "places: stack changes true, mappings change true, heap changes true, code changes true",
    );
}

#[test]
fn vm_4_programs_find_their_parts_where_they_were_if_the_command_line_says_so() {
    passes("norandmaps init=/bin/probe -- compare").line_containing(
        "places: stack changes false, mappings change false, heap changes false, code changes false",
    );
    passes("norandmaps init=/bin/probe -- all").line_containing(" 0 failed");
}

#[test]
fn damage_to_page_tables_counts_and_frames_is_named() {
    let outcome = passes("test=fsck");
    let line = outcome.line_containing("test: fsck ok:");
    let kinds = word_after(line, "ok:").and_then(|word| word.parse::<u32>().ok());
    assert!(kinds >= Some(21), "{line}");
}

#[test]
fn a_panic_compares_the_address_spaces_that_nobody_holds() {
    let outcome = ends("test=panic", harness::Exit::Panic);
    outcome.line_containing("fsck: 0 findings; ");
}
