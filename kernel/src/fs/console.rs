//! The console: the serial port as a file.
//!
//! Output goes out as it is, in pieces of a fixed size. Input arrives in the interrupt, is edited
//! and echoed there, and wakes whoever reads.

use core::cmp::min;

use abi::file::Termios;
use tty::{Echo, Line, Piece};

use super::file::{File, IoError, Readiness, WriteAt};
use super::inode::{InodeRef, Metadata};
use super::poll::PollQueue;
use super::user_buf::UserBuf;
use crate::locks::{SpinLock, WaitQueue, rank};
use crate::log::console_write;

/// Bytes moved at a time; they pass through the kernel stack.
const PIECE: usize = 256;

static LINE: SpinLock<Line, { rank::SOURCE }> = SpinLock::new(Line::new());
static READERS: WaitQueue = WaitQueue::new();
static POLLERS: PollQueue = PollQueue::new();

/// Takes a byte from the serial port; called with interrupts off.
pub fn input(byte: u8) {
    let (echo, readable) = {
        let mut line = LINE.lock();
        (line.input(byte), line.is_readable())
    };
    match echo {
        Echo::Nothing => {}
        Echo::Byte(byte) => console_write(&[byte]),
        Echo::Erase(count) => (0..count).for_each(|_| console_write(b"\x08 \x08")),
    }
    if readable {
        READERS.wake_one();
        POLLERS.notify(Readiness::READABLE);
    }
}

/// Returns the terminal's settings.
pub fn termios() -> Termios {
    LINE.lock().termios()
}

/// Changes the terminal's settings; `flush` first forgets unread input.
pub fn set_termios(new: &Termios, flush: bool) {
    let mut line = LINE.lock();
    if flush {
        line.flush_input();
    }
    line.set_termios(new);
}

/// The console, open.
pub struct Console {
    inode: InodeRef,
}

impl Console {
    /// Opens the console.
    pub fn new(inode: InodeRef) -> Self {
        Self { inode }
    }
}

impl File for Console {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        if to.left() == 0 {
            return Ok(());
        }
        wait_for_input(nonblocking)?;
        let mut bytes = [0; PIECE];
        loop {
            let wanted = min(PIECE, to.left());
            let Piece { len, ends } = LINE.lock().read(&mut bytes[..wanted]);
            to.put(&bytes[..len])?;
            if ends || to.left() == 0 {
                return Ok(());
            }
        }
    }

    fn write(&self, _: &mut WriteAt, from: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        let maps_newlines = LINE.lock().maps_newlines();
        let mut piece = [0; PIECE];
        while from.left() > 0 {
            let piece = &mut piece[..min(PIECE, from.left())];
            let before = from.done();
            let outcome = from.take(piece);
            let taken = &piece[..from.done() - before];
            match maps_newlines {
                true => write_with_returns(taken),
                false => console_write(taken),
            }
            outcome?;
        }
        Ok(())
    }

    fn readiness(&self) -> Readiness {
        let readable = if LINE.lock().is_readable() {
            Readiness::READABLE
        } else {
            Readiness::empty()
        };
        readable | Readiness::WRITABLE
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&POLLERS)
    }

    fn is_terminal(&self) -> bool {
        true
    }
}

fn wait_for_input(nonblocking: bool) -> Result<(), IoError> {
    let ready = || LINE.lock().is_readable();
    match ready() {
        false if nonblocking => Err(IoError::WouldBlock),
        false => Ok(READERS.wait_until_interruptible(ready)?),
        true => Ok(()),
    }
}

fn write_with_returns(bytes: &[u8]) {
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.split_last() {
            Some((b'\n', text)) => {
                console_write(text);
                console_write(b"\r\n");
            }
            _ => console_write(line),
        }
    }
}
