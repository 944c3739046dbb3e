//! Kernel threads: how they start, park and stop, and how they stay in somebody's address space.

mod stories;

use harness::Exit;
use stories::{ends, line_with, passes};

#[test]
fn kt_1_to_kt_3_no_thread_sleeps_through_a_start_a_stop_or_a_park() {
    line_with(
        &passes("test=kthreads"),
        &["test: ", "kthreads ok rounds=200"],
    );
}

#[test]
fn lz_25_a_store_in_a_used_mm_arrives_and_the_same_store_is_refused_afterwards() {
    let outcome = passes("test=use_mm");
    line_with(&outcome, &["test: ", "use_mm ok refused=3"]);
    assert_eq!(outcome.counter("user_copies_refused"), 3);
    assert!(outcome.counter("kthread_use_mm") > 50);
}

#[test]
fn lz_23_a_thread_that_uses_an_mm_is_not_let_into_another() {
    let outcome = ends("test=use_mm_twice", Exit::Panic);
    line_with(&outcome, &["panic: ", "uses one mm at a time"]);
}

#[test]
fn kt_4_a_thread_that_ends_while_it_uses_an_mm_is_reported() {
    let outcome = ends("test=use_mm_kept", Exit::Panic);
    line_with(
        &outcome,
        &["panic: ", "leaves the mm that it uses before it ends"],
    );
}

#[test]
fn deferred_work_is_done_once_for_each_request_and_not_after_a_cancel() {
    let outcome = passes("test=work");
    line_with(&outcome, &["test: ", "work ok"]);
    assert!(outcome.counter("work_runs") > 20);
}

/// One store inside and one outside for each letter: the first as the program's own, the second never.
#[test]
fn lz_25_the_postman_stores_a_word_and_is_refused_when_he_has_left() {
    let outcome = passes("postman init=/bin/probe -- postman");
    let held = outcome.program_output();
    let held = held.iter().filter(|line| line.starts_with("ok postman "));
    assert_eq!(held.count(), 4);
    let [delivered, returned, lost] =
        ["letters_delivered", "letters_returned", "letters_lost"].map(|name| outcome.counter(name));
    assert!(delivered >= 3 && returned >= 5, "{delivered}, {returned}");
    assert_eq!(delivered + returned + lost, 8 + 30);
    assert_eq!(outcome.counter("kthread_use_mm"), delivered + returned);
    assert_eq!(outcome.counter("user_copies_refused"), delivered + returned);
}
