//! The timer of `alarm` and `setitimer`.

use sigstate::{AlarmSetting, AlarmTimer};

const SECOND: u64 = 1_000_000_000;

fn setting(value: u64, interval: u64) -> AlarmSetting {
    AlarmSetting { value, interval }
}

#[test]
fn it_tells_what_is_left_and_rings_once() {
    let mut timer = AlarmTimer::default();
    assert_eq!(timer.set(100, setting(5000, 0)), setting(0, 0));
    assert_eq!(timer.setting(1100), setting(4000, 0));
    assert_eq!(
        timer.setting(5099),
        setting(1000, 0),
        "never less than 1 µs"
    );
    assert_eq!(timer.setting(9999), setting(1000, 0), "late, but not rung");
    assert!(!timer.ring(5099));
    assert!(timer.ring(5100));
    assert!(!timer.ring(5100), "once");
    timer.taken(6000);
    assert_eq!(
        (timer.setting(6000), timer.rings_at()),
        (setting(0, 0), None)
    );
}

#[test]
fn it_rings_again_when_the_signal_was_taken() {
    let mut timer = AlarmTimer::default();
    let _ = timer.set(0, setting(10, 7));
    assert!(timer.ring(10));
    assert_eq!(timer.setting(12), setting(0, 7), "off until then");
    for (now, next) in [(10, 17), (17, 24), (23, 24), (24, 31), (1000, 1004)] {
        let mut timer = timer;
        timer.taken(now);
        assert_eq!(timer.rings_at(), Some(next), "taken at {now}");
        assert!((next - 10).is_multiple_of(7) && next > now);
    }
}

#[test]
fn setting_it_anew_forgets_the_last_time() {
    let mut timer = AlarmTimer::default();
    let _ = timer.set(0, setting(10, 7));
    assert_eq!(timer.set(4, setting(20_000, 0)), setting(1000, 7));
    assert!(!timer.ring(10), "the ring of the old setting");
    assert_eq!(timer.set(24, setting(0, 9)), setting(19_980, 0));
    assert_eq!(timer, AlarmTimer::default(), "an interval alone is nothing");
}

#[test]
fn no_time_is_too_far_away() {
    let mut timer = AlarmTimer::default();
    let _ = timer.set(u64::MAX - 1, setting(u64::MAX, u64::MAX));
    assert_eq!(timer.rings_at(), Some(u64::MAX));
    assert!(timer.ring(u64::MAX));
    timer.taken(u64::MAX);
    assert_eq!(timer.rings_at(), Some(u64::MAX));
}

#[test]
fn alarm_rounds_but_not_to_nothing() {
    for (ns, seconds) in [
        (0, 0),
        (1, 1),
        (SECOND / 2 - 1, 1),
        (SECOND, 1),
        (SECOND + SECOND / 2 - 1, 1),
        (SECOND + SECOND / 2, 2),
        (u64::MAX, 18_446_744_074),
    ] {
        assert_eq!(setting(ns, 0).seconds(), seconds, "{ns}");
    }
}
