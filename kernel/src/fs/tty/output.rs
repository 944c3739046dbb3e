//! Output: from writers through the screen's rules to the other end.

use core::cmp::min;

use arrayvec::ArrayVec;
use tty::access::Want;

use super::input::{PIECE, transmit};
use super::jobs;
use super::{State, Tty};
use crate::fs::file::IoError;
use crate::fs::user_buf::UserBuf;
use crate::log::console_write;

/// The most that one byte becomes.
const WIDEST: usize = 8;

impl Tty {
    /// Writes for a program that opened the terminal when it had been hung up `generation` times.
    pub(super) fn write(
        &self,
        generation: u32,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        if self.lock().line.settings().stops_background_output() {
            jobs::check(self, Want::Change)?;
        }
        let mut piece = [0; PIECE];
        while from.left() > 0 {
            let piece = &mut piece[..min(PIECE, from.left())];
            let mark = from.clone();
            let outcome = from.take(piece);
            let taken = &piece[..from.done() - mark.done()];
            let (sent, how) = self.send_all(generation, taken, nonblocking);
            if sent < taken.len() {
                take_back(from, mark, sent);
            }
            how?;
            outcome?;
        }
        Ok(())
    }

    /// Sends bytes, waiting for room; returns how many were sent.
    fn send_all(
        &self,
        generation: u32,
        bytes: &[u8],
        nonblocking: bool,
    ) -> (usize, Result<(), IoError>) {
        let mut done = 0;
        while done < bytes.len() {
            match self.send(generation, &bytes[done..]) {
                Ok(0) if nonblocking => return (done, Err(IoError::WouldBlock)),
                Ok(0) => {
                    if let Err(error) = self.wait_for_room(generation) {
                        return (done, Err(error));
                    }
                }
                Ok(sent) => done += sent,
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }

    /// Sends what has room; returns how many bytes of `bytes` that were.
    fn send(&self, generation: u32, bytes: &[u8]) -> Result<usize, IoError> {
        let sent = {
            let mut state = self.lock();
            if state.is_hung(generation) || (!self.is_serial() && !state.master.is_open) {
                return Err(IoError::Io);
            }
            match self.is_serial() {
                true => state.send_to_port(bytes),
                false => state.send_to_master(bytes),
            }
        };
        if sent > 0 {
            self.far.wake_readers();
        }
        Ok(sent)
    }

    fn wait_for_room(&self, generation: u32) -> Result<(), IoError> {
        self.near.writers.wait_until_interruptible(|| {
            let state = self.lock();
            state.is_hung(generation) || self.is_writable(&state)
        })?;
        Ok(())
    }

    pub(super) fn is_writable(&self, state: &State) -> bool {
        !state.line.is_stopped() && (self.is_serial() || state.out.room() >= WIDEST)
    }
}

/// Goes back to `mark` and on by `count` bytes: what was taken behind them was not sent.
pub(super) fn take_back<'a>(from: &mut UserBuf<'a>, mark: UserBuf<'a>, count: usize) {
    *from = mark;
    let mut again = [0; PIECE];
    // It could be read a moment ago; if it no longer can, less counts as written.
    let _ = from.take(&mut again[..count]);
}

impl State {
    fn send_to_port(&mut self, bytes: &[u8]) -> usize {
        if self.line.is_stopped() {
            return 0;
        }
        transmit(&mut self.out);
        let mut chunk = ArrayVec::<u8, { PIECE + WIDEST }>::new();
        for byte in bytes {
            chunk.extend(self.line.write(*byte));
            if chunk.len() >= PIECE {
                console_write(&chunk);
                chunk.clear();
            }
        }
        console_write(&chunk);
        bytes.len()
    }

    fn send_to_master(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() && !self.line.is_stopped() && self.out.room() >= WIDEST {
            for byte in self.line.write(bytes[sent]) {
                self.out.push(byte);
            }
            sent += 1;
        }
        sent
    }
}
