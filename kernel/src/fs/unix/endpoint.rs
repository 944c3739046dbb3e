//! A socket: whom it is connected with, what waits for it, and how it ends.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::socket::Ucred;
use unix::Address;

use super::super::file::Readiness;
use super::super::rank;
use super::names::Registration;
use super::options::Options;
use super::outgoing::{Charge, Outgoing};
use super::rights::Rights;
use super::{Kind, Patience, SocketError};
use crate::locks::{self, Mutex, SpinLock, WaitQueue};
use crate::time;

/// It reads no more.
pub const SHUT_READ: u8 = 1;
/// It writes no more.
pub const SHUT_WRITE: u8 = 2;
/// Neither.
pub const SHUT_BOTH: u8 = 3;

/// How many datagrams wait for a socket, and one more.
const MOST_DATAGRAMS: usize = 10;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1 << 33);

/// A socket.
pub struct Endpoint {
    /// What it carries.
    pub kind: Kind,
    /// What `stat` calls it.
    pub number: u64,
    pub(super) state: SpinLock<State, { locks::rank::SOURCE }>,
    /// Held by who takes messages out, while they are copied.
    pub(super) reading: Mutex<(), { rank::PIPE }>,
    /// Who waits for messages, or for connections.
    pub(super) arrived: WaitQueue,
    /// Who waits for room among the messages or connections that wait here.
    pub(super) room: WaitQueue,
    /// What it has sent.
    pub outgoing: Arc<Outgoing>,
    /// What was set.
    pub options: Options,
}

/// How far it has come.
pub(super) enum Phase {
    /// Not connected, or a datagram socket.
    Alone,
    /// Others connect to it.
    Listening {
        backlog: usize,
        pending: VecDeque<Arc<Endpoint>>,
    },
    /// It has, or had, another end.
    Connected,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) phase: Phase,
    /// Whom it sends to. The other end holds this one as well, until one of them is closed.
    pub(super) peer: Option<Arc<Endpoint>>,
    pub(super) name: Option<Arc<Address>>,
    pub(super) registration: Option<Registration>,
    pub(super) queue: VecDeque<Message>,
    pub(super) shut: u8,
    pub(super) is_closed: bool,
    /// Told once, to whoever asks first.
    pub(super) error: Option<SocketError>,
    /// Who the other end was when they came together; of a listener, who listens.
    pub(super) peer_cred: Ucred,
    /// Senders that poll for room in the queue.
    pub(super) crowd: Vec<Weak<Outgoing>>,
}

/// Something sent.
pub(super) struct Message {
    pub(super) data: Vec<u8>,
    /// Bytes that are read already.
    pub(super) start: usize,
    pub(super) rights: Rights,
    pub(super) cred: Ucred,
    pub(super) from: Option<Arc<Address>>,
    pub(super) _charge: Charge,
}

impl Message {
    pub(super) fn rest(&self) -> &[u8] {
        &self.data[self.start..]
    }
}

impl Endpoint {
    /// Makes a socket that knows nobody.
    pub(super) fn new(kind: Kind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            number: NEXT_NUMBER.fetch_add(1, Relaxed),
            state: SpinLock::new(State {
                phase: Phase::Alone,
                peer: None,
                name: None,
                registration: None,
                queue: VecDeque::new(),
                shut: 0,
                is_closed: false,
                error: None,
                peer_cred: Ucred::NOBODY,
                crowd: Vec::new(),
            }),
            reading: Mutex::new(()),
            arrived: WaitQueue::new(),
            room: WaitQueue::new(),
            outgoing: Outgoing::new(),
            options: Options::default(),
        })
    }

    /// Connects it with `peer`, whose process is `who`.
    pub(super) fn become_connected(&self, peer: &Arc<Self>, who: Ucred) {
        let mut state = self.state.lock();
        state.phase = Phase::Connected;
        state.peer = Some(peer.clone());
        state.peer_cred = who;
    }

    /// Returns whether messages keep together what was sent together.
    pub(super) fn keeps_borders(&self) -> bool {
        self.kind != Kind::Stream
    }

    /// Tells everybody that what it is ready for has changed.
    pub(super) fn tell_all(&self) {
        self.arrived.wake_all();
        self.room.wake_all();
        self.outgoing.room.wake_all();
        self.outgoing.pollers.notify(Readiness::all());
    }

    /// Tells that something has arrived.
    pub(super) fn tell_arrival(&self) {
        self.arrived.wake_all();
        self.outgoing
            .pollers
            .notify(Readiness::READABLE | Readiness::READ_BAND);
    }

    /// Tells that there is room in the queue.
    pub(super) fn tell_room(&self) {
        self.room.wake_all();
        let crowd = core::mem::take(&mut self.state.lock().crowd);
        for outgoing in crowd.iter().filter_map(Weak::upgrade) {
            outgoing
                .pollers
                .notify(Readiness::WRITABLE | Readiness::WRITE_BAND);
        }
    }

    /// Ends sending, receiving or both; the other end of a connection learns it.
    pub fn shutdown(&self, how: u8) -> Result<(), SocketError> {
        let mut state = self.state.lock();
        state.shut |= how;
        let peer = state.peer.clone();
        drop(state);
        if let Some(peer) = peer
            && self.kind != Kind::Datagram
        {
            let mirrored = how >> 1 & 1 | how << 1 & 2;
            peer.state.lock().shut |= mirrored;
            peer.tell_all();
        }
        self.tell_all();
        Ok(())
    }

    /// Ends it: nobody has it open any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.shut = SHUT_BOTH;
        let peer = state.peer.take();
        let registration = state.registration.take();
        let queue = core::mem::take(&mut state.queue);
        let phase = core::mem::replace(&mut state.phase, Phase::Alone);
        drop(state);
        drop(registration);
        if let Some(peer) = peer
            && self.kind != Kind::Datagram
        {
            let mut other = peer.state.lock();
            other.shut = SHUT_BOTH;
            if !queue.is_empty() {
                other.error = Some(SocketError::Reset);
            }
            drop(other);
            peer.tell_all();
        }
        drop(queue);
        if let Phase::Listening { pending, .. } = phase {
            pending.iter().for_each(|embryo| embryo.abort());
        }
        self.tell_room();
        self.tell_all();
    }

    /// Ends a connection that was never accepted.
    fn abort(&self) {
        let peer = self.state.lock().peer.clone();
        self.close();
        if let Some(peer) = peer {
            peer.state.lock().error = Some(SocketError::Reset);
            peer.tell_all();
        }
    }

    /// Says what would not block, exactly as Linux says it.
    pub(super) fn readiness(&self) -> Readiness {
        let state = self.state.lock();
        let mut readiness = Readiness::empty();
        let shut_read = state.shut & SHUT_READ != 0;
        let has_arrivals = match &state.phase {
            Phase::Listening { pending, .. } => !pending.is_empty(),
            _ => !state.queue.is_empty(),
        };
        let is_alone = matches!(state.phase, Phase::Alone) && self.kind != Kind::Datagram;
        readiness.set(Readiness::ERROR, state.error.is_some());
        readiness.set(Readiness::HANG_UP, state.shut == SHUT_BOTH || is_alone);
        readiness.set(Readiness::READ_HANG_UP, shut_read);
        readiness.set(Readiness::READABLE, shut_read || has_arrivals);
        let listens = matches!(state.phase, Phase::Listening { .. });
        let peer = state.peer.clone().filter(|_| self.kind == Kind::Datagram);
        drop(state);
        let crowded = peer.is_some_and(|peer| peer.is_crowded_for(self));
        if !listens && !crowded && self.outgoing.is_writable() {
            readiness |= Readiness::WRITABLE | Readiness::WRITE_BAND;
        }
        readiness
    }

    /// Says whether so many datagrams wait here that `sender` must; its pollers are told then when there is room.
    fn is_crowded_for(&self, sender: &Self) -> bool {
        let mut state = self.state.lock();
        if !state.is_full_for(sender) {
            return false;
        }
        let outgoing = Arc::downgrade(&sender.outgoing);
        if !state.crowd.iter().any(|known| known.ptr_eq(&outgoing)) {
            state.crowd.push(outgoing);
        }
        true
    }

    /// Returns who the other end was when they came together.
    pub fn peer_cred(&self) -> Ucred {
        self.state.lock().peer_cred
    }

    /// Returns and forgets what has happened to it.
    pub fn take_error(&self) -> Option<SocketError> {
        self.state.lock().error.take()
    }

    /// Returns whether others connect to it.
    pub fn is_listening(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Listening { .. })
    }

    /// Returns how many bytes can be read: of a stream all, else those of the first message. `None` of a listener.
    pub fn unread(&self) -> Option<usize> {
        let state = self.state.lock();
        if let Phase::Listening { .. } = state.phase {
            return None;
        }
        let mut lengths = state.queue.iter().map(|message| message.rest().len());
        Some(match self.kind {
            Kind::Stream => lengths.sum(),
            _ => lengths.next().unwrap_or(0),
        })
    }

    /// Sleeps until `ready`, as long as patience lasts.
    pub(super) fn wait(
        queue: &WaitQueue,
        patience: Patience,
        ready: impl Fn() -> bool,
    ) -> Result<(), SocketError> {
        match patience {
            Patience::None if ready() => Ok(()),
            Patience::None => Err(SocketError::WouldBlock),
            Patience::Endless => queue
                .wait_until_interruptible(ready)
                .map_err(|_| SocketError::Interrupted),
            Patience::Until(deadline) => {
                let _timer = time::wake_at(deadline);
                let is_over = || time::now_ns() >= deadline;
                queue
                    .wait_until_interruptible(|| ready() || is_over())
                    .map_err(|_| SocketError::InterruptedInTime)?;
                match ready() {
                    true => Ok(()),
                    false => Err(SocketError::WouldBlock),
                }
            }
        }
    }
}

impl State {
    /// Says whether `sender` has to wait until messages were taken out. Who is connected back sends as much as its
    /// account allows.
    pub(super) fn is_full_for(&self, sender: &Endpoint) -> bool {
        let is_mutual = self
            .peer
            .as_ref()
            .is_some_and(|peer| core::ptr::eq(&**peer, sender));
        self.queue.len() > MOST_DATAGRAMS && !is_mutual && !self.is_closed
    }
}
