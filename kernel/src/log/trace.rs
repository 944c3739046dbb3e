//! Trace points: bulk events on the second serial port, never in the log.
//!
//! `trace=switch,fault,syscall` on the kernel command line turns them on; `./x run --trace FILE`
//! keeps what they write. A point that is off costs a load and a branch.

use core::fmt::{Arguments, Write};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::arch::serial::COM2;
use crate::arch::timer;
use crate::locks::{SpinLock, rank};

/// What a trace point tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Area {
    /// Context switches: who goes, who comes, which row of the table.
    Switch = 1,
    /// Page faults: the address and how it was answered.
    Fault = 2,
    /// System calls: number and result.
    Syscall = 4,
}

const NAMES: [(&str, Area); 3] = [
    ("switch", Area::Switch),
    ("fault", Area::Fault),
    ("syscall", Area::Syscall),
];

static ON: AtomicU32 = AtomicU32::new(0);
/// Keeps the lines of different CPUs apart.
static PORT: SpinLock<(), { rank::CONSOLE }> = SpinLock::new(());

/// Turns the area called `name` on; returns whether there is one.
pub fn enable(name: &str) -> bool {
    let area = NAMES.iter().find(|(known, _)| *known == name);
    if let Some((_, area)) = area {
        ON.fetch_or(*area as u32, Relaxed);
    }
    area.is_some()
}

/// Returns whether an area is traced.
#[inline]
pub fn on(area: Area) -> bool {
    ON.load(Relaxed) & area as u32 != 0
}

/// Writes one event; the caller has asked [`on`].
#[cold]
pub fn event(what: Arguments<'_>) {
    let _whole = PORT.lock();
    // Writing to the port cannot fail.
    let _ = writeln!(&COM2, "{} {what}", timer::now_ns());
}
