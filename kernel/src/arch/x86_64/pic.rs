//! The two old interrupt controllers: moved out of the exceptions' way, and silenced.
//!
//! They start up delivering their lines at vectors 8–15, among the exceptions. Here they are moved to
//! 0x20–0x2f and all lines are masked; the kernel opens only the serial port's. The local APIC
//! passes them on (`apic`).

use super::idt::PIC_BASE;
use super::port::{PIC1_COMMAND, PIC1_DATA, PIC2_COMMAND, PIC2_DATA, POST_CODE, Port};

/// The first serial port's line.
pub const COM1_LINE: u8 = 4;
/// The third serial port's line: one that nobody else uses.
pub const COM3_LINE: u8 = 5;
/// The master's line to which the slave is connected.
const CASCADE_LINE: u8 = 2;

/// Begins initialisation; three more words follow.
const ICW1_INIT: u8 = 0x11;
/// 8086 mode.
const ICW4_8086: u8 = 0x01;
/// The handled interrupt is over.
const END_OF_INTERRUPT: u8 = 0x20;
/// The next read returns the lines being handled.
const READ_IN_SERVICE: u8 = 0x0b;

/// Moves both controllers to [`PIC_BASE`] and masks every line.
pub fn init() {
    let base = PIC_BASE as u8;
    let words = [
        (ICW1_INIT, ICW1_INIT),
        (base, base + 8),
        (1 << CASCADE_LINE, CASCADE_LINE),
        (ICW4_8086, ICW4_8086),
        (!0, !0),
    ];
    for (index, (master, slave)) in words.into_iter().enumerate() {
        let ports = if index == 0 {
            (PIC1_COMMAND, PIC2_COMMAND)
        } else {
            (PIC1_DATA, PIC2_DATA)
        };
        write_slowly(ports.0, master);
        write_slowly(ports.1, slave);
    }
}

/// Old controllers need a moment between two words.
fn write_slowly(port: Port<u8>, value: u8) {
    port.write(value);
    POST_CODE.write(0);
}

/// Lets `line` of the master through.
///
/// # Panics
/// If the line belongs to the slave: the kernel has no use for those.
pub fn unmask(line: u8) {
    assert!(
        line < 8,
        "only lines of the first interrupt controller are used"
    );
    PIC1_DATA.write(PIC1_DATA.read() & !(1 << line));
}

/// Ends the handling of `vector` and returns whether there really was an interrupt.
///
/// A line that falls silent too early arrives as line 7 of its controller, and must not be ended
/// there, for nothing is in service.
pub fn end_of_interrupt(vector: u64) -> bool {
    let line = (vector - PIC_BASE) as u8;
    let port = if line < 8 { PIC1_COMMAND } else { PIC2_COMMAND };
    let real = line % 8 != 7 || in_service(port) & 0x80 != 0;
    if real {
        port.write(END_OF_INTERRUPT);
    }
    if line >= 8 {
        PIC1_COMMAND.write(END_OF_INTERRUPT);
    }
    real
}

fn in_service(port: Port<u8>) -> u8 {
    port.write(READ_IN_SERVICE);
    port.read()
}
