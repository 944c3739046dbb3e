//! What arrives, what is kept, what comes next.

use abi::linux::{SA_NODEFER, SA_RESETHAND, SA_UNSUPPORTED, SS_AUTODISARM};
use abi::siginfo::{SI_USER, SigInfo};
use abi::signal::{DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigAltStack};
use abi::{SigSet, Signal};
use sigstate::queue::LIMIT;
use sigstate::{Delivery, Effect, Full, MaskChange, Next, SignalState, Target};

const HANDLER: u64 = 0x40_0000;

fn every() -> impl Iterator<Item = Signal> {
    (1..=64).filter_map(Signal::new)
}

fn taken(handler: u64) -> SigAction {
    SigAction {
        handler,
        ..SigAction::default()
    }
}

fn with(handler: u64) -> SignalState {
    let mut state = SignalState::new(false);
    every().for_each(|signal| state.set_action(signal, taken(handler)));
    state
}

fn user(signal: Signal) -> SigInfo {
    SigInfo::from_process(signal, SI_USER, 1)
}

fn send(state: &mut SignalState, signal: Signal) -> Effect {
    state
        .send(user(signal), signal, Target::Process)
        .expect("there is room")
}

/// Lets every pending signal's handler start, and gives the order.
fn handled(state: &mut SignalState) -> Vec<u8> {
    let mut order = Vec::new();
    while let Some(Next::Handle(Delivery { signal, .. })) = state.of(0).take_next() {
        order.push(signal.number());
    }
    order
}

/// Takes the next signal, which has a handler.
fn next_handled(state: &mut SignalState) -> Delivery {
    match state.of(0).take_next() {
        Some(Next::Handle(delivery)) => delivery,
        other => panic!("it has a handler: {other:?}"),
    }
}

/// What a signal does that nobody blocks, for each disposition.
#[test]
fn each_signal_does_what_its_disposition_says() {
    for signal in every() {
        let default = signal.default_action();
        for handler in [SIG_DFL, SIG_IGN, HANDLER] {
            let effect = send(&mut with(handler), signal);
            let want = match (handler, default) {
                _ if signal == Signal::KILL => Effect::Kill,
                (SIG_IGN, _) => Effect::None,
                (HANDLER, _) | (_, DefaultAction::Stop) => Effect::Notify(0),
                (_, DefaultAction::Ignore | DefaultAction::Continue) => Effect::None,
                _ => Effect::Kill,
            };
            assert_eq!(effect, want, "{signal} {handler}");
        }
    }
}

#[test]
fn init_takes_only_what_it_has_handlers_for() {
    for signal in every() {
        let mut state = SignalState::new(true);
        assert_eq!(send(&mut state, signal), Effect::None);
        state.set_action(signal, taken(HANDLER));
        assert_eq!(send(&mut state, signal), Effect::Notify(0));
    }
}

#[test]
fn blocked_signals_wait_even_if_they_are_ignored() {
    for handler in [SIG_DFL, SIG_IGN, HANDLER] {
        let mut state = with(handler);
        state.of(0).change_mask(MaskChange::Set, SigSet::ALL);
        for signal in every().filter(|signal| !signal.is_unmaskable()) {
            assert_eq!(send(&mut state, signal), Effect::None);
            assert!(state.of(0).pending().contains(signal) && !state.of(0).has_work());
            // Stops and CONT take each other back.
            state.set_action(signal, taken(SIG_IGN));
            assert!(
                !state.of(0).pending().contains(signal),
                "ignoring forgets {signal}"
            );
        }
    }
}

#[test]
fn nothing_blocks_kill_and_stop() {
    let mut state = with(HANDLER);
    state.of(0).change_mask(MaskChange::Set, SigSet::ALL);
    assert_eq!(state.of(0).blocked(), SigSet::ALL.minus(SigSet::UNMASKABLE));
    let masks_all = SigAction {
        mask: SigSet::ALL,
        ..taken(HANDLER)
    };
    state.set_action(Signal::USR1, masks_all);
    assert!(!state.action(Signal::USR1).mask.contains(Signal::KILL));
}

/// PF-12, for every signal and disposition.
#[test]
fn forced_signals_cannot_be_escaped() {
    for signal in SigSet::SYNCHRONOUS.iter() {
        for handler in [SIG_DFL, SIG_IGN, HANDLER] {
            for blocked in [false, true] {
                for protected in [false, true] {
                    let mut state = SignalState::new(protected);
                    state.set_action(signal, taken(handler));
                    if blocked {
                        state.of(0).change_mask(MaskChange::Set, SigSet::ALL);
                    }
                    let info = SigInfo::fault(signal, 1, 0x1000);
                    let handles = handler == HANDLER && !blocked;
                    assert_eq!(state.of(0).force(info, signal), handles);
                    match state.of(0).take_next() {
                        Some(Next::Handle(Delivery { info: told, .. })) if handles => {
                            assert_eq!(told, info)
                        }
                        Some(Next::Die(died)) if !handles => assert_eq!(died, signal),
                        other => panic!("{signal} {handler} {blocked} {protected}: {other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_handler_that_cannot_start_is_the_end_of_segv() {
    let mut state = with(HANDLER);
    state.reset_action(Signal::SEGV);
    assert!(
        !state
            .of(0)
            .force(SigInfo::kernel(Signal::SEGV), Signal::SEGV)
    );
    assert_eq!(state.of(0).take_next(), Some(Next::Die(Signal::SEGV)));
}

#[test]
fn faults_come_first_then_the_thread_s_then_the_lowest() {
    let mut state = with(HANDLER);
    for signal in [Signal::USR2, Signal::HUP, Signal::SEGV] {
        assert_eq!(send(&mut state, signal), Effect::Notify(0));
    }
    let to_thread = [Signal::TERM, Signal::USR1];
    for signal in to_thread {
        let effect = state.send(user(signal), signal, Target::Thread(0));
        assert_eq!(effect, Ok(Effect::Notify(0)));
    }
    assert!(
        state
            .of(0)
            .force(SigInfo::fault(Signal::FPE, 1, 0), Signal::FPE)
    );
    assert_eq!(handled(&mut state), [8, 10, 15, 11, 1, 12]);
}

#[test]
fn a_signal_can_wait_for_the_thread_and_for_the_process() {
    let mut state = with(HANDLER);
    assert_eq!(send(&mut state, Signal::USR1), Effect::Notify(0));
    let effect = state.send(user(Signal::USR1), Signal::USR1, Target::Thread(0));
    assert_eq!(effect, Ok(Effect::Notify(0)));
    let nodefer = SigAction {
        flags: SA_NODEFER.into(),
        ..taken(HANDLER)
    };
    state.set_action(Signal::USR1, nodefer);
    assert_eq!(handled(&mut state), [10, 10]);
}

#[test]
fn handlers_block_their_signal_and_their_mask() {
    let mut state = with(HANDLER);
    let action = SigAction {
        mask: SigSet::EMPTY.with(Signal::TERM),
        ..taken(HANDLER)
    };
    state.set_action(Signal::USR1, action);
    state
        .of(0)
        .change_mask(MaskChange::Block, SigSet::EMPTY.with(Signal::HUP));
    assert_eq!(send(&mut state, Signal::USR1), Effect::Notify(0));
    let Delivery { mask, .. } = next_handled(&mut state);
    assert_eq!(mask, SigSet::EMPTY.with(Signal::HUP));
    assert_eq!(
        state.of(0).blocked(),
        mask.with(Signal::TERM).with(Signal::USR1)
    );
}

/// Nothing remains of a handler that could not start: neither what it would have blocked nor the stack it would have run on.
#[test]
fn a_handler_that_cannot_start_leaves_no_trace() {
    let usr1 = SigSet::EMPTY.with(Signal::USR1);
    for suspends in [false, true] {
        let mut state = with(HANDLER);
        if suspends {
            state.of(0).suspend_mask(SigSet::EMPTY.with(Signal::TERM));
        }
        state.of(0).stack_mut().flags = SS_AUTODISARM;
        let (blocked, stack) = (state.of(0).blocked(), *state.of(0).stack());
        assert_eq!(send(&mut state, Signal::USR1), Effect::Notify(0));
        let delivery = next_handled(&mut state);
        assert_eq!(state.of(0).blocked(), blocked.union(usr1));
        state.of(0).handler_cannot_start(&delivery);
        assert_eq!(state.of(0).blocked(), blocked);
        assert_eq!(*state.of(0).stack(), stack);
        state.of(0).restore_mask();
        assert_eq!(state.of(0).blocked(), SigSet::EMPTY);
    }
}

#[test]
fn a_handler_for_once_is_gone_when_it_runs() {
    let mut state = SignalState::new(false);
    let once = SigAction {
        flags: SA_RESETHAND.into(),
        ..taken(HANDLER)
    };
    state.set_action(Signal::USR1, once);
    assert_eq!(send(&mut state, Signal::USR1), Effect::Notify(0));
    assert!(
        matches!(state.of(0).take_next(), Some(Next::Handle(Delivery { action, .. })) if action.handler == HANDLER)
    );
    assert_eq!(state.action(Signal::USR1).handler, SIG_DFL);
}

#[test]
fn a_suspended_mask_is_in_the_frame_or_put_back() {
    let (term, usr1) = (
        SigSet::EMPTY.with(Signal::TERM),
        SigSet::EMPTY.with(Signal::USR1),
    );
    let mut state = with(HANDLER);
    state.of(0).change_mask(MaskChange::Set, usr1);
    state.of(0).suspend_mask(term);
    assert_eq!(state.of(0).blocked(), term);
    state.of(0).restore_mask();
    assert_eq!(state.of(0).blocked(), usr1);
    state.of(0).suspend_mask(term);
    assert_eq!(send(&mut state, Signal::USR1), Effect::Notify(0));
    let Delivery { mask, .. } = next_handled(&mut state);
    assert_eq!(mask, usr1);
    state.of(0).restore_mask();
    assert_eq!(
        state.of(0).blocked(),
        term.with(Signal::USR1),
        "the frame has it now"
    );
}

#[test]
fn standard_signals_wait_once_and_real_time_ones_each_time() {
    let (standard, real_time) = (Signal::USR1, Signal::new(40).expect("a number"));
    let mut state = with(HANDLER);
    state.of(0).change_mask(MaskChange::Set, SigSet::ALL);
    for value in 0..5 {
        for signal in [standard, real_time] {
            let mut info = user(signal);
            info.fields[1] = value;
            assert_eq!(state.send(info, signal, Target::Process), Ok(Effect::None));
        }
    }
    let wanted = SigSet::EMPTY.with(standard);
    let first = state.of(0).take_wanted(wanted).expect("it waits");
    assert_eq!((first.0, first.1.fields[1]), (standard, 0));
    assert_eq!(state.of(0).take_wanted(wanted), None);
    for value in 0..5 {
        let next = state.of(0).take_wanted(SigSet::ALL).expect("it waits");
        assert_eq!((next.0, next.1.fields[1]), (real_time, value));
    }
    assert!(state.of(0).pending().is_empty());
}

#[test]
fn a_full_queue_refuses_what_was_queued_and_keeps_what_was_killed() {
    let signal = Signal::new(40).expect("a number");
    let mut state = with(HANDLER);
    state.of(0).change_mask(MaskChange::Set, SigSet::ALL);
    let queued = SigInfo::from_process(signal, -1, 1);
    for _ in 0..LIMIT {
        assert_eq!(
            state.send(queued, signal, Target::Process),
            Ok(Effect::None)
        );
    }
    assert_eq!(state.send(queued, signal, Target::Process), Err(Full));
    assert_eq!(send(&mut state, signal), Effect::None);
    assert_eq!(send(&mut state, Signal::TERM), Effect::None);
    assert_eq!(
        state
            .of(0)
            .take_wanted(SigSet::EMPTY.with(Signal::TERM))
            .map(|(_, info)| info.code),
        Some(SI_USER)
    );
}

#[test]
fn what_is_awaited_is_neither_ignored_nor_deadly() {
    for signal in every().filter(|signal| !signal.is_unmaskable()) {
        let mut state = SignalState::new(false);
        state.of(0).change_mask(MaskChange::Set, SigSet::ALL);
        state.of(0).begin_wait(SigSet::ALL);
        assert_eq!(send(&mut state, signal), Effect::Notify(0));
        assert!(state.of(0).has_work());
        state.of(0).end_wait();
        assert!(!state.of(0).has_work());
        assert_eq!(
            state.of(0).take_wanted(SigSet::ALL).map(|(got, _)| got),
            Some(signal)
        );
    }
}

#[test]
fn stops_and_cont_take_each_other_back() {
    for stop in SigSet::STOPS.iter() {
        let mut state = SignalState::new(false);
        assert_eq!(send(&mut state, stop), Effect::Notify(0));
        assert!(matches!(state.of(0).take_next(), Some(Next::Stop(found)) if found.signal == stop));
        assert!(state.is_stopped());
        assert_eq!(send(&mut state, Signal::CONT), Effect::None);
        assert!(!state.is_stopped());
        assert_eq!(send(&mut state, stop), Effect::Notify(0));
        assert_eq!(send(&mut state, Signal::CONT), Effect::None);
        assert_eq!(
            state.of(0).take_next(),
            None,
            "the stop had not been noticed"
        );
    }
}

/// FK-6, EX-3.
#[test]
fn what_fork_and_exec_keep() {
    let mut state = with(HANDLER);
    state.set_action(Signal::USR2, taken(SIG_IGN));
    state
        .of(0)
        .change_mask(MaskChange::Set, SigSet::EMPTY.with(Signal::USR1));
    *state.of(0).stack_mut() = SigAltStack {
        sp: 0x1000,
        size: 0x2000,
        ..SigAltStack::NONE
    };
    assert_eq!(send(&mut state, Signal::USR1), Effect::None);
    let mut child = state.fork(0);
    assert!(child.of(0).pending().is_empty());
    assert_eq!(
        (child.of(0).blocked(), *child.of(0).stack()),
        (state.of(0).blocked(), *state.of(0).stack())
    );
    assert_eq!(child.action(Signal::TERM), state.action(Signal::TERM));
    state.exec();
    assert!(state.of(0).pending().contains(Signal::USR1));
    assert_eq!(state.of(0).blocked(), child.of(0).blocked());
    assert_eq!(state.of(0).stack().size, 0);
    assert_eq!(state.action(Signal::TERM), SigAction::default());
    assert_eq!(state.action(Signal::USR2).handler, SIG_IGN);
}

#[test]
fn unknown_flags_are_not_kept() {
    let mut state = SignalState::new(false);
    let flags = u64::from(SA_UNSUPPORTED | SA_NODEFER) | 1 << 40;
    let action = SigAction {
        flags,
        ..taken(HANDLER)
    };
    state.set_action(Signal::USR1, action);
    assert_eq!(state.action(Signal::USR1).flags, u64::from(SA_NODEFER));
}
