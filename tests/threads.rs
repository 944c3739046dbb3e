//! Threads: numbers, signals, stops and ends, in Rust, in C and without a library.

mod stories;

use stories::topic;

#[test]
fn threads_have_numbers_and_signals_find_them() {
    topic("threads", 10);
}

#[test]
fn processes_end_and_stop_with_all_their_threads() {
    topic("crews", 8);
}
