//! Threads: numbers, signals, stops and ends, in Rust, in C and without a library.

mod stories;

use stories::{holds, topic};

#[test]
fn threads_have_numbers_and_signals_find_them() {
    topic("threads", 10);
}

#[test]
fn processes_end_and_stop_with_all_their_threads() {
    topic("crews", 8);
    topic("takers", 6);
}

#[test]
fn futexes_wake_those_who_wait() {
    topic("futexes", 12);
}

#[test]
fn sixty_four_threads_of_a_c_library_work_together() {
    holds("pthreads", &[], 17);
}
