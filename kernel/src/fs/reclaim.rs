//! Every regular file, for those who want memory back.
//!
//! What can be dropped is a clean page: the archive, or nothing at all, stands behind it.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use super::inode::{Inode, InodeRef};
use super::rank;
use crate::locks::SpinLock;

type Key = (u64, u64);

static FILES: SpinLock<BTreeMap<Key, Weak<Inode>>, { rank::FILES }> =
    SpinLock::new(BTreeMap::new());

fn key(inode: &Inode) -> Key {
    (inode.fs.dev, inode.ino)
}

pub(super) fn add(inode: &InodeRef) {
    FILES.lock().insert(key(inode), Arc::downgrade(inode));
}

pub(super) fn remove(inode: &Inode) {
    FILES.lock().remove(&key(inode));
}

/// Calls `each` for every regular file, with no lock held, until it returns false.
pub fn for_each_file(mut each: impl FnMut(&InodeRef) -> bool) {
    let mut after = (0, 0);
    while let Some((key, file)) = next(after) {
        after = key;
        if let Some(inode) = file.upgrade()
            && !each(&inode)
        {
            return;
        }
    }
}

fn next((dev, ino): Key) -> Option<(Key, Weak<Inode>)> {
    let files = FILES.lock();
    let (key, file) = files.range((dev, ino + 1)..).next()?;
    Some((*key, file.clone()))
}

/// Drops at most `max` clean pages that nobody has mapped; returns how many.
pub fn drop_clean(max: u64) -> u64 {
    let mut dropped = 0;
    for_each_file(|inode| {
        if let Some(cache) = inode.cache() {
            dropped += cache.drop_clean(max - dropped);
        }
        dropped < max
    });
    dropped
}
