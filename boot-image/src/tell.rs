//! What this program itself says: on standard error, so that a guest's log stays clean, and in colour
//! only on a terminal.

use std::io::{IsTerminal, stderr};

/// Tells what is being done or was done.
pub fn step(text: &str) {
    line("1;36", "==>", text);
}

/// Tells why it did not work.
pub fn error(text: &str) {
    line("1;31", "x: error:", text);
}

fn line(colour: &str, mark: &str, text: &str) {
    if stderr().is_terminal() {
        eprintln!("\x1b[{colour}m{mark}\x1b[0m {text}");
    } else {
        eprintln!("{mark} {text}");
    }
}
