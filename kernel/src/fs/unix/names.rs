//! Who is called what: names that are files, by number of the file, and names that stand for themselves.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use unix::Address;

use super::super::inode::Inode;
use super::super::rank;
use super::endpoint::Endpoint;
use super::{Kind, SocketError};
use crate::locks::SpinLock;

/// How a name is found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    /// By device and number of its file.
    File(u64, u64),
    /// By itself, and what the socket carries: each kind has names of its own.
    Abstract(Kind, Vec<u8>),
}

static NAMES: SpinLock<BTreeMap<Key, Weak<Endpoint>>, { rank::POLL }> =
    SpinLock::new(BTreeMap::new());
/// Names that were given to who asked for any.
static AUTOMATIC: AtomicU32 = AtomicU32::new(0);
/// How many of those there are.
const AUTOMATIC_NAMES: u32 = 1 << 20;

/// A name that is taken, until this is dropped.
pub struct Registration(Key);

impl Drop for Registration {
    fn drop(&mut self) {
        let gone = NAMES.lock().remove(&self.0);
        drop(gone);
    }
}

impl Endpoint {
    /// Returns its name.
    pub fn name(&self) -> Option<Arc<Address>> {
        self.state.lock().name.clone()
    }

    /// Returns the name of the other end.
    pub fn peer_name(&self) -> Result<Option<Arc<Address>>, SocketError> {
        let peer = self.state.lock().peer.clone();
        Ok(peer.ok_or(SocketError::NotConnected)?.name())
    }

    /// Gives it a name that stands for itself.
    pub fn bind_abstract(self: &Arc<Self>, name: Vec<u8>) -> Result<(), SocketError> {
        let key = Key::Abstract(self.kind, name.clone());
        self.bind(key, Address::Abstract(name))
    }

    /// Gives it the path of a file that was made for it.
    pub fn bind_file(self: &Arc<Self>, file: &Inode, path: Vec<u8>) -> Result<(), SocketError> {
        self.bind(key_of(file), Address::Path(path))
    }

    /// Gives it any name, if it has none.
    pub fn bind_any(self: &Arc<Self>) -> Result<(), SocketError> {
        for _ in 0..AUTOMATIC_NAMES {
            if self.name().is_some() {
                return Ok(());
            }
            let number = AUTOMATIC.fetch_add(1, Relaxed) % AUTOMATIC_NAMES;
            let Address::Abstract(name) = Address::automatic(number) else {
                break;
            };
            match self.bind_abstract(name) {
                Err(SocketError::InUse) => {}
                // Somebody else gave it one meanwhile.
                Err(SocketError::Invalid) => return Ok(()),
                outcome => return outcome,
            }
        }
        Err(SocketError::InUse)
    }

    fn bind(self: &Arc<Self>, key: Key, address: Address) -> Result<(), SocketError> {
        let mut state = self.state.lock();
        if state.name.is_some() {
            return Err(SocketError::Invalid);
        }
        let mut names = NAMES.lock_under(&state);
        if names.contains_key(&key) {
            return Err(SocketError::InUse);
        }
        names.insert(key.clone(), Arc::downgrade(self));
        drop(names);
        state.registration = Some(Registration(key));
        state.name = Some(Arc::new(address));
        Ok(())
    }
}

fn key_of(file: &Inode) -> Key {
    Key::File(file.fs.dev, file.ino)
}

/// Finds the socket of a name that stands for itself.
pub fn find_abstract(name: &[u8], kind: Kind) -> Result<Arc<Endpoint>, SocketError> {
    find(&Key::Abstract(kind, name.to_vec()), kind)
}

/// Finds the socket that a file was made for.
pub fn find_file(file: &Inode, kind: Kind) -> Result<Arc<Endpoint>, SocketError> {
    find(&key_of(file), kind)
}

fn find(key: &Key, kind: Kind) -> Result<Arc<Endpoint>, SocketError> {
    let found = NAMES.lock().get(key).and_then(Weak::upgrade);
    let endpoint = found.ok_or(SocketError::Refused)?;
    match endpoint.kind == kind {
        true => Ok(endpoint),
        false => Err(SocketError::WrongKind),
    }
}
