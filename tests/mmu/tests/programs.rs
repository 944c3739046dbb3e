//! Random programs on the kernel's memory management, and proof that they would notice.

use std::process::{Command, Output};

/// Runs `mmu` with these words.
fn mmu(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mmu"));
    command.args(words).output().expect("mmu starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Demands that no difference was found, and returns what the programs made the kernel do.
fn agrees(words: &[&str]) -> impl Fn(&str) -> i64 + use<> {
    let output = mmu(words);
    let text = text(&output);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    move |counter| {
        let mut values = text.lines().filter_map(|line| line.split_once(' '));
        let found = values.find(|(name, _)| *name == counter);
        found.map_or(0, |(_, value)| value.parse().expect("a number"))
    }
}

/// Demands that a difference was found, and returns what was said about it.
fn differs(words: &[&str]) -> String {
    let output = mmu(words);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{words:?}: {}",
        text(&output)
    );
    text(&output)
}

/// Demands that the programs did each of these things so many times at least.
fn did_all(count: impl Fn(&str) -> i64, least: &[(&str, i64)]) {
    for &(counter, least) in least {
        assert!(
            count(counter) >= least,
            "{counter} is {}, not {least}",
            count(counter)
        );
    }
}

#[test]
fn a_thousand_programs_see_what_the_model_says() {
    let first = std::thread::spawn(|| agrees(&["--programs", "500"]));
    let second = agrees(&["--seed", "500", "--programs", "500"]);
    let first = first.join().expect("the other half ran");
    let count = |counter: &str| first(counter) + second(counter);
    did_all(
        count,
        &[
            ("mm_created", 5000),
            ("fault_demand_zero", 10_000),
            ("fault_zero_page", 10_000),
            ("fault_zero_upgrade", 1000),
            ("fault_file", 5000),
            ("fault_around", 500),
            ("fault_file_cow", 500),
            ("fault_shared_write", 200),
            ("cow_copied", 500),
            ("cow_reused", 100),
            ("fault_stack_growth", 1000),
            ("fault_spurious", 500),
            ("reclaimed", 200),
            ("tlb_page_flushes", 10_000),
            ("tlb_full_flushes", 100),
            ("cr3_skipped_lazy", 1000),
            ("cr3_catch_up", 5),
        ],
    );
}

#[test]
fn programs_agree_while_memory_runs_out_and_comes_back() {
    let count = agrees(&["--seed", "10000", "--programs", "300", "--hogs"]);
    did_all(count, &[("mm_created", 1000), ("cow_copied", 100)]);
}

#[test]
fn programs_agree_when_kernel_threads_do_not_borrow() {
    let count = agrees(&["--seed", "20000", "--programs", "100", "--eager"]);
    assert_eq!(count("lazy_enter"), 0);
    did_all(count, &[("cr3_writes", 1000)]);
}

#[test]
fn programs_agree_on_two_processors_that_share_no_address_space() {
    let count = agrees(&["--seed", "30000", "--programs", "100", "--cpus", "2"]);
    did_all(count, &[("mm_created", 300)]);
}

/// Processes with a thread on each of three processors: whatever one does, all must see.
#[test]
fn programs_agree_when_their_threads_run_on_three_processors() {
    let threads = ["--cpus", "3", "--share"];
    let count = agrees(&[&threads[..], &["--seed", "50000", "--programs", "150"]].concat());
    did_all(
        &count,
        &[
            ("ipi_sent", 1_500),
            ("ipi_skipped_lazy", 20),
            ("cr3_catch_up", 5),
            ("cow_copied", 100),
        ],
    );
    assert_eq!(count("flush_wrong_cpu"), 0, "nothing happens in between");
    let hogs = ["--seed", "51000", "--programs", "50", "--hogs"];
    did_all(
        agrees(&[&threads[..], &hogs].concat()),
        &[("ipi_sent", 300)],
    );
}

/// The same where borrowers hold nothing (LZ-30).
#[test]
fn programs_agree_when_borrowers_are_thrown_out() {
    let words = ["--cpus", "3", "--share", "--shoot", "--seed", "52000"];
    let count = agrees(&[&words[..], &["--programs", "100"]].concat());
    assert_eq!(count("lazy_grab"), 0);
    did_all(
        &count,
        &[("lazy_enter", 500), ("ipi_sent", 1_000), ("mm_shot", 10)],
    );
}

/// Loses the messages to other processors during one kind of operation and demands that it is noticed.
fn lost_message_is_noticed(during: &str) {
    let words = [
        "--cpus", "2", "--share", "--defect", "mute", "--during", during,
    ];
    differs(&[&words[..], &["--programs", "4000", "--no-shrink"]].concat());
}

/// LZ-12: who is passed by must look for himself.
#[test]
fn coming_back_from_a_borrow_without_looking_is_noticed() {
    let words = ["--cpus", "2", "--share", "--forgetful"];
    differs(&[&words[..], &["--programs", "4000", "--no-shrink"]].concat());
    differs(
        &[
            &words[..],
            &["--programs", "4000", "--no-shrink", "--by-use"],
        ]
        .concat(),
    );
}

#[test]
fn programs_agree_on_processors_with_pcids() {
    let words = ["--cpus", "3", "--share", "--programs", "60", "--pcids"];
    let kept = [("cr3_kept", 3000), ("pcids_recycled", 800)];
    did_all(agrees(&words), &kept);
    let invpcid = [&words[..], &["--invpcid"]].concat();
    let count = agrees(&invpcid);
    did_all(&count, &kept);
    did_all(&count, &[("invpcids", 100)]);
    for lazy in ["--shoot", "--eager"] {
        let words = [&invpcid[..], &["--seed", "60", lazy]].concat();
        did_all(agrees(&words), &kept);
    }
}

/// TLB-6: what a PCID holds is true only if nothing was flushed since it was left.
#[test]
fn coming_back_to_a_pcid_without_looking_is_noticed() {
    for words in [
        &["--forgetful-pcids"][..],
        &["--forgetful-pcids", "--by-use"],
        &["--defect", "deaf", "--during", "switch"],
    ] {
        let pcids = ["--cpus", "2", "--share", "--pcids", "--no-shrink"];
        differs(&[&pcids[..], &["--programs", "400"], words].concat());
    }
}

/// What INVPCID says must be done.
#[test]
fn a_deaf_invpcid_is_noticed() {
    let pcids = ["--cpus", "2", "--share", "--pcids", "--invpcid"];
    for during in ["unmap", "protect", "fork", "discard", "reap"] {
        let words = ["--no-shrink", "--defect", "deaf", "--during", during];
        differs(&[&pcids[..], &["--programs", "2000"], &words].concat());
    }
}

#[test]
fn messages_to_other_processors_that_get_lost_are_noticed() {
    for during in ["unmap", "protect", "fork", "fault", "discard", "remap"] {
        lost_message_is_noticed(during);
    }
    for during in ["guard", "free", "reap", "exit"] {
        lost_message_is_noticed(during);
    }
}

#[test]
fn programs_agree_on_large_pages() {
    let frames = ["--large", "--frames", "16384"];
    let plenty = ["--seed", "40000", "--programs", "25"];
    let count = agrees(&[&frames[..], &plenty].concat());
    did_all(
        count,
        &[
            ("large_mapped", 100),
            ("large_split", 50),
            ("cow_copied", 500),
        ],
    );
    let scarce = ["--seed", "41000", "--programs", "15", "--hogs"];
    let count = agrees(&[&frames[..], &scarce].concat());
    did_all(count, &[("large_mapped", 40), ("large_split", 20)]);
}

/// One processor splits what others remember: of data, in both sizes for a while; of what may be fetched, never.
#[test]
fn threads_on_several_processors_agree_on_large_pages() {
    let words = ["--large", "--frames", "16384", "--cpus", "3", "--share"];
    let count = agrees(&[&words[..], &["--seed", "42000", "--programs", "25"]].concat());
    did_all(count, &[("large_mapped", 100), ("large_split", 50)]);
}

#[test]
fn a_missing_flush_of_a_large_page_is_noticed() {
    for during in ["unmap", "protect", "fork", "fault", "remap"] {
        let words = ["--large", "--frames", "16384", "--no-shrink"];
        differs(&[&words[..], &["--defect", "deaf", "--during", during]].concat());
    }
}

/// Leaves out the flushes of one kind of operation and demands that it is noticed.
fn missing_flush_is_noticed(during: &str) {
    let words = ["--defect", "deaf", "--during", during, "--programs", "4000"];
    differs(&[&words[..], &["--no-shrink"]].concat());
}

/// The same without a look into the TLBs: what programs do shows it.
fn missing_flush_shows(during: &str) {
    let words = ["--defect", "deaf", "--during", during, "--programs", "4000"];
    differs(&[&words[..], &["--no-shrink", "--by-use"]].concat());
}

#[test]
fn a_missing_flush_after_unmapping_is_noticed() {
    missing_flush_is_noticed("unmap");
    missing_flush_shows("unmap");
}

#[test]
fn a_missing_flush_after_mprotect_is_noticed() {
    missing_flush_is_noticed("protect");
    missing_flush_shows("protect");
}

#[test]
fn a_missing_flush_after_the_write_protection_of_fork_is_noticed() {
    missing_flush_is_noticed("fork");
    missing_flush_shows("fork");
}

#[test]
fn a_missing_flush_in_a_fault_is_noticed() {
    missing_flush_is_noticed("fault");
    missing_flush_shows("fault");
}

#[test]
fn a_missing_flush_after_discarding_is_noticed() {
    missing_flush_is_noticed("discard");
    missing_flush_shows("discard");
}

#[test]
fn a_missing_flush_after_moving_is_noticed() {
    missing_flush_is_noticed("remap");
    missing_flush_shows("remap");
}

#[test]
fn a_missing_flush_under_a_guard_is_noticed() {
    missing_flush_is_noticed("guard");
}

#[test]
fn a_dirty_bit_that_lazily_freed_memory_would_not_get_is_noticed() {
    missing_flush_is_noticed("free");
}

#[test]
fn a_missing_flush_after_a_file_became_shorter_is_noticed() {
    missing_flush_is_noticed("truncate");
    missing_flush_shows("truncate");
}

#[test]
fn a_missing_flush_when_memory_is_wanted_back_is_noticed() {
    missing_flush_is_noticed("reclaim");
    missing_flush_is_noticed("reap");
    missing_flush_shows("reap");
}

#[test]
fn a_missing_flush_at_the_end_of_an_address_space_is_noticed() {
    missing_flush_is_noticed("exit");
    missing_flush_shows("exit");
}

#[test]
fn translations_that_survive_a_switch_are_noticed() {
    missing_flush_is_noticed("switch");
    missing_flush_shows("switch");
}

#[test]
fn freeing_before_the_flush_is_noticed() {
    for during in [
        "unmap", "discard", "exit", "remap", "guard", "truncate", "reclaim", "reap",
    ] {
        // Files are cut seldom enough that it takes more programs than usual.
        let words = [
            "--defect",
            "late",
            "--during",
            during,
            "--no-shrink",
            "--programs",
            "600",
        ];
        let found = differs(&words);
        assert!(
            found.contains("before the flush") || found.contains("no page table"),
            "{found}"
        );
    }
}

#[test]
fn what_fails_is_told_with_few_steps_that_fail_again() {
    let found = differs(&["--defect", "deaf", "--during", "fork"]);
    let repeat = found
        .lines()
        .find_map(|line| line.strip_prefix("repeat: mmu "));
    let words: Vec<&str> = repeat.expect("it can be repeated").split(' ').collect();
    let steps = words
        .last()
        .expect("the steps come last")
        .split(',')
        .count();
    assert!(steps <= 8, "{steps} steps are left: {found}");
    let again = differs(&words);
    assert_eq!(
        found.lines().skip(2).count(),
        again.lines().skip(1).count(),
        "{again}"
    );
}
