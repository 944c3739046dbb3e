//! Timers ring when they should, and what nobody heard is counted.

use clocks::timer::{MOST_OVERRUNS, Setting, Timer};

fn set(at: u64, interval: u64) -> Timer {
    let mut timer = Timer::default();
    timer.set(Some(at), interval);
    timer
}

#[test]
fn once_is_once() {
    let mut timer = set(100, 0);
    assert_eq!(timer.setting(40, false).value, 60);
    assert!(!timer.ring(99));
    assert!(timer.ring(100));
    assert!(!timer.ring(200));
    assert_eq!(timer.heard(200), 0);
    assert_eq!(timer.rings_at(), None);
    assert_eq!(timer.setting(200, false), Setting::default());
}

#[test]
fn rings_that_nobody_heard_are_counted() {
    let mut timer = set(100, 10);
    assert!(timer.ring(100));
    assert_eq!(timer.rings_at(), None, "it waits to be heard");
    assert_eq!(timer.setting(104, false).value, 6);
    assert_eq!(timer.heard(155), 5);
    assert_eq!(timer.rings_at(), Some(160));
    assert_eq!(timer.overruns(), 5);
    assert!(timer.ring(160));
    assert_eq!(timer.heard(160), 0);
    assert_eq!(timer.rings_at(), Some(170));
}

#[test]
fn counts_end_somewhere() {
    let mut timer = set(1, 1);
    assert!(timer.ring(1));
    assert_eq!(timer.heard(u64::MAX / 2), MOST_OVERRUNS);
}

#[test]
fn agrees_with_a_clock_that_is_watched_every_tick() {
    for interval in 1..7 {
        for delay in 0..30 {
            let mut timer = set(5, interval);
            assert!(timer.ring(5));
            let heard = 5 + delay;
            // A ring at the very time of hearing has been missed as well.
            let missed = (6..=heard).filter(|now| (now - 5) % interval == 0).count();
            assert_eq!(timer.heard(heard), missed as u64);
            let next = (heard + 1..).find(|now| (now - 5) % interval == 0);
            assert_eq!(timer.rings_at(), next);
        }
    }
}

#[test]
fn a_silent_timer_is_told_by_the_clock_alone() {
    let timer = set(100, 10);
    assert_eq!(timer.setting(105, true).value, 5);
    let once = set(100, 0);
    assert_eq!(once.setting(105, true).value, 0);
    assert_eq!(once.setting(105, false).value, 1);
}
