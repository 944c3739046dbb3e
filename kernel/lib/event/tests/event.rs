//! Against naive models: one number per write, one step per expiration, one flag per file.

use event::interest::may_add;
use event::{Counter, Interests, IntervalTimer, Presence};
use proptest::prelude::*;

const IN: u32 = 1;
const OUT: u32 = 4;
const ONESHOT: u32 = 1 << 30;
const EDGE: u32 = 1 << 31;
const EXCLUSIVE: u32 = 1 << 28;

#[test]
fn a_counter_never_reaches_its_greatest_number() {
    let mut counter = Counter::new(0, false);
    assert!(!counter.is_readable() && counter.is_writable());
    assert!(counter.add(u64::MAX - 1), "the most it holds");
    assert!(!counter.is_writable() && !counter.add(1) && counter.add(0));
    assert_eq!(counter.take(), Some(u64::MAX - 1));
    assert_eq!(counter.take(), None);
}

#[test]
fn a_semaphore_is_taken_one_by_one() {
    let mut counter = Counter::new(2, true);
    assert_eq!([(); 3].map(|()| counter.take()), [Some(1), Some(1), None]);
}

proptest! {
    /// A timer counted now and then has counted what one does that is stepped through every expiration.
    #[test]
    fn a_timer_counts_every_expiration(
        first in 0_u64..50,
        interval in 0_u64..7,
        asks in prop::collection::vec((0_u64..20, any::<bool>()), 1..20),
    ) {
        let mut timer = IntervalTimer::default();
        timer.set(Some(first), interval);
        let (mut now, mut next, mut waiting) = (0, Some(first), 0);
        for (step, takes) in asks {
            now += step;
            while let Some(at) = next.filter(|at| *at <= now) {
                waiting += 1;
                next = (interval > 0).then_some(at + interval);
            }
            let rest = next.map_or(0, |next| next - now);
            prop_assert_eq!(timer.setting(now), (rest, interval));
            if takes {
                prop_assert_eq!(timer.take(now), waiting);
                waiting = 0;
            } else {
                prop_assert_eq!(timer.count(now), waiting);
            }
            prop_assert_eq!(timer.next(), next);
        }
    }
}

#[test]
fn a_timer_at_the_end_of_time_counts_once() {
    let mut timer = IntervalTimer::default();
    timer.set(Some(u64::MAX - 1), 5);
    assert_eq!(timer.take(u64::MAX), 1);
    assert_eq!(timer.next(), None);
}

#[test]
fn what_may_be_asked_exclusively() {
    assert!(may_add(EXCLUSIVE | IN | OUT | EDGE, false));
    assert!(!may_add(EXCLUSIVE | IN | ONESHOT, false));
    assert!(!may_add(EXCLUSIVE | IN, true), "not of an epoll");
    assert!(
        !may_add(EXCLUSIVE | 0x2000, false),
        "not for half closed ends"
    );
    assert!(may_add(ONESHOT | 0x2000, true));
}

/// One watched file of the model.
#[derive(Clone, Default)]
struct Model {
    watched: bool,
    asked: u32,
    how: u32,
    queued: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize, u32, u32),
    Change(usize, u32, u32),
    Remove(usize),
    Notify(usize, u32),
    /// Look at the first candidates; the number says what each file is ready for.
    Wait(usize, [u32; 4]),
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0_usize..4;
    let events = prop::sample::select(vec![0, IN, OUT, IN | OUT]);
    let how = prop::sample::select(vec![0, 0, EDGE, ONESHOT, EDGE | ONESHOT]);
    let ready = prop::array::uniform4(prop::sample::select(vec![0, IN, OUT, IN | OUT, 0x10]));
    prop_oneof![
        (file.clone(), events.clone(), how.clone()).prop_map(|(f, e, h)| Step::Add(f, e, h)),
        (file.clone(), events.clone(), how).prop_map(|(f, e, h)| Step::Change(f, e, h)),
        file.clone().prop_map(Step::Remove),
        (file, events).prop_map(|(f, e)| Step::Notify(f, e)),
        (1_usize..6, ready).prop_map(|(n, r)| Step::Wait(n, r)),
    ]
}

proptest! {
    #[test]
    fn an_interest_list_tells_what_the_model_tells(steps in prop::collection::vec(step(), 1..60)) {
        let mut list = Interests::new();
        let mut model: [Model; 4] = Default::default();
        let mut ids = [0_u64; 4];
        let mut order: Vec<usize> = vec![];
        for step in steps {
            match step {
                Step::Add(file, events, how) => {
                    let mut id = 0;
                    let added = list.add(file, events | how, file as u64 * 10, |given| { id = given; file });
                    prop_assert_eq!(added.is_err(), model[file].watched);
                    if added.is_ok() {
                        ids[file] = id;
                        model[file] = Model { watched: true, asked: events | 0x18, how, queued: false };
                    }
                }
                Step::Change(file, events, how) => {
                    let changed = list.change(&file, events | how, file as u64 * 10);
                    prop_assert_eq!(changed.is_ok(), model[file].watched);
                    if changed.is_ok() {
                        model[file].asked = events | 0x18;
                        model[file].how = how;
                    }
                }
                Step::Remove(file) => {
                    let expected = if model[file].watched { Ok(file) } else { Err(Presence::Missing) };
                    prop_assert_eq!(list.remove(&file), expected);
                    model[file] = Model::default();
                    order.retain(|queued| *queued != file);
                }
                Step::Notify(file, what) => {
                    let counts = model[file].watched && model[file].asked & what != 0;
                    prop_assert_eq!(list.notify(ids[file], what), counts);
                    if counts && !model[file].queued {
                        model[file].queued = true;
                        order.push(file);
                    }
                }
                Step::Wait(max, ready) => {
                    for _ in 0..max.min(order.len()) {
                        let file = order.remove(0);
                        let (id, payload, asked) = list.take().expect("the model has one");
                        prop_assert_eq!((payload, asked), (file, model[file].asked));
                        model[file].queued = false;
                        let found = ready[file] & model[file].asked;
                        let told = list.looked(id, ready[file]);
                        prop_assert_eq!(told, (found != 0).then_some((found, file as u64 * 10)));
                        if found != 0 && model[file].how & ONESHOT != 0 {
                            model[file].asked = 0;
                        } else if found != 0 && model[file].how & EDGE == 0 {
                            model[file].queued = true;
                            order.push(file);
                        }
                    }
                }
            }
            prop_assert_eq!(list.candidates(), order.len());
        }
    }
}

#[test]
fn what_could_not_be_told_is_first_again() {
    let mut list = Interests::new();
    let mut ids = vec![];
    for (key, how) in [('a', ONESHOT), ('b', EDGE)] {
        list.add(key, IN | how, 0, |id| ids.push(id)).expect("new");
    }
    assert!(list.notify(ids[0], IN) && list.notify(ids[1], IN));
    let (id, (), asked) = list.take().expect("one");
    assert!(list.looked(id, IN).is_some());
    assert!(!list.notify(id, IN), "told once");
    list.untold(id, asked);
    assert_eq!(list.take().map(|(id, ..)| id), Some(ids[0]));
    assert!(list.looked(ids[0], IN).is_some(), "told now");
}
