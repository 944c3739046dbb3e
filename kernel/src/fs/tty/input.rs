//! Input: from the other end through the line to readers.

use core::cmp::min;

use abi::Signal;
use tty::access::Want;
use tty::{Out, Piece, Ring};

use super::jobs;
use super::{State, Tty};
use crate::fs::file::IoError;
use crate::fs::user_buf::UserBuf;
use crate::log::console_write;
use crate::time;

/// Bytes moved at a time; they pass through the kernel stack.
pub(super) const PIECE: usize = 256;

/// Where echoes go: into the ring, and from there to the serial port as soon as it is allowed.
struct Echo<'a> {
    out: &'a mut Ring,
    to_port: bool,
    flushed: bool,
}

impl Out for Echo<'_> {
    fn put(&mut self, byte: u8) {
        if self.out.room() == 0 && self.to_port {
            transmit(self.out);
        }
        // A master that does not read misses echoes, as on Linux.
        self.out.push(byte);
    }

    fn flush(&mut self) {
        self.out.clear();
        self.flushed = true;
    }
}

/// Sends what waits to the serial port.
pub(super) fn transmit(out: &mut Ring) {
    let mut bytes = [0; PIECE];
    while let len @ 1.. = out.take(&mut bytes) {
        console_write(&bytes[..len]);
    }
}

/// What a turn of input led to.
#[derive(Default)]
struct Turn {
    signal: Option<(Signal, u32)>,
    readable: bool,
    flow: bool,
    took: bool,
    shown: bool,
}

impl Tty {
    /// Moves what waits into the line, as far as there is room.
    pub(super) fn pump(&self) {
        loop {
            let turn = self.lock().turn(self.is_serial());
            if turn.readable {
                self.near.wake_readers();
            }
            if turn.flow {
                self.near.wake_writers();
            }
            if turn.took {
                self.far.wake_writers();
            }
            if turn.shown {
                self.far.wake_readers();
            }
            let Some((signal, group)) = turn.signal else {
                return;
            };
            if group != 0 {
                jobs::signal_group(group, signal);
            }
        }
    }

    /// Adds bytes from the other end, as many as have room, and returns how many.
    pub(super) fn offer(&self, bytes: &[u8]) -> usize {
        let mut state = self.lock();
        let taken = bytes.iter().take_while(|byte| state.pending.push(**byte));
        taken.count()
    }

    /// Reads for a program that opened the terminal when it had been hung up `generation` times.
    pub(super) fn read(
        &self,
        generation: u32,
        is_console: bool,
        to: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        if to.left() == 0 {
            return Ok(());
        }
        if !is_console {
            jobs::check(self, Want::Read)?;
        }
        let done = self.read_checked(generation, to, nonblocking);
        self.pump();
        done
    }

    fn read_checked(
        &self,
        generation: u32,
        to: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let timing = self.lock().line.settings().timing();
        let mut deadline = timing.first.map(|first| time::now_ns() + first);
        let mut bytes = [0; PIECE];
        loop {
            let wanted = min(PIECE, to.left());
            let (piece, lines) = {
                let mut state = self.lock();
                if state.is_hung(generation) {
                    return Ok(());
                }
                let lines = state.line.settings().is_canonical();
                let there = state.line.is_available();
                (there.then(|| state.line.read(&mut bytes[..wanted])), lines)
            };
            if let Some(Piece { len, ends }) = piece {
                to.put(&bytes[..len])?;
                if to.left() == 0 || (lines && ends) {
                    return Ok(());
                }
                self.pump();
                deadline = timing.between.map(|between| time::now_ns() + between);
                continue;
            }
            if !lines && to.done() >= timing.least {
                return Ok(());
            }
            let deadline = if lines { None } else { deadline };
            if deadline.is_some_and(|deadline| time::now_ns() >= deadline) {
                return Ok(());
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            self.wait_for_input(generation, deadline)?;
        }
    }

    fn wait_for_input(&self, generation: u32, deadline: Option<u64>) -> Result<(), IoError> {
        let _timer = deadline.map(time::wake_at);
        self.near.readers.wait_until_interruptible(|| {
            let state = self.lock();
            state.line.is_available()
                || state.is_hung(generation)
                || deadline.is_some_and(|deadline| time::now_ns() >= deadline)
        })?;
        Ok(())
    }
}

impl State {
    /// Moves bytes from where they wait into the line, until one sends a signal.
    fn turn(&mut self, to_port: bool) -> Turn {
        let mut turn = Turn::default();
        let before = self.out.len();
        let mut echo = Echo {
            out: &mut self.out,
            to_port: to_port && !self.line.is_stopped(),
            flushed: false,
        };
        while self.line.has_room() {
            let Some(byte) = self.pending.pop() else {
                break;
            };
            turn.took = true;
            let heard = self.line.receive(byte, &mut echo);
            echo.to_port = to_port && !self.line.is_stopped();
            turn.readable |= heard.readable;
            turn.flow |= heard.flow;
            if heard.flow && self.line.is_stopped() {
                self.master.news.stopped();
            } else if heard.flow {
                self.master.news.started();
            }
            if heard.flushed {
                self.master.news.flushed_read();
            }
            if let Some(signal) = heard.signal {
                turn.signal = Some((signal, self.foreground));
                break;
            }
        }
        if echo.flushed {
            self.master.news.flushed_write();
        }
        turn.shown = self.out.len() != before || echo_changed(&turn) || self.master.news.any();
        if to_port && !self.line.is_stopped() {
            transmit(&mut self.out);
        }
        turn
    }
}

/// A signal may have emptied what the master reads and shown its own character.
const fn echo_changed(turn: &Turn) -> bool {
    turn.signal.is_some()
}
