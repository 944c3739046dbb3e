//! The serial ports: the first is log and console, the second carries bulk trace, the third speaks with the host.
//!
//! There are no locks here, so a panic can always write; whoever wants whole lines holds the console
//! lock. A port that is absent or stuck is found out once and from then on ignored: output is lost,
//! time is not.
#![expect(unsafe_code, reason = "a driver for fixed I/O ports")]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::{FifoTriggerLevel, IER};
use uart_16550::{BaudRate, Config, Uart16550};

/// The log and the console.
pub static COM1: SerialPort = SerialPort::at(0x3f8);
/// Bulk trace.
pub static COM2: SerialPort = SerialPort::at(0x2f8);
/// The channel to the host, where there is one.
pub static COM3: SerialPort = SerialPort::at(0x3e8);

/// How often to ask a port for room: at 115200 baud 16 bytes take 1.4 ms, one question about 1 µs.
const PATIENCE: u32 = 200_000;

/// A serial port of the 16550 kind.
pub struct SerialPort {
    base: u16,
    /// Whether a device answered and takes what it is given.
    usable: AtomicBool,
}

impl SerialPort {
    const fn at(base: u16) -> Self {
        Self {
            base,
            usable: AtomicBool::new(false),
        }
    }

    /// Sets 115200 8N1 with FIFOs and returns whether a device is there.
    pub fn init(&self) -> bool {
        let config = Config {
            baud_rate: BaudRate::Baud115200,
            // The console's reader waits for single keystrokes.
            fifo_trigger_level: Some(FifoTriggerLevel::One),
            ..Config::DEFAULT
        };
        let usable = self.uart().init(config).is_ok();
        self.usable.store(usable, Relaxed);
        usable
    }

    /// Returns whether a device answered and takes what it is given.
    pub fn usable(&self) -> bool {
        self.usable.load(Relaxed)
    }

    /// Writes all of `bytes`, waiting for room; gives a stuck port up.
    pub fn write(&self, mut bytes: &[u8]) {
        let mut uart = self.uart();
        let mut patience = PATIENCE;
        while !bytes.is_empty() && self.usable() {
            let sent = uart.send_bytes(bytes);
            bytes = &bytes[sent..];
            patience = if sent > 0 { PATIENCE } else { patience - 1 };
            if patience == 0 {
                self.usable.store(false, Relaxed);
            }
        }
    }

    /// Returns the next received byte, if there is one.
    pub fn read_byte(&self) -> Option<u8> {
        if !self.usable() {
            return None;
        }
        self.uart().try_receive_byte().ok()
    }

    /// Asks for an interrupt whenever bytes arrive.
    pub fn enable_receive_interrupt(&self) {
        if self.usable() {
            self.uart().enable_interrupts(IER::DATA_READY);
        }
    }

    /// The driver's object. It keeps nothing that matters between calls, so one is made for each.
    fn uart(&self) -> Uart16550<PioBackend> {
        // SAFETY: both port ranges belong to serial ports only; interleaved writers can mix their
        // bytes but nothing worse, for the device cannot touch memory.
        unsafe { Uart16550::new_port(self.base) }
            .expect("a serial port's registers end below 65536")
    }
}

impl fmt::Write for &SerialPort {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}
