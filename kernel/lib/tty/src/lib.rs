//! Terminals: what typed bytes become for a reader, and written ones for a screen.
//!
//! Read in this order:
//! 1. [`settings`]: the flags and special characters of termios(3), and what they ask for.
//! 2. [`Line`]: input. [`Line::receive`] takes a byte from the keyboard: it is translated, acts if it is special
//!    (signals, flow control, `edit`), or joins what waits in the `buffer`; and it is echoed. [`Line::read`] gives
//!    out what waits.
//! 3. [`Screen`]: output. Newlines, tabs and the column; echoes pass here too.
//! 4. [`access`]: who may use a terminal from the background. [`packet`]: what the master of a pty is told.
//!
//! Everything has a fixed size, and nothing is allocated once a terminal is made. What Linux does is measured: `tests/linux.rs` sends the same
//! bytes through a pseudo-terminal of the host and compares.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod access;
mod buffer;
mod edit;
mod line;
pub mod packet;
mod ring;
mod screen;
pub mod settings;

pub use buffer::CAPACITY;
pub use line::{Heard, Line, Out, Piece};
pub use ring::{NoMemory, Ring};
pub use screen::{Screen, Sent};
pub use settings::Settings;
