//! Signals of a process with several threads: who takes which, who is told again, how they stop together.

use abi::siginfo::{SI_USER, SigInfo};
use abi::signal::{SIG_IGN, SigAction, SigAltStack};
use abi::{SigSet, Signal};
use sigstate::{Delivery, Effect, MaskChange, Next, SignalState, Target};

const HANDLER: u64 = 0x40_0000;

fn user(signal: Signal) -> SigInfo {
    SigInfo::from_process(signal, SI_USER, 1)
}

fn send(state: &mut SignalState, signal: Signal, to: Target) -> Effect {
    state.send(user(signal), signal, to).expect("there is room")
}

/// A process of three threads that handles USR1.
fn three() -> SignalState {
    let mut state = SignalState::new(false);
    let action = SigAction {
        handler: HANDLER,
        ..SigAction::default()
    };
    state.set_action(Signal::USR1, action);
    assert_eq!(state.add_thread(0), Ok(1));
    assert_eq!(state.add_thread(1), Ok(2));
    state
}

fn block(state: &mut SignalState, slot: usize, signal: Signal) {
    let set = SigSet::EMPTY.with(signal);
    state.of(slot).change_mask(MaskChange::Block, set);
}

#[test]
fn a_new_thread_has_its_maker_s_mask_and_nothing_that_waits() {
    let mut state = three();
    block(&mut state, 1, Signal::USR2);
    let to = Target::Thread(1);
    assert_eq!(send(&mut state, Signal::USR2, to), Effect::None);
    assert_eq!(state.add_thread(1), Ok(3));
    let new = state.of(3);
    assert_eq!(new.blocked(), SigSet::EMPTY.with(Signal::USR2));
    assert!(new.pending().is_empty());
    assert_eq!(*new.stack(), SigAltStack::DISABLED);
}

/// For every set of threads that block it: the first that does not is told, the main one first of all.
#[test]
fn a_signal_to_the_process_goes_to_a_thread_that_does_not_block_it() {
    for blockers in 0..8_usize {
        let mut state = three();
        let blocks = |slot: &usize| blockers >> slot & 1 == 1;
        for slot in (0..3).filter(blocks) {
            block(&mut state, slot, Signal::USR1);
        }
        let want = (0..3).find(|slot| !blocks(slot));
        let want = want.map_or(Effect::None, Effect::Notify);
        assert_eq!(send(&mut state, Signal::USR1, Target::Process), want);
        for slot in 0..3 {
            assert_eq!(state.of(slot).has_work(), !blocks(&slot));
        }
    }
}

#[test]
fn of_several_that_could_one_without_work_is_told() {
    let mut state = three();
    let first = send(&mut state, Signal::USR1, Target::Thread(0));
    assert_eq!(first, Effect::Notify(0));
    let action = state.action(Signal::USR1);
    state.set_action(Signal::USR2, action);
    let second = send(&mut state, Signal::USR2, Target::Process);
    assert_eq!(second, Effect::Notify(1));
}

/// Whoever was named takes it unless it blocks it; then who took the last one in another's stead does, while it can.
#[test]
fn who_is_named_is_asked_first() {
    for named in 0..3 {
        let mut state = three();
        let to = Target::ProcessBy(named);
        assert_eq!(send(&mut state, Signal::USR1, to), Effect::Notify(named));
        assert!(state.of(named).take_next().is_some());
        block(&mut state, named, Signal::USR1);
        let other = (0..3).find(|slot| *slot != named).expect("there are more");
        assert_eq!(send(&mut state, Signal::USR1, to), Effect::Notify(other));
        assert!(state.of(other).take_next().is_some());
        block(&mut state, other, Signal::USR1);
        let third = 3 - named - other;
        for _ in 0..2 {
            assert_eq!(send(&mut state, Signal::USR1, to), Effect::Notify(third));
            assert!(state.of(third).take_next().is_some());
            // Its handler returns.
            state.of(third).change_mask(MaskChange::Set, SigSet::EMPTY);
        }
        assert_eq!(state.remove_thread(third), None);
        assert_eq!(send(&mut state, Signal::USR1, to), Effect::None);
        let again = MaskChange::Set;
        state.of(other).change_mask(again, SigSet::EMPTY);
        assert!(state.of(other).has_work());
    }
}

/// Only KILL and CONT reach who has stopped; the rest waits, deadly or not.
#[test]
fn a_deadly_signal_waits_until_a_stopped_process_goes_on() {
    for to in [Target::Process, Target::ProcessBy(1), Target::Thread(2)] {
        let mut state = three();
        let _ = send(&mut state, Signal::STOP, Target::Process);
        assert!(matches!(state.of(0).take_next(), Some(Next::Stop(_))));
        for slot in 0..3 {
            let _ = state.park(slot);
        }
        assert_eq!(send(&mut state, Signal::TERM, to), Effect::None);
        let _ = send(&mut state, Signal::CONT, Target::Process);
        assert_eq!(state.of(2).take_next(), Some(Next::Die(Signal::TERM)));
        assert_eq!(send(&mut state, Signal::KILL, to), Effect::Kill);
    }
}

#[test]
fn a_signal_to_a_thread_is_for_nobody_else() {
    let mut state = three();
    assert_eq!(
        send(&mut state, Signal::USR1, Target::Thread(2)),
        Effect::Notify(2)
    );
    assert_eq!(state.of(0).take_next(), None);
    assert!(matches!(
        state.of(2).take_next(),
        Some(Next::Handle(Delivery {
            signal: Signal::USR1,
            ..
        }))
    ));
    assert!(!state.of(2).has_work());
}

#[test]
fn one_thread_takes_it_and_the_others_find_nothing() {
    let mut state = three();
    assert_eq!(
        send(&mut state, Signal::USR1, Target::Process),
        Effect::Notify(0)
    );
    assert!(state.of(1).take_next().is_some(), "whoever comes first");
    assert_eq!(state.of(0).take_next(), None);
    assert_eq!(state.of(2).take_next(), None);
}

/// What nobody took is told to the others when the thread that should have taken it blocks it, or ends.
#[test]
fn what_a_thread_leaves_waiting_is_work_for_others() {
    for ends in [false, true] {
        let mut state = three();
        block(&mut state, 1, Signal::USR1);
        assert_eq!(
            send(&mut state, Signal::USR1, Target::Process),
            Effect::Notify(0)
        );
        if ends {
            assert_eq!(state.remove_thread(0), None);
        } else {
            block(&mut state, 0, Signal::USR1);
        }
        let others: Vec<usize> = state.others_with_work(0).collect();
        assert_eq!(others, [2]);
    }
}

#[test]
fn a_deadly_signal_ends_all_unless_everybody_blocks_it() {
    let mut state = three();
    for slot in 0..3 {
        assert_eq!(
            send(&mut state.clone(), Signal::TERM, Target::Process),
            Effect::Kill
        );
        block(&mut state, slot, Signal::TERM);
    }
    assert_eq!(
        send(&mut state, Signal::TERM, Target::Process),
        Effect::None
    );
    let state = &mut three();
    block(state, 1, Signal::TERM);
    assert_eq!(send(state, Signal::TERM, Target::Thread(1)), Effect::None);
    assert_eq!(send(state, Signal::TERM, Target::Thread(2)), Effect::Kill);
}

#[test]
fn ignoring_a_signal_forgets_it_for_every_thread() {
    let mut state = three();
    for slot in 0..3 {
        block(&mut state, slot, Signal::USR1);
        let to = Target::Thread(slot);
        assert_eq!(send(&mut state, Signal::USR1, to), Effect::None);
    }
    let ignored = SigAction {
        handler: SIG_IGN,
        ..SigAction::default()
    };
    state.set_action(Signal::USR1, ignored);
    assert!((0..3).all(|slot| state.of(slot).pending().is_empty()));
}

#[test]
fn the_last_to_park_completes_a_stop_and_one_tells_of_its_end() {
    let mut state = three();
    let told = send(&mut state, Signal::STOP, Target::Process);
    assert_eq!(told, Effect::Notify(0));
    assert!(matches!(state.of(0).take_next(), Some(Next::Stop(_))));
    assert_eq!(state.park(0), None);
    let others: Vec<usize> = state.others_with_work(0).collect();
    assert_eq!(others, [1, 2]);
    for (slot, last) in [(1, None), (2, Some(Signal::STOP))] {
        assert_eq!(state.of(slot).take_next(), Some(Next::Park));
        assert_eq!(state.park(slot), last);
        assert!(!state.of(slot).has_work());
    }
    assert!(!state.take_resumed());
    assert_eq!(
        send(&mut state, Signal::CONT, Target::Process),
        Effect::None
    );
    assert!(!state.is_stopped());
    assert!(state.take_resumed());
    assert!(!state.take_resumed(), "only one tells");
}

/// Several CPUs: CONT has come, and the next STOP before a thread that CONT woke has got anywhere.
#[test]
fn who_parked_for_an_earlier_stop_parks_again_for_the_next() {
    let mut state = three();
    for _ in 0..2 {
        let _ = send(&mut state, Signal::STOP, Target::Process);
        assert!(matches!(state.of(0).take_next(), Some(Next::Stop(_))));
        assert!((0..3).all(|slot| !state.is_parked(slot)));
        assert_eq!((state.park(0), state.park(1)), (None, None));
        assert_eq!(state.park(2), Some(Signal::STOP));
        assert!((0..3).all(|slot| state.is_parked(slot)));
        let _ = send(&mut state, Signal::CONT, Target::Process);
        assert!(!state.is_parked(0));
    }
}

#[test]
fn a_thread_that_ends_can_complete_a_stop() {
    let mut state = three();
    let _ = send(&mut state, Signal::STOP, Target::Process);
    assert!(matches!(state.of(0).take_next(), Some(Next::Stop(_))));
    assert_eq!((state.park(0), state.park(1)), (None, None));
    assert_eq!(state.remove_thread(2), Some(Signal::STOP));
}

#[test]
fn nobody_tells_of_a_stop_that_was_taken_back_before_it_was_complete() {
    let mut state = three();
    let _ = send(&mut state, Signal::STOP, Target::Process);
    assert!(matches!(state.of(1).take_next(), Some(Next::Stop(_))));
    assert_eq!(state.park(1), None);
    let _ = send(&mut state, Signal::CONT, Target::Process);
    assert!(!state.take_resumed());
    assert_eq!(state.park(0), None, "it goes on already");
}

#[test]
fn slots_are_used_again() {
    let mut state = three();
    assert_eq!(state.remove_thread(1), None);
    assert_eq!(state.add_thread(0), Ok(1));
    assert_eq!(state.remove_thread(0), None);
    assert_eq!(
        send(&mut state, Signal::USR1, Target::Process),
        Effect::Notify(1)
    );
    state.set_main(2);
    assert_eq!(
        send(&mut state, Signal::USR1, Target::Process),
        Effect::Notify(2)
    );
}
