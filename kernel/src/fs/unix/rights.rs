//! Open files in messages.
//!
//! A socket in a message that waits at a socket that is itself in a message may be out of everybody's reach. All sockets in
//! messages are therefore counted ([`IN_FLIGHT`]); when a socket is closed while there are some, those that `unix::garbage`
//! finds lose what waits for them ([`collect`]), and go.
//!
//! Files that were in messages are dropped one after the other: each may be a socket with messages of its own, and the kernel
//! stack is not deep enough for a chain of them.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Release, SeqCst},
};

use unix::{Node, garbage};

use super::super::eventfd::downcast;
use super::super::file::OpenFile;
use super::super::rank;
use super::endpoint::{Endpoint, Message, Phase, State};
use super::{Socket, SocketError};
use crate::locks::{KernelHooks, Mutex, SpinLock};
use crate::mm::frame;

/// A socket that is in messages.
pub(super) struct Flying {
    file: Weak<OpenFile>,
    /// In how many.
    count: usize,
}

type Table = BTreeMap<usize, Flying>;
pub(super) type TableGuard<'a> = sync::MutexGuard<'a, Table, { rank::IN_FLIGHT }, KernelHooks>;

static IN_FLIGHT: Mutex<Table, { rank::IN_FLIGHT }> = Mutex::new(BTreeMap::new());
/// How many sockets are in the table.
static FLYING: AtomicUsize = AtomicUsize::new(0);
/// How many files are in messages.
static FILES: AtomicUsize = AtomicUsize::new(0);
/// Files on their way out.
static LEAVING: SpinLock<Vec<Arc<OpenFile>>, { rank::POLL }> = SpinLock::new(Vec::new());
static IS_LEAVING: AtomicBool = AtomicBool::new(false);

/// The open files in one message.
#[derive(Default)]
pub struct Rights(Vec<Arc<OpenFile>>);

/// Stops whoever looks for garbage.
pub(super) fn hold() -> TableGuard<'static> {
    IN_FLIGHT.lock()
}

fn address(file: &Arc<OpenFile>) -> usize {
    Arc::as_ptr(file).addr()
}

fn is_socket(file: &Arc<OpenFile>) -> bool {
    downcast::<Socket>(file).is_some()
}

impl Rights {
    /// Puts files into a message, unless there are too many in messages: one for every four pages of memory.
    pub fn new(files: Vec<Arc<OpenFile>>) -> Result<Self, SocketError> {
        let most = (frame::total() / 4) as usize;
        let more = |count| (count + files.len() <= most).then_some(count + files.len());
        if FILES.fetch_update(SeqCst, SeqCst, more).is_err() {
            return Err(SocketError::TooManyFiles);
        }
        if files.iter().any(is_socket) {
            let mut table = hold();
            for file in files.iter().filter(|file| is_socket(file)) {
                let fresh = || Flying {
                    file: Arc::downgrade(file),
                    count: 0,
                };
                table.entry(address(file)).or_insert_with(fresh).count += 1;
            }
            FLYING.store(table.len(), SeqCst);
        }
        Ok(Self(files))
    }

    /// Returns whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the files once more: the message stays where it is.
    pub(super) fn peek(&self) -> Vec<Arc<OpenFile>> {
        self.0.clone()
    }

    /// Takes the files out of the message.
    pub(super) fn take(&mut self, table: &mut TableGuard<'_>) -> Vec<Arc<OpenFile>> {
        let files = core::mem::take(&mut self.0);
        FILES.fetch_sub(files.len(), SeqCst);
        for file in files.iter().filter(|file| is_socket(file)) {
            let key = address(file);
            if let Some(flying) = table.get_mut(&key) {
                flying.count -= 1;
                if flying.count == 0 {
                    table.remove(&key);
                }
            }
        }
        FLYING.store(table.len(), SeqCst);
        files
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            let files = self.take(&mut hold());
            leave(files);
        }
    }
}

/// Drops files, one after the other.
fn leave(files: Vec<Arc<OpenFile>>) {
    LEAVING.lock().extend(files);
    while !IS_LEAVING.swap(true, AcqRel) {
        loop {
            let file = LEAVING.lock().pop();
            match file {
                Some(file) => drop(file),
                None => break,
            }
        }
        IS_LEAVING.store(false, Release);
        if LEAVING.lock().is_empty() {
            return;
        }
    }
}

/// Lets go of sockets that only messages know that nobody can receive.
pub fn collect() {
    if FLYING.load(SeqCst) == 0 {
        return;
    }
    let table = hold();
    // Whoever gets at one of these by other means than messages holds it, and then it is no candidate.
    let files: Vec<(usize, Arc<OpenFile>)> = table
        .iter()
        .filter_map(|(key, flying)| Some((*key, flying.file.upgrade()?)))
        .collect();
    let index_of = |file: &Arc<OpenFile>| {
        let key = address(file);
        files.binary_search_by_key(&key, |(key, _)| *key).ok()
    };
    let nodes: Vec<Node> = files
        .iter()
        .map(|(key, file)| {
            let mut holds = Vec::new();
            each_held(file, &mut |held| holds.extend(index_of(held)));
            Node {
                references: Arc::strong_count(file) - 1,
                in_flight: table[key].count,
                holds,
            }
        })
        .collect();
    let mut gone = Vec::new();
    for at in garbage(&nodes) {
        if let Some(socket) = downcast::<Socket>(&files[at].1) {
            socket.endpoint().give_up(&mut gone);
        }
    }
    drop(table);
    drop(files);
    drop(gone);
}

/// Calls `each` with the files in the messages that wait at a socket, or at connections that it has not accepted.
fn each_held(file: &Arc<OpenFile>, each: &mut dyn FnMut(&Arc<OpenFile>)) {
    let Some(socket) = downcast::<Socket>(file) else {
        return;
    };
    let endpoint = socket.endpoint();
    for embryo in endpoint.pending() {
        embryo.state.lock().each_held(each);
    }
    endpoint.state.lock().each_held(each);
}

impl State {
    fn each_held(&self, each: &mut dyn FnMut(&Arc<OpenFile>)) {
        for message in &self.queue {
            message.rights.0.iter().for_each(&mut *each);
        }
    }
}

impl Endpoint {
    /// The connections that it has not accepted.
    fn pending(&self) -> Vec<Arc<Self>> {
        match &self.state.lock().phase {
            Phase::Listening { pending, .. } => pending.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Moves everything that waits for it, and that nobody will receive, into `gone`.
    fn give_up(&self, gone: &mut Vec<Message>) {
        for embryo in self.pending() {
            gone.extend(core::mem::take(&mut embryo.state.lock().queue));
        }
        gone.extend(core::mem::take(&mut self.state.lock().queue));
    }
}
