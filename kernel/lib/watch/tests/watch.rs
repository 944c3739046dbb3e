//! A watcher tells what stood still for long enough, once, and nothing else.

use proptest::prelude::*;
use watch::Watch;

const LIMIT: u64 = 100;

#[test]
fn what_stands_still_is_told_once_when_the_time_is_over() {
    let mut watch = Watch::new();
    let told: Vec<_> = (0..40)
        .map(|look| watch.look(look * 10, true, 7, LIMIT))
        .collect();
    assert_eq!(told[10], Some(100));
    assert_eq!(told.iter().flatten().count(), 1);
}

#[test]
fn progress_begins_a_new_time_and_can_be_told_again() {
    let mut watch = Watch::new();
    assert_eq!(watch.look(0, true, 1, LIMIT), None);
    assert_eq!(watch.look(99, true, 2, LIMIT), None);
    assert_eq!(watch.look(150, true, 2, LIMIT), None);
    assert_eq!(watch.look(199, true, 2, LIMIT), Some(100));
    assert_eq!(watch.look(250, true, 3, LIMIT), None);
    assert_eq!(watch.look(350, true, 3, LIMIT), Some(100));
}

#[test]
fn what_nobody_waits_for_is_never_told_however_long_it_takes() {
    let mut watch = Watch::new();
    assert_eq!(watch.look(0, false, 1, LIMIT), None);
    // A turn that lasted long before anybody waited counts from the first wish on.
    assert_eq!(watch.look(1_000_000, true, 1, LIMIT), None);
    assert_eq!(watch.look(1_000_050, false, 1, LIMIT), None);
    assert_eq!(watch.look(1_000_120, true, 1, LIMIT), None);
}

#[test]
fn no_limit_tells_nothing() {
    let mut watch = Watch::new();
    assert_eq!(watch.look(0, true, 1, 0), None);
    assert_eq!(watch.look(u64::MAX, true, 1, 0), None);
}

proptest! {
    /// Against the naive reading: the run of equal looks that ends here began `LIMIT` ago or more, and
    /// nothing was said within that run.
    #[test]
    fn agrees_with_the_whole_history(looks in prop::collection::vec((1u64..60, any::<bool>(), 0u64..3), 1..60)) {
        let (mut watch, mut now) = (Watch::new(), 0);
        let mut history: Vec<(u64, bool, u64)> = Vec::new();
        let mut said = Vec::new();
        for (step, waits, turn) in looks {
            now += step;
            history.push((now, waits, turn));
            let run = history.iter().rev().take_while(|(_, w, t)| *w && *t == turn).count();
            let first = history.len() - run;
            let since = history.get(first).map_or(now, |look| look.0);
            let quiet = said.iter().all(|at| *at < first);
            let want = (waits && now - since >= LIMIT && quiet).then_some(now - since);
            let got = watch.look(now, waits, turn, LIMIT);
            prop_assert_eq!(got, want);
            if got.is_some() {
                said.push(history.len() - 1);
            }
        }
    }
}
