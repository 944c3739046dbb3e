//! How two sockets come together.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use abi::file::OpenFlags;
use abi::socket::Ucred;

use super::super::file::OpenFile;
use super::endpoint::{Endpoint, Phase, SHUT_READ};
use super::{Kind, Patience, SocketError, open};

/// The most connections that wait to be accepted.
const MAX_BACKLOG: u32 = 4096;

impl Endpoint {
    /// Begins to take connections; `who` is told to those who connect.
    pub fn listen(&self, backlog: u32, who: Ucred) -> Result<(), SocketError> {
        if self.kind == Kind::Datagram {
            return Err(SocketError::NotSupported);
        }
        let limit = backlog.min(MAX_BACKLOG) as usize;
        let mut state = self.state.lock();
        if state.name.is_none() {
            return Err(SocketError::Invalid);
        }
        match &mut state.phase {
            Phase::Connected => return Err(SocketError::Invalid),
            Phase::Listening { backlog, .. } => *backlog = limit,
            phase @ Phase::Alone => {
                *phase = Phase::Listening {
                    backlog: limit,
                    pending: VecDeque::new(),
                };
            }
        }
        state.peer_cred = who;
        drop(state);
        self.tell_all();
        Ok(())
    }

    /// Connects it to a listener; waits for room among those who wait to be accepted.
    pub fn connect(
        self: &Arc<Self>,
        to: &Arc<Self>,
        who: Ucred,
        patience: Patience,
    ) -> Result<(), SocketError> {
        if self.kind == Kind::Datagram {
            return self.connect_datagrams(to);
        }
        loop {
            match self.try_connect(to, who) {
                Err(SocketError::WouldBlock) => {
                    Self::wait(&to.room, patience, || !to.is_backlogged())?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Datagrams go to `to` from now on; who is connected to somebody else takes none.
    fn connect_datagrams(self: &Arc<Self>, to: &Arc<Self>) -> Result<(), SocketError> {
        let taken = to.state.lock().peer.clone();
        if taken.is_some_and(|peer| !Arc::ptr_eq(&peer, self)) {
            return Err(SocketError::NotPermitted);
        }
        let mut state = self.state.lock();
        let before = state.peer.replace(to.clone());
        state.phase = Phase::Connected;
        drop(state);
        drop(before);
        self.tell_all();
        Ok(())
    }

    /// Datagrams go nowhere in particular any more.
    pub fn disconnect(&self) {
        let mut state = self.state.lock();
        let before = state.peer.take();
        if self.kind == Kind::Datagram {
            state.phase = Phase::Alone;
        }
        drop(state);
        drop(before);
        self.tell_all();
    }

    fn try_connect(self: &Arc<Self>, to: &Arc<Self>, who: Ucred) -> Result<(), SocketError> {
        to.check_listening()?;
        let embryo = Self::new(self.kind);
        let (name, listener) = {
            let state = to.state.lock();
            (state.name.clone(), state.peer_cred)
        };
        {
            let mut state = self.state.lock();
            match state.phase {
                Phase::Connected => return Err(SocketError::IsConnected),
                Phase::Listening { .. } => return Err(SocketError::Invalid),
                Phase::Alone => {}
            }
            state.phase = Phase::Connected;
            state.peer = Some(embryo.clone());
            state.peer_cred = listener;
        }
        embryo.become_connected(self, who);
        embryo.state.lock().name = name;
        if let Err(error) = to.enqueue(&embryo) {
            let mut state = self.state.lock();
            state.phase = Phase::Alone;
            state.peer_cred = Ucred::NOBODY;
            let embryo = state.peer.take();
            drop(state);
            drop(embryo);
            return Err(error);
        }
        to.tell_arrival();
        self.tell_all();
        Ok(())
    }

    fn check_listening(&self) -> Result<(), SocketError> {
        let state = self.state.lock();
        let is_shut = state.is_closed || state.shut & SHUT_READ != 0;
        match &state.phase {
            Phase::Listening { backlog, pending } if !is_shut => match pending.len() > *backlog {
                true => Err(SocketError::WouldBlock),
                false => Ok(()),
            },
            _ => Err(SocketError::Refused),
        }
    }

    fn is_backlogged(&self) -> bool {
        self.check_listening() == Err(SocketError::WouldBlock)
    }

    fn enqueue(&self, embryo: &Arc<Self>) -> Result<(), SocketError> {
        let mut state = self.state.lock();
        let is_shut = state.is_closed || state.shut & SHUT_READ != 0;
        match &mut state.phase {
            Phase::Listening { backlog, pending } if !is_shut => {
                if pending.len() > *backlog {
                    return Err(SocketError::WouldBlock);
                }
                pending.push_back(embryo.clone());
                Ok(())
            }
            _ => Err(SocketError::Refused),
        }
    }

    /// Takes the connection that waits longest.
    pub fn accept(
        &self,
        flags: OpenFlags,
        patience: Patience,
    ) -> Result<(Arc<OpenFile>, Arc<Self>), SocketError> {
        if self.kind == Kind::Datagram {
            return Err(SocketError::NotSupported);
        }
        loop {
            let mut state = self.state.lock();
            let is_shut = state.shut & SHUT_READ != 0;
            let Phase::Listening { pending, .. } = &mut state.phase else {
                return Err(SocketError::Invalid);
            };
            let first = pending.pop_front();
            drop(state);
            if let Some(embryo) = first {
                self.room.wake_all();
                return Ok((open(embryo.clone(), flags), embryo));
            }
            if is_shut {
                return Err(SocketError::Invalid);
            }
            Self::wait(&self.arrived, patience, || self.has_connection())?;
        }
    }

    fn has_connection(&self) -> bool {
        let state = self.state.lock();
        match &state.phase {
            Phase::Listening { pending, .. } => !pending.is_empty() || state.shut & SHUT_READ != 0,
            _ => true,
        }
    }
}
