//! The interrupt command register: to whom, and what.
//!
//! ```text
//!   63     56 55      32 31 20 19 18 17 16 15 14 13 12 11 10  8 7    0
//!  +---------+----------+-----+-----+-----+--+--+--+--+--+-----+------+
//!  | to (x)  |          |     |short|     |TM|LV|  |DS|DM| how |vector|
//!  +---------+----------+-----+-----+-----+--+--+--+--+--+-----+------+
//!  |      to (x2)       |
//!  +--------------------+
//! ```
//!
//! LV (level) is 1 for all that is sent here; DS (delivery status) is read only, and only xAPIC has it.

use crate::mode::Mode;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An interrupt with this vector, 16 and above.
    Interrupt(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// Back to where a processor is after power-on, waiting to be started.
    Init,
    /// Start in real mode at the beginning of this page, which lies below 1 MiB.
    StartUp(u8),
}

/// A message to one processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The receiver's APIC number.
    pub to: u32,
    /// What it is sent.
    pub message: Message,
}

/// Delivery status: the last message has not been accepted by the bus yet.
pub const PENDING: u32 = 1 << 12;
const LEVEL_ASSERT: u32 = 1 << 14;

impl Command {
    /// Returns the register's lower half: what.
    pub const fn low(self) -> u32 {
        let (how, vector) = match self.message {
            Message::Interrupt(vector) => (0b000, vector),
            Message::Nmi => (0b100, 0),
            Message::Init => (0b101, 0),
            Message::StartUp(page) => (0b110, page),
        };
        LEVEL_ASSERT | how << 8 | vector as u32
    }

    /// Returns the register's upper half: to whom.
    pub const fn high(self, mode: Mode) -> u32 {
        match mode {
            Mode::XApic => self.to << 24,
            Mode::X2Apic => self.to,
        }
    }
}
