//! The serial log: levelled, timestamped lines, and the console output of programs between them.
//!
//! `[    0.123456] cpu0 mm: message`: seconds since boot, CPU, area (the target of the `log` macro).
//! Programs write to the same port. One lock keeps lines whole; a log line that comes while a
//! program's line is unfinished begins on a line of its own.

pub mod limit;
pub mod trace;

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use log::{Level, LevelFilter, Metadata, Record};

use crate::arch::serial::COM1;
use crate::arch::{cpu, timer};
use crate::locks::{SpinGuard, SpinLock, rank};
use crate::percpu::{self, MAX_CPUS, PerCpu};

/// Whether the last byte sent ended a line.
struct Console {
    at_line_start: bool,
}

impl Console {
    const fn new() -> Self {
        Self {
            at_line_start: true,
        }
    }
}

struct Logger;

static LOGGER: Logger = Logger;
static CONSOLE: SpinLock<Console, { rank::CONSOLE }> = SpinLock::new(Console::new());
/// Set once the machine is ending and nobody else runs: locks no longer matter.
static BUSTED: AtomicBool = AtomicBool::new(false);

/// Set while a CPU is in an NMI, and prints.
static URGENT: PerCpu<AtomicBool> = PerCpu::new([const { AtomicBool::new(false) }; MAX_CPUS]);
/// How often an urgent line tries to get the console.
const URGENT_TRIES: u32 = 1_000_000;

/// Makes the serial port the destination of all `log` macros.
pub fn init() {
    // A second call keeps the first logger; boot calls once.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(LevelFilter::Info);
}

/// Sets which levels are shown.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Writes a program's bytes to the console as they are.
pub fn console_write(bytes: &[u8]) {
    let Some(last) = bytes.last() else { return };
    let mut console = CONSOLE.lock();
    COM1.write(bytes);
    console.at_line_start = *last == b'\n';
}

/// From here on lines are written without the lock: the machine is ending, its holder is gone.
pub fn bust() {
    BUSTED.store(true, Relaxed);
}

/// Runs `work`, whose lines do not wait for ever for the console: for an NMI, which may have interrupted whoever has it.
///
/// Another CPU's line ends first, as a rule. A lock that is not free after that is passed over.
pub fn urgently(work: impl FnOnce()) {
    URGENT.this().store(true, Relaxed);
    work();
    URGENT.this().store(false, Relaxed);
}

/// Waits for the console for as long as a line takes.
fn console_soon() -> Option<SpinGuard<'static, Console, { rank::CONSOLE }>> {
    (0..URGENT_TRIES).find_map(|_| {
        cpu::relax();
        CONSOLE.try_lock()
    })
}

impl log::Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let console = match () {
            () if BUSTED.load(Relaxed) => None,
            () if URGENT.this().load(Relaxed) => console_soon(),
            () => Some(CONSOLE.lock()),
        };
        match console {
            Some(mut console) => print_line(&mut console, record),
            None => print_line(&mut Console::new(), record),
        }
    }

    fn flush(&self) {}
}

/// Sends text straight to the port.
struct Port;

impl Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        COM1.write(text.as_bytes());
        Ok(())
    }
}

/// Prints one line with its prefix.
fn print_line(console: &mut Console, record: &Record<'_>) {
    if !console.at_line_start {
        COM1.write(b"\n");
    }
    let now = timer::now_ns() / 1000;
    let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
    let mark = match record.level() {
        // A report's lines are all errors; its target says so already.
        Level::Error if matches!(record.target(), "oops" | "panic") => "",
        Level::Error => "ERROR: ",
        Level::Warn => "warning: ",
        _ => "",
    };
    // Writing to the port cannot fail.
    let _ = write!(
        Port,
        "[{seconds:>5}.{micros:06}] cpu{} {}: {mark}",
        percpu::cpu_id(),
        record.target()
    );
    let _ = writeln!(Port, "{}", record.args());
    console.at_line_start = true;
}
