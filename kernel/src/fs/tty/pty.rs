//! Pseudo-terminals: terminals whose other end a program holds.
//!
//! Opening `/dev/ptmx` makes one, with a name in `/dev/pts`, and opens its master end; both go with that. Its own end can
//! be opened once the master has unlocked it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::min;

use abi::file::Winsize;
use tty::Settings;

use super::input::PIECE;
use super::output::take_back;
use super::{Kind, Tty, jobs};
use crate::fs::dev::Device;
use crate::fs::file::{IoError, Readiness};
use crate::fs::inode::InodeRef;
use crate::fs::tree;
use crate::fs::user_buf::UserBuf;
use crate::locks::{Once, SpinLock, rank};

/// How many there may be. Each takes some 20 KiB.
pub const MOST: usize = 256;
/// First byte of what the master reads in packet mode, if it is data.
const DATA: u8 = 0;

static PTYS: SpinLock<Vec<Option<Pty>>, { rank::SOURCE }> = SpinLock::new(Vec::new());
static FOLDER: Once<InodeRef> = Once::new();

/// One whose master is open.
#[derive(Clone)]
struct Pty {
    tty: Arc<Tty>,
    /// Its file in `/dev/pts`.
    inode: InodeRef,
}

/// No pseudo-terminal was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PtyError {
    /// There are too many.
    TooMany,
    /// No memory.
    OutOfMemory,
}

/// Says where the names go.
pub fn init(folder: &InodeRef) {
    FOLDER.call_once(|| folder.clone());
}

/// Makes a pseudo-terminal with its master open.
pub fn create() -> Result<Arc<Tty>, PtyError> {
    let owner = jobs::caller().map_or((0, 0), |caller| caller.owner);
    let folder = FOLDER.get().ok_or(PtyError::TooMany)?;
    let index = reserve()?;
    let made = Tty::new(Kind::Pty(index), Settings::pty(), Winsize::default());
    let tty = made.map_err(|_| PtyError::OutOfMemory)?;
    {
        let mut state = tty.lock();
        state.master.is_open = true;
        state.master.is_locked = true;
    }
    let inode = tree::new_device(Device::Pts(index), owner).map_err(|_| PtyError::OutOfMemory)?;
    let pty = Pty {
        tty: tty.clone(),
        inode: inode.clone(),
    };
    // Somebody else may have taken the number meanwhile.
    let is_taken = {
        let slot = &mut PTYS.lock()[index as usize];
        let is_taken = slot.is_some();
        if !is_taken {
            *slot = Some(pty);
        }
        is_taken
    };
    if is_taken {
        return create();
    }
    tree::show_device(folder, index, &inode);
    Ok(tty)
}

fn reserve() -> Result<u32, PtyError> {
    let mut ptys = PTYS.lock();
    if let Some(free) = ptys.iter().position(Option::is_none) {
        return Ok(free as u32);
    }
    if ptys.len() == MOST {
        return Err(PtyError::TooMany);
    }
    ptys.try_reserve(1).map_err(|_| PtyError::OutOfMemory)?;
    ptys.push(None);
    Ok(ptys.len() as u32 - 1)
}

/// Returns the pseudo-terminal with this number, whose master is open.
pub fn find(index: u32) -> Option<Arc<Tty>> {
    Some(get(index)?.tty)
}

/// Returns the file of the pseudo-terminal with this number.
pub(super) fn inode(index: u32) -> Option<InodeRef> {
    Some(get(index)?.inode)
}

fn get(index: u32) -> Option<Pty> {
    PTYS.lock().get(index as usize)?.clone()
}

impl Tty {
    /// Returns the number of a pseudo-terminal.
    pub fn pty_number(&self) -> Option<u32> {
        match self.kind {
            Kind::Pty(index) => Some(index),
            Kind::Serial => None,
        }
    }

    /// Closes the master: nobody can use the terminal any more.
    pub(super) fn close_master(&self) {
        let Kind::Pty(index) = self.kind else { return };
        self.lock().master.is_open = false;
        self.hang_up(false);
        if let Some(folder) = FOLDER.get() {
            tree::hide_device(folder, index);
        }
        let gone = PTYS.lock().get_mut(index as usize).and_then(Option::take);
        drop(gone);
    }

    /// Locks its own end, or unlocks it.
    pub fn set_pty_lock(&self, locked: bool) {
        self.lock().master.is_locked = locked;
    }

    /// Returns whether its own end is locked.
    pub fn is_pty_locked(&self) -> bool {
        self.lock().master.is_locked
    }

    /// Turns packet mode on or off.
    pub fn set_packet(&self, packet: bool) {
        let mut state = self.lock();
        if packet && !state.master.is_packet {
            state.master.news.take();
        }
        state.master.is_packet = packet;
    }

    /// Returns whether packet mode is on.
    pub fn is_packet(&self) -> bool {
        self.lock().master.is_packet
    }

    /// Reads what the programs at the terminal wrote.
    pub(super) fn read_master(
        &self,
        to: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let mut bytes = [0; PIECE];
        while to.left() > 0 {
            let len = self.take_output(&mut bytes[..min(PIECE, to.left())], to.done() == 0);
            if len > 0 {
                to.put(&bytes[..len])?;
                self.near.wake_writers();
                if len == 1 && bytes[0] != DATA && self.is_packet() {
                    return Ok(());
                }
                continue;
            }
            if to.done() > 0 {
                return Ok(());
            }
            if self.lock().master.is_left {
                return Err(IoError::Io);
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            self.far.readers.wait_until_interruptible(|| {
                let state = self.lock();
                let news = state.master.is_packet && state.master.news.any();
                news || !state.out.is_empty() || state.master.is_left
            })?;
        }
        Ok(())
    }

    /// Takes what the master reads next; of packets, the first byte says what it is.
    fn take_output(&self, to: &mut [u8], is_first: bool) -> usize {
        let mut state = self.lock();
        if !state.master.is_packet || !is_first {
            return state.out.take(to);
        }
        if state.master.news.any() {
            to[0] = state.master.news.take();
            return 1;
        }
        if state.out.is_empty() {
            return 0;
        }
        to[0] = DATA;
        1 + state.out.take(&mut to[1..])
    }

    /// Types what the master writes.
    pub(super) fn write_master(
        &self,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let mut piece = [0; PIECE];
        while from.left() > 0 {
            let piece = &mut piece[..min(PIECE, from.left())];
            let mark = from.clone();
            let outcome = from.take(piece);
            let taken = &piece[..from.done() - mark.done()];
            let (typed, how) = self.type_all(taken, nonblocking);
            if typed < taken.len() {
                take_back(from, mark, typed);
            }
            how?;
            outcome?;
        }
        Ok(())
    }

    /// Types bytes, waiting for room; returns how many were typed.
    fn type_all(&self, bytes: &[u8], nonblocking: bool) -> (usize, Result<(), IoError>) {
        let mut done = 0;
        while done < bytes.len() {
            let typed = self.offer(&bytes[done..]);
            done += typed;
            self.pump();
            if typed > 0 {
                continue;
            }
            if nonblocking {
                return (done, Err(IoError::WouldBlock));
            }
            let room = || self.lock().pending.room() > 0;
            if let Err(error) = self.far.writers.wait_until_interruptible(room) {
                return (done, Err(error.into()));
            }
        }
        (done, Ok(()))
    }

    /// Says what the master can do at once.
    pub(super) fn master_readiness(&self) -> Readiness {
        let state = self.lock();
        let mut ready = Readiness::empty();
        if !state.out.is_empty() {
            ready |= Readiness::READABLE;
        }
        if state.master.is_packet && state.master.news.any() {
            ready |= Readiness::READABLE | Readiness::URGENT;
        }
        if state.pending.room() > 0 {
            ready |= Readiness::WRITABLE;
        }
        if state.master.is_left {
            ready |= Readiness::HANG_UP;
        }
        ready
    }
}
