//! What becomes of the call that a signal interrupted.

use abi::Errno;
use abi::siginfo::SI_KERNEL;
use sigstate::restart::is_restart;
use sigstate::{After, with_handler, without_handler};

/// SY-7, the whole table.
#[test]
fn what_becomes_of_interrupted_calls() {
    use After::{Again, Continue, Interrupted, Return};
    let rows = [
        (Errno::RESTART_SYS, Interrupted, Again, Again),
        (Errno::RESTART_NOINTR, Again, Again, Again),
        (Errno::RESTART_NOHAND, Interrupted, Interrupted, Again),
        (Errno::RESTART_BLOCK, Interrupted, Interrupted, Continue),
        (Errno::EINTR, Return, Return, Return),
        (Errno::EAGAIN, Return, Return, Return),
    ];
    for (errno, plain, restarting, none) in rows {
        let rax = errno.to_result().cast_unsigned();
        assert_eq!(with_handler(rax, false), plain, "{errno}");
        assert_eq!(with_handler(rax, true), restarting, "{errno}");
        assert_eq!(without_handler(rax), none, "{errno}");
        assert_eq!(is_restart(rax), none != Return);
    }
    for rax in [0, 1, 512, u64::MAX, SI_KERNEL as u64] {
        assert_eq!(with_handler(rax, true), Return);
    }
}
