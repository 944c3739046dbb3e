//! What becomes of a system call that a signal interrupted (SY-7).
//!
//! Such a call returns one of the `RESTART` numbers of [`Errno`]. What the program gets depends on
//! whether a handler runs.

use abi::Errno;

/// How the program goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// With the call's result: nothing was interrupted.
    Return,
    /// With EINTR.
    Interrupted,
    /// With the same call again.
    Again,
    /// With `restart_syscall`, which goes on where the call was.
    Continue,
}

/// What a call that left `rax` becomes if a handler runs; `restarts` is its `SA_RESTART`.
#[inline]
pub fn with_handler(rax: u64, restarts: bool) -> After {
    match restart_number(rax) {
        Some(Errno::RESTART_NOINTR) => After::Again,
        Some(Errno::RESTART_SYS) if restarts => After::Again,
        Some(_) => After::Interrupted,
        None => After::Return,
    }
}

/// What a call that left `rax` becomes if no handler runs.
pub fn without_handler(rax: u64) -> After {
    match restart_number(rax) {
        Some(Errno::RESTART_BLOCK) => After::Continue,
        Some(_) => After::Again,
        None => After::Return,
    }
}

/// Says whether `rax` is a number that no program may see.
#[inline]
pub fn is_restart(rax: u64) -> bool {
    // Asked on every way back: most answers are no errors near these.
    let near = Errno::RESTART_BLOCK.to_result()..=Errno::RESTART_SYS.to_result();
    near.contains(&rax.cast_signed()) && restart_number(rax).is_some()
}

fn restart_number(rax: u64) -> Option<Errno> {
    [
        Errno::RESTART_SYS,
        Errno::RESTART_NOINTR,
        Errno::RESTART_NOHAND,
        Errno::RESTART_BLOCK,
    ]
    .into_iter()
    .find(|errno| errno.to_result().cast_unsigned() == rax)
}
