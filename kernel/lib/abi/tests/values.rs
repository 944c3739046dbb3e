//! What the small types promise.

use abi::process::ExitStatus;
use abi::signal::DefaultAction;
use abi::time::{Timespec, Timeval};
use abi::{Errno, SigSet, Signal, Sysno};

#[test]
fn sy_3_an_errno_becomes_its_negated_number() {
    assert_eq!(Errno::ENOSYS.to_result(), -38);
    assert_eq!(Errno::ENOENT.name(), "ENOENT");
    assert_eq!(Errno::EWOULDBLOCK, Errno::EAGAIN);
}

#[test]
fn call_numbers_are_those_of_x86_64() {
    assert_eq!(Sysno::read.id(), 0);
    assert_eq!(Sysno::execve.id(), 59);
    assert_eq!(Sysno::new(435).map(|call| call.name()), Some("clone3"));
}

#[test]
fn a_wait_word_has_the_code_in_its_second_byte_or_the_signal_in_its_first() {
    assert_eq!(ExitStatus::Exited(7).wait_word(), 7 << 8);
    assert_eq!(ExitStatus::Signaled(Signal::SEGV).wait_word(), 11);
}

#[test]
fn only_numbers_1_to_64_are_signals() {
    assert_eq!(Signal::new(0), None);
    assert_eq!(Signal::new(65), None);
    assert_eq!(Signal::new(u64::MAX), None);
    assert_eq!(Signal::new(9), Some(Signal::KILL));
    assert_eq!(Signal::new(34).unwrap().to_string(), "SIGRT_2");
}

#[test]
fn a_set_holds_exactly_the_signals_put_in() {
    let set = SigSet::EMPTY
        .with(Signal::HUP)
        .with(Signal::new(64).unwrap());
    assert_eq!(set.bits(), 1 | 1 << 63);
    assert_eq!(set.iter().map(Signal::number).collect::<Vec<_>>(), [1, 64]);
    assert!(set.minus(set).is_empty());
    assert!(!set.without(Signal::HUP).contains(Signal::HUP));
}

#[test]
fn children_and_window_changes_are_ignored_unless_asked_for() {
    assert_eq!(Signal::CHLD.default_action(), DefaultAction::Ignore);
    assert_eq!(Signal::TERM.default_action(), DefaultAction::Terminate);
    assert_eq!(Signal::SEGV.default_action(), DefaultAction::Core);
}

#[test]
fn invalid_times_have_no_nanoseconds() {
    assert_eq!(Timespec { sec: 1, nsec: 5 }.to_ns(), Some(1_000_000_005));
    assert_eq!(Timespec { sec: -1, nsec: 0 }.to_ns(), None);
    assert_eq!(Timespec { sec: 0, nsec: -1 }.to_ns(), None);
    assert_eq!(
        Timespec {
            sec: 0,
            nsec: 1_000_000_000
        }
        .to_ns(),
        None
    );
    assert_eq!(
        Timespec {
            sec: i64::MAX,
            nsec: 0
        }
        .to_ns(),
        Some(u64::MAX)
    );
    assert_eq!(
        Timespec::from_ns(1_500_000_000),
        Timespec {
            sec: 1,
            nsec: 500_000_000
        }
    );
    assert_eq!(
        Timeval::from_ns(1_500_000_999),
        Timeval {
            sec: 1,
            usec: 500_000
        }
    );
}
