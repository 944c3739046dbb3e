//! Open regular files: reading and writing at a position, changes of the size.

use addr::PAGE_SIZE;
use vfs::seek::{self, SeekError, Whence};

use super::file::{File, IoError, Mapping, WriteAt};
use super::inode::{Inode, InodeRef, Metadata};
use super::page_cache::{MAX_SIZE, PageCache};
use super::size_limit;
use super::user_buf::UserBuf;
use crate::mm::rmap::{self, Scope};

/// An open regular file.
pub struct Regular {
    inode: InodeRef,
    keeps_atime: bool,
}

impl Regular {
    /// Opens the file; reading leaves no trace if it `keeps_atime`.
    pub fn new(inode: InodeRef, keeps_atime: bool) -> Self {
        Self { inode, keeps_atime }
    }

    fn cache(&self) -> &PageCache {
        self.inode
            .cache()
            .expect("only a regular file is opened as one")
    }
}

impl File for Regular {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, at: u64, to: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        if !self.keeps_atime {
            self.inode.accessed();
        }
        self.cache().read(at, to)
    }

    /// Writers come one at a time, so that two that append never overlap.
    fn write(&self, at: &mut WriteAt, from: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        let cache = self.cache();
        let _contents = self.inode.contents.lock();
        if from.left() == 0 {
            return Ok(());
        }
        if at.append {
            at.position = cache.size();
        }
        let room = MAX_SIZE.saturating_sub(at.position);
        if room == 0 {
            return Err(IoError::TooLarge);
        }
        let len = room.min(from.left() as u64);
        let len = size_limit::writable(at.position, len)?;
        from.limit(self.inode.writable_len(at.position, len, cache.size())?);
        let before = from.done();
        let outcome = cache.write(at.position, from);
        if from.done() > before {
            self.inode.modified();
        }
        outcome
    }

    fn mapping(&self) -> Option<Mapping> {
        // Nobody sees what is read of a mapping: that it was made counts.
        if !self.keeps_atime {
            self.inode.accessed();
        }
        Some(Mapping::Source(self.inode.clone()))
    }

    fn len(&self) -> u64 {
        self.cache().size()
    }

    fn seek(&self, position: u64, offset: i64, whence: Whence) -> Result<u64, SeekError> {
        match whence {
            Whence::Data => self.cache().seek_data(offset, false),
            Whence::Hole => self.cache().seek_data(offset, true),
            _ => seek::seek(position, self.len(), offset, whence),
        }
    }
}

/// What `fallocate` does with a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allocate {
    /// Gives it pages, and the file its length.
    Extend,
    /// Gives it pages.
    Keep,
    /// Takes its pages away: it reads as zeros.
    Punch,
}

impl Inode {
    /// Makes a regular file `size` bytes long (HF-13).
    ///
    /// What is cut off disappears from every mapping, copies that private ones have made included.
    pub fn truncate(&self, size: u64) -> Result<(), IoError> {
        let cache = self.cache().ok_or(IoError::Invalid)?;
        if size > MAX_SIZE {
            return Err(IoError::TooLarge);
        }
        let _contents = self.contents.lock();
        self.check_size(cache.size(), size)?;
        size_limit::check(cache.size(), size)?;
        if size < cache.size() {
            cache.shrink(size)?;
            rmap::unmap_pages(self, size.div_ceil(PAGE_SIZE)..u64::MAX, Scope::CopiesToo);
        } else {
            cache.grow(size);
        }
        self.modified();
        Ok(())
    }

    /// Gives pages to a part of a regular file, or takes them away.
    pub fn allocate(&self, start: u64, len: u64, what: Allocate) -> Result<(), IoError> {
        let cache = self.cache().ok_or(IoError::Invalid)?;
        let end = start
            .checked_add(len)
            .filter(|end| *end <= MAX_SIZE)
            .ok_or(IoError::TooLarge)?;
        let _contents = self.contents.lock();
        let size = cache.size();
        if what == Allocate::Punch {
            if self.refuses_stores() {
                return Err(IoError::NotPermitted);
            }
            let end = end.min(size.next_multiple_of(PAGE_SIZE));
            if start < end {
                // Out of the mappings first: no store may find that a page it sees is the file's no
                // more, since that means the file has become shorter.
                let pages = start.div_ceil(PAGE_SIZE)..end / PAGE_SIZE;
                rmap::unmap_pages(self, pages, Scope::FilePages);
                cache.punch(start..end)?;
            }
        } else {
            self.check_size(size, size.max(end))?;
            if what == Allocate::Extend {
                size_limit::check(size, end)?;
            }
            cache.reserve(start..end)?;
            if what == Allocate::Extend {
                cache.grow(end);
            }
        }
        self.modified();
        Ok(())
    }
}
