//! Receiving: messages are taken out of the queue one by one and copied to the program.
//!
//! One reader at a time does that, so that a message that was taken out may be put back in front.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::net::SO_PASSCRED;
use abi::socket::Ucred;
use unix::Address;

use super::super::file::OpenFile;
use super::super::user_buf::UserBuf;
use super::endpoint::{Endpoint, Message, Phase, SHUT_READ};
use super::{Kind, Patience, SocketError, rights};

/// How something is to be received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// It stays where it is.
    pub peek: bool,
    /// A stream is waited for until there is as much as there is room for.
    pub all: bool,
}

/// What was received besides bytes.
#[derive(Default)]
pub struct Received {
    /// Open files.
    pub files: Vec<Arc<OpenFile>>,
    /// Who sent it.
    pub cred: Option<Ucred>,
    /// The sender's name, if anything was received and the sender has one.
    pub from: Option<Arc<Address>>,
    /// The length of a message, which may be more than there was room for.
    pub len: Option<usize>,
}

/// Whether a reader goes on with the next message.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

impl Endpoint {
    /// Receives what there is room for in `to`: of a stream what is there, else one message.
    pub fn receive(
        &self,
        to: &mut UserBuf<'_>,
        wanted: Wanted,
        patience: Patience,
    ) -> Result<Received, SocketError> {
        match self.keeps_borders() {
            true => self.receive_message(to, wanted, patience),
            false => self.receive_stream(to, wanted, patience),
        }
    }

    fn receive_stream(
        &self,
        to: &mut UserBuf<'_>,
        wanted: Wanted,
        patience: Patience,
    ) -> Result<Received, SocketError> {
        if !matches!(self.state.lock().phase, Phase::Connected) {
            return Err(SocketError::Invalid);
        }
        let mut received = Received::default();
        let before = to.done();
        loop {
            let taken = self.take_stream_messages(to, wanted, &mut received);
            let some = to.done() > before;
            let enough = some && (!wanted.all || wanted.peek);
            match taken {
                Err(_) if some => return Ok(received),
                Err(error) => return Err(error),
                Ok(go) if go == Go::Stop || enough || to.left() == 0 => return Ok(received),
                Ok(_) => {}
            }
            match self.at_end() {
                Some(_) if some => return Ok(received),
                Some(end) => return end.map(|()| received),
                None => {}
            }
            match Self::wait(&self.arrived, patience, || self.has_news()) {
                Err(_) if some => return Ok(received),
                outcome => outcome?,
            }
        }
    }

    fn receive_message(
        &self,
        to: &mut UserBuf<'_>,
        wanted: Wanted,
        patience: Patience,
    ) -> Result<Received, SocketError> {
        if self.kind == Kind::Packets && !matches!(self.state.lock().phase, Phase::Connected) {
            return Err(SocketError::NotConnected);
        }
        loop {
            if let Some(error) = self.take_error() {
                return Err(error);
            }
            let reading = self.reading.lock();
            if let Some(message) = self.pop() {
                return self.read_message(message, to, wanted);
            }
            drop(reading);
            let shut = self.state.lock().shut & SHUT_READ != 0;
            match (shut, patience) {
                (true, Patience::None) if self.kind == Kind::Datagram => {
                    return Err(SocketError::WouldBlock);
                }
                (true, _) => return Ok(Received::default()),
                (false, _) => {}
            }
            Self::wait(&self.arrived, patience, || self.has_news())?;
        }
    }

    /// Returns how it has ended, if nothing waits any more: well or badly.
    fn at_end(&self) -> Option<Result<(), SocketError>> {
        let mut state = self.state.lock();
        if !state.queue.is_empty() {
            return None;
        }
        match state.error.take() {
            Some(error) => Some(Err(error)),
            None => (state.shut & SHUT_READ != 0).then_some(Ok(())),
        }
    }

    fn has_news(&self) -> bool {
        let state = self.state.lock();
        !state.queue.is_empty() || state.shut & SHUT_READ != 0 || state.error.is_some()
    }

    fn pop(&self) -> Option<Message> {
        self.state.lock().queue.pop_front()
    }

    /// Puts messages back in front, in the order in which they were.
    fn put_back(&self, messages: Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return drop(messages);
        }
        for message in messages.into_iter().rev() {
            state.queue.push_front(message);
        }
        drop(state);
        // Whoever looked meanwhile did not see them.
        self.tell_arrival();
    }

    /// Takes a message: copies what there is room for; the rest is lost.
    fn read_message(
        &self,
        mut message: Message,
        to: &mut UserBuf<'_>,
        wanted: Wanted,
    ) -> Result<Received, SocketError> {
        let mut received = Received::default();
        received.note(&mut message, wanted.peek);
        received.len = Some(message.data.len());
        let copied = to.put(&message.data);
        match wanted.peek {
            true => self.put_back(alloc::vec![message]),
            false => {
                drop(message);
                self.tell_room();
            }
        }
        copied.map_err(|_| SocketError::BadAddress)?;
        Ok(received)
    }

    /// Reads what waits of a stream, up to a message whose files or sender have to be told apart.
    fn take_stream_messages(
        &self,
        to: &mut UserBuf<'_>,
        wanted: Wanted,
        received: &mut Received,
    ) -> Result<Go, SocketError> {
        let _reading = self.reading.lock();
        let mut kept = Vec::new();
        let mut outcome = Ok(Go::On);
        while to.left() > 0 && outcome == Ok(Go::On) {
            let Some(mut message) = self.pop() else {
                break;
            };
            if self.is_from_another(&message, received) {
                kept.push(message);
                outcome = Ok(Go::Stop);
                break;
            }
            let before = to.done();
            if to.put(message.rest()).is_err() && to.done() == before {
                kept.push(message);
                outcome = Err(SocketError::BadAddress);
                break;
            }
            let copied = to.done() - before;
            let had_rights = !message.rights.is_empty();
            received.note(&mut message, wanted.peek);
            let is_done = copied == message.rest().len();
            if !is_done {
                outcome = Ok(Go::Stop);
            }
            if wanted.peek {
                kept.push(message);
            } else if is_done {
                drop(message);
            } else {
                message.start += copied;
                kept.push(message);
            }
            if had_rights || !received.files.is_empty() {
                outcome = Ok(Go::Stop);
            }
        }
        self.put_back(kept);
        outcome
    }

    /// Senders that the program wants to know are not mixed.
    fn is_from_another(&self, message: &Message, received: &Received) -> bool {
        self.options.is_on(SO_PASSCRED) && received.cred.is_some_and(|cred| cred != message.cred)
    }
}

impl Received {
    /// Notes what goes with a message; its files are taken out unless it is only peeked at.
    fn note(&mut self, message: &mut Message, peek: bool) {
        self.cred.get_or_insert(message.cred);
        if self.from.is_none() {
            self.from = message.from.clone();
        }
        if message.rights.is_empty() {
            return;
        }
        let mut table = rights::hold();
        let files = match peek {
            true => message.rights.peek(),
            false => message.rights.take(&mut table),
        };
        drop(table);
        self.files.extend(files);
    }
}
