//! Lends the terminal to the guest, which edits and echoes what is typed itself.
//!
//! Meanwhile keys go through one by one and unechoed, but for those that make signals: Ctrl-C still ends
//! this process, and the terminal is put back on that way out too.

use std::io::{IsTerminal, stdin};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use nix::unistd;

/// The terminal in the guest's hands; dropping it puts the terminal back.
#[derive(Debug)]
pub struct Lent(Termios);

/// Tells whether standard input is a terminal that this process may read: a background job that tries
/// is stopped by the system.
pub fn is_ours() -> bool {
    stdin().is_terminal()
        && unistd::tcgetpgrp(stdin()).is_ok_and(|group| group == unistd::getpgrp())
}

/// Lends the terminal to the guest, if standard input is one.
pub fn hand_over() -> Result<Option<Lent>> {
    if !is_ours() {
        return Ok(None);
    }
    let before = termios::tcgetattr(stdin()).context("reading the terminal's settings")?;
    let mut lent = before.clone();
    lent.local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    put_back_on_signals(before.clone())?;
    termios::tcsetattr(stdin(), SetArg::TCSANOW, &lent).context("setting the terminal")?;
    Ok(Some(Lent(before)))
}

/// Leaves the signals that end this process to a thread, which puts the terminal back first.
fn put_back_on_signals(before: Termios) -> Result<()> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect();
    signals.thread_block().context("blocking signals")?;
    thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            put_back(&before);
            std::process::exit(128 + signal as i32);
        }
    });
    Ok(())
}

fn put_back(before: &Termios) {
    // A terminal that is gone needs no settings.
    let _ = termios::tcsetattr(stdin(), SetArg::TCSANOW, before);
}

impl Drop for Lent {
    fn drop(&mut self) {
        put_back(&self.0);
    }
}
