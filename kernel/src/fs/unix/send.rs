//! Sending: what the program has is copied, charged to the sender, and waits at the receiver.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::socket::Ucred;
use addr::PAGE_SIZE;

use super::super::user_buf::UserBuf;
use super::endpoint::{Endpoint, Message, Phase, SHUT_READ, SHUT_WRITE};
use super::rights::Rights;
use super::{Kind, Patience, SocketError};
use crate::mm::frame;

/// Bytes of a stream that are copied at a time.
const CHUNK: usize = 32 * 1024;
/// What a message leaves free of what may be on its way.
const SPARE: usize = 32;

/// What goes with a message besides its bytes.
pub struct Ancillary {
    /// Open files.
    pub rights: Rights,
    /// Who sends.
    pub cred: Ucred,
}

impl From<Ucred> for Ancillary {
    fn from(cred: Ucred) -> Self {
        Self {
            rights: Rights::default(),
            cred,
        }
    }
}

impl Endpoint {
    /// Sends what is left of `from` to the other end, or datagrams to `to`. What was not sent is left.
    pub fn send(
        self: &Arc<Self>,
        from: &mut UserBuf<'_>,
        to: Option<Arc<Self>>,
        ancillary: Ancillary,
        patience: Patience,
    ) -> Result<(), SocketError> {
        match self.keeps_borders() {
            true => self.send_message(from, to, ancillary, patience),
            false => self.send_stream(from, ancillary, patience),
        }
    }

    fn send_stream(
        &self,
        from: &mut UserBuf<'_>,
        mut ancillary: Ancillary,
        patience: Patience,
    ) -> Result<(), SocketError> {
        let peer = {
            let state = self.state.lock();
            match &state.peer {
                None if matches!(state.phase, Phase::Connected) => {
                    return Err(SocketError::BrokenPipe);
                }
                None => return Err(SocketError::NotConnected),
                Some(peer) => peer.clone(),
            }
        };
        self.check_open(SocketError::BrokenPipe)?;
        while from.left() > 0 {
            let stop = || self.outgoing.has_room() || !self.may_write();
            Self::wait(&self.outgoing.room, patience, stop)?;
            self.check_open(SocketError::BrokenPipe)?;
            let start = from.clone();
            let len = from.left().min(CHUNK);
            let sent = self
                .message(from, len, &mut ancillary)
                .and_then(|message| peer.take_stream(message));
            // Bytes that were copied and not sent do not count as transferred.
            sent.inspect_err(|_| *from = start)?;
        }
        Ok(())
    }

    fn send_message(
        self: &Arc<Self>,
        from: &mut UserBuf<'_>,
        to: Option<Arc<Self>>,
        mut ancillary: Ancillary,
        patience: Patience,
    ) -> Result<(), SocketError> {
        let is_named = to.is_some();
        let to = match to {
            Some(to) => to,
            None => self.message_peer()?,
        };
        let len = from.left();
        if len + SPARE > self.outgoing.limit.load(Relaxed) {
            return Err(SocketError::TooLong);
        }
        self.check_open(SocketError::Shut)?;
        let stop = || self.outgoing.has_room() || !self.may_write();
        Self::wait(&self.outgoing.room, patience, stop)?;
        self.check_open(SocketError::Shut)?;
        let start = from.clone();
        let sent = self
            .message(from, len, &mut ancillary)
            .and_then(|message| self.hand_over(message, &to, is_named, patience));
        sent.inspect_err(|_| *from = start)
    }

    fn message_peer(&self) -> Result<Arc<Self>, SocketError> {
        let state = self.state.lock();
        match (&state.phase, &state.peer) {
            (Phase::Listening { .. }, _) | (Phase::Alone, None) => Err(SocketError::NotConnected),
            (_, Some(peer)) => Ok(peer.clone()),
            (Phase::Connected, None) => Err(SocketError::NotConnected),
        }
    }

    /// Fails with what has happened to it, or with `shut` if it must not send any more.
    fn check_open(&self, shut: SocketError) -> Result<(), SocketError> {
        let mut state = self.state.lock();
        let is_shut = state.shut & SHUT_WRITE != 0;
        match state.error.take_if(|_| !is_shut) {
            Some(error) => Err(error),
            None if is_shut => Err(shut),
            None => Ok(()),
        }
    }

    fn may_write(&self) -> bool {
        let state = self.state.lock();
        state.shut & SHUT_WRITE == 0 && state.error.is_none()
    }

    /// Copies a message out of the program; what goes with it goes with the first.
    fn message(
        &self,
        from: &mut UserBuf<'_>,
        len: usize,
        ancillary: &mut Ancillary,
    ) -> Result<Message, SocketError> {
        let mut data = Vec::new();
        if !frame::can_spare_buffers((len as u64).div_ceil(PAGE_SIZE))
            || data.try_reserve_exact(len).is_err()
        {
            return Err(SocketError::OutOfMemory);
        }
        data.resize(len, 0);
        from.take(&mut data).map_err(|_| SocketError::BadAddress)?;
        Ok(Message {
            data,
            start: 0,
            rights: core::mem::take(&mut ancillary.rights),
            cred: ancillary.cred,
            from: self.name(),
            _charge: self.outgoing.charge(len),
        })
    }

    /// Takes a piece of a stream in.
    fn take_stream(&self, message: Message) -> Result<(), SocketError> {
        let mut state = self.state.lock();
        if state.is_closed || state.shut & SHUT_READ != 0 {
            drop(state);
            return Err(SocketError::BrokenPipe);
        }
        if state.queue.try_reserve(1).is_err() {
            drop(state);
            return Err(SocketError::OutOfMemory);
        }
        state.queue.push_back(message);
        drop(state);
        self.tell_arrival();
        Ok(())
    }

    /// Puts a message into the queue of `to`, when there is room.
    fn hand_over(
        &self,
        message: Message,
        to: &Arc<Self>,
        is_named: bool,
        patience: Patience,
    ) -> Result<(), SocketError> {
        loop {
            let mut state = to.state.lock();
            let is_theirs = self.kind == Kind::Datagram
                && state
                    .peer
                    .as_ref()
                    .is_some_and(|peer| !core::ptr::eq(&**peer, self));
            let refusal = match &*state {
                state if state.is_closed => Some(SocketError::Refused),
                _ if is_theirs => Some(SocketError::NotPermitted),
                state if state.shut & SHUT_READ != 0 => Some(SocketError::Shut),
                _ => None,
            };
            if let Some(refusal) = refusal {
                drop(state);
                if refusal == SocketError::Refused && !is_named {
                    return Err(self.peer_has_gone());
                }
                return Err(refusal);
            }
            if self.kind != Kind::Datagram || !state.is_full_for(self) {
                if state.queue.try_reserve(1).is_err() {
                    drop(state);
                    return Err(SocketError::OutOfMemory);
                }
                state.queue.push_back(message);
                drop(state);
                to.tell_arrival();
                return Ok(());
            }
            drop(state);
            Self::wait(&to.room, patience, || !to.state.lock().is_full_for(self))?;
        }
    }

    /// The other end was closed: datagrams go nowhere from now on.
    fn peer_has_gone(&self) -> SocketError {
        if self.kind == Kind::Packets {
            return SocketError::Shut;
        }
        self.disconnect();
        SocketError::Refused
    }
}
