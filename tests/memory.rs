//! Address spaces as programs shape them: mmap, munmap, mprotect, brk, and random requests against a model.

mod stories;

use harness::Vm;
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
    topic("advice", 17);
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
    topic("limits", 12);
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
fn each_page_is_accounted_for_as_on_linux() {
    topic("accounts", 8);
    topic("sizes", 8);
    topic("pagemap", 2);
}

/// Each allocation of fork, exec, mmap, mremap, mprotect, brk and of faults fails once: nothing is lost, and whoever asked is
/// told or served all the same.
#[test]
fn failed_allocations_are_survived_one_by_one() {
    let outcome = Vm::new().memory("256M").init("probe", &["starve"]).boot();
    outcome.expect_pass();
    outcome.line_containing("starve: 0 of 15 operations failed");
    let injected = outcome.counter("alloc_failures_injected");
    assert!(injected >= 100, "only {injected} allocations failed");
    assert_eq!(outcome.counter("oom_kills"), 0, "nobody had to end");
}

/// Before anybody has to end, memory that was given up is taken.
#[test]
fn memory_that_was_given_up_goes_first() {
    let outcome = Vm::new().memory("64M").init("probe", &["drops"]).boot();
    outcome.expect_pass();
    outcome.line_containing(
        "drops: the hog ended, needed pages stay, given up ones go, droppable ones go: [true, true, true, true]",
    );
}

#[test]
fn vm_14_promises_are_limited_as_the_setting_says() {
    passes("init=/bin/probe -- promises").line_containing("promises: 10 kept, wrong: []");
}

/// HF-19: six programs that want everything end one by one, inside system calls too; the machine does not.
#[test]
fn hogs_end_and_the_others_go_on_in_32_mib() {
    hogs(Vm::new().memory("32M"));
}

/// While one takes all memory the next one is forked: that waits for whoever ends instead of being refused.
#[test]
fn hogs_end_on_four_processors_and_no_fork_is_refused() {
    hogs(Vm::new().smp(4).memory("36M").timeout(200));
}

#[track_caller]
fn hogs(vm: Vm) {
    let outcome = vm.init("probe", &["hogs"]).boot();
    outcome.expect_pass();
    outcome.line_containing(
        "hogs: all were killed: true, who must stay stayed: true, the machine works: true, memory is back: true",
    );
    outcome.line_containing("invoked oom-killer: pid=");
    outcome.line_containing("oom_score_adj name");
    assert_eq!(outcome.counter("oom_kills"), 6);
}

/// HF-19: a system call that finds no frame, for a file's page or for its own tables, has clean pages dropped.
#[test]
fn hf_19_calls_have_clean_pages_dropped_where_there_is_no_other_memory() {
    let outcome = Vm::new().memory("32M").init("probe", &["rereads"]).boot();
    outcome.expect_pass();
    outcome
        .line_containing("rereads: refused: 0, written: true, reclaimed: true, read again: true");
    assert_eq!(outcome.counter("oom_kills"), 0);
}

/// PF-3: reserved bits in an entry end the program that walks into it, and nothing else.
#[test]
fn pf_3_a_damaged_entry_costs_the_program_and_not_the_machine() {
    let outcome = passes("damage init=/bin/probe -- damaged");
    outcome.line_containing("oops: a page table entry has reserved bits set");
    outcome.line_containing("oops: the entry: Repaired; the program ends");
    outcome.line_containing("damaged: read Ok(SIGKILL), write Ok(SIGKILL), copy Ok(SIGKILL)");
}

#[test]
fn damage_to_page_tables_counts_and_frames_is_named() {
    let outcome = passes("test=fsck");
    let line = outcome.line_containing("test: fsck ok:");
    let kinds = word_after(line, "ok:").and_then(|word| word.parse::<u32>().ok());
    assert!(kinds >= Some(27), "{line}");
}

#[test]
fn a_panic_compares_the_address_spaces_that_nobody_holds() {
    let outcome = ends("test=panic", harness::Exit::Panic);
    outcome.line_containing("fsck: 0 findings; ");
}

/// Large pages are there where they are on, and never where the command line turns them off.
#[test]
fn large_pages_can_be_turned_off() {
    let mapped = |mode| {
        let vm = Vm::new().memory("512M").cmdline(mode);
        let outcome = vm.init("probe", &["large"]).boot();
        outcome.expect_pass();
        outcome.counter("large_mapped")
    };
    assert!(
        mapped("thp=always") > 0,
        "programs with much memory get some"
    );
    assert_eq!(mapped("thp=never"), 0);
}
