//! Lends the terminal to the guest, which edits and echoes what is typed itself.
//!
//! Meanwhile keys go through one by one and unechoed. For a shell those that make signals go through too, and Ctrl-] ends
//! this process; else Ctrl-C does. The terminal is put back on that way out too.

use std::io::{self, IsTerminal, Read, stdin};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::termios::{self, InputFlags, LocalFlags, SetArg, Termios};
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

/// The key that ends this process, whatever the guest does with all others: Ctrl-].
const ESCAPE: u8 = 0x1d;

/// The terminal's keys, until the one that ends this process.
#[derive(Debug)]
pub struct Keyboard;

impl Read for Keyboard {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = stdin().lock().read(to)?;
        if to[..count].contains(&ESCAPE) {
            // Whoever waits for signals puts the terminal back first.
            signal::kill(unistd::getpid(), Signal::SIGTERM)?;
        }
        Ok(count)
    }
}

/// Returns the size of the terminal's window: columns and rows.
pub fn window() -> Option<(u16, u16)> {
    if !is_ours() {
        return None;
    }
    let output = Command::new("stty")
        .arg("size")
        .stdin(Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (rows, columns) = text.trim().split_once(' ')?;
    Some((columns.parse().ok()?, rows.parse().ok()?))
}

/// Lends the terminal to the guest, if standard input is one; `wholly` with the keys that make signals.
pub fn hand_over(wholly: bool) -> Result<Option<Lent>> {
    if !is_ours() {
        return Ok(None);
    }
    let before = termios::tcgetattr(stdin()).context("reading the terminal's settings")?;
    let mut lent = before.clone();
    lent.local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    if wholly {
        lent.local_flags
            .remove(LocalFlags::ISIG | LocalFlags::IEXTEN);
        lent.input_flags
            .remove(InputFlags::IXON | InputFlags::ICRNL | InputFlags::INLCR);
    }
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
