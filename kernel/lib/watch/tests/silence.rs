//! Clocks that do not ring, as another CPU sees them.

use proptest::prelude::*;
use watch::{LOOKS, Silence};

const LIMIT: u64 = 80;
const STEP: u64 = LIMIT / 8;

fn looks(silence: &mut Silence, times: impl Iterator<Item = u64>, rings: u64) -> Vec<u64> {
    times
        .filter_map(|now| silence.look(now, rings, LIMIT))
        .collect()
}

#[test]
fn a_clock_that_does_not_ring_is_told_once() {
    let mut silence = Silence::new();
    let times = (0..40).map(|look| 100 + look * STEP);
    assert_eq!(looks(&mut silence, times, 95), [LIMIT + 5]);
    // It has rung since, and falls silent again.
    assert_eq!(silence.look(1000, 995, LIMIT), None);
    let times = (1..40).map(|look| 1000 + look * STEP);
    assert_eq!(looks(&mut silence, times, 995), [LIMIT + 5]);
}

#[test]
fn a_clock_that_is_to_ring_later_or_never_is_never_told() {
    let mut silence = Silence::new();
    let times = (0..40).map(|look| 100 + look * STEP);
    assert_eq!(looks(&mut silence, times, u64::MAX), []);
    let late_each_time = (0..40).filter_map(|look| {
        let now = 100 + look * STEP;
        silence.look(now, now - 1, LIMIT)
    });
    assert_eq!(late_each_time.count(), 0);
}

#[test]
fn a_machine_that_stood_still_is_no_silence() {
    let mut silence = Silence::new();
    assert_eq!(silence.look(100, 99, LIMIT), None);
    // Much time has gone, and many CPUs look at once, before the one they look at has a chance.
    let at_once = (0..10).map(|look| 100_000 + look);
    assert_eq!(looks(&mut silence, at_once, 99), []);
    assert_eq!(silence.look(100_020, 100_100, LIMIT), None);
}

#[test]
fn no_limit_tells_nothing() {
    let mut silence = Silence::new();
    for now in 2..100 {
        assert_eq!(silence.look(now, 1, 0), None);
    }
}

proptest! {
    /// Against the naive reading of the whole history.
    #[test]
    fn agrees_with_the_whole_history(steps in prop::collection::vec((1u64..50, 0u64..4), 1..80)) {
        let (mut silence, mut now) = (Silence::new(), 1000);
        // The looks of this stretch that saw the same deadline in the past, and whether it was told.
        let (mut stretch, mut told): (Vec<u64>, bool) = (Vec::new(), false);
        let mut rings = 0;
        for (step, change) in steps {
            now += step;
            let before = rings;
            rings = match change {
                0 => now + 5,
                1 => now - 1,
                _ => rings,
            };
            if rings >= now {
                stretch.clear();
            } else if rings != before || stretch.is_empty() {
                stretch = vec![now];
                told = false;
            } else {
                stretch.push(now);
            }
            let mut counted = 0;
            let mut last = None;
            for look in &stretch {
                if last.is_none_or(|last| look - last >= STEP) {
                    (counted, last) = (counted + 1, Some(*look));
                }
            }
            let long = stretch.first().is_some_and(|first| now - first >= LIMIT);
            let want = (long && counted >= LOOKS && !told).then(|| now - rings);
            told |= want.is_some();
            prop_assert_eq!(silence.look(now, rings, LIMIT), want);
        }
    }
}
