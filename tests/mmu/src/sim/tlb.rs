//! What a processor remembers of page tables: translations, and where lower tables lie.
//!
//! It is the worst TLB that the manual allows: as large as need be, it drops nothing by itself.
//! Manual: Intel SDM vol. 3, 4.10 "Caching Translation Information".

use std::collections::BTreeMap;

use addr::{Frame, Page};
use pte::Access;

/// A remembered translation, with the rights that held when it was loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The frame; of a large page the first one.
    pub frame: Frame,
    /// Whether all levels allowed writes.
    pub write: bool,
    /// Whether all levels allowed user mode.
    pub user: bool,
    /// Whether all levels allowed fetches.
    pub fetch: bool,
    /// Whether the processor knows that the dirty bit is set.
    pub dirty: bool,
}

impl Entry {
    /// Says whether a user program's `access` is allowed.
    pub fn permits(&self, access: Access) -> bool {
        self.user
            && match access {
                Access::Read => true,
                Access::Write => self.write,
                Access::Fetch => self.fetch,
            }
    }

    /// Returns the same for one small page of the page of `size` that this is about.
    #[must_use]
    pub fn of_page(&self, size: Size, page: Page) -> Self {
        let within = match size {
            Size::Small => 0,
            Size::Large => page.number() & 511,
        };
        Self {
            frame: self.frame.add(within),
            ..*self
        }
    }

    /// Says whether nothing is allowed here that `now` forbids, and no dirty bit would be forgotten.
    pub fn is_within(&self, now: &Self) -> bool {
        self.frame == now.frame
            && (!self.dirty || now.dirty)
            && (!self.write || now.write)
            && (!self.user || now.user)
            && (!self.fetch || now.fetch)
    }
}

/// How large a page an entry translates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Size {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
}

impl Size {
    /// Returns the number of the page of this size that `page` lies in.
    fn number(self, page: Page) -> u64 {
        match self {
            Self::Small => page.number(),
            Self::Large => page.number() >> 9,
        }
    }
}

/// One processor's memory.
#[derive(Default)]
pub struct Tlb {
    entries: BTreeMap<(Size, u64), Entry>,
    /// The paging-structure caches: the table of level 3, 2 or 1 that serves an address.
    tables: BTreeMap<(u8, u64), Frame>,
}

/// The part of a page number that selects a table of `level`.
fn prefix(level: u8, page: Page) -> u64 {
    page.number() >> (9 * level)
}

impl Tlb {
    /// Remembers nothing.
    pub const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            tables: BTreeMap::new(),
        }
    }

    /// Looks a page up.
    pub fn find(&self, page: Page) -> Option<(Size, Entry)> {
        [Size::Small, Size::Large].into_iter().find_map(|size| {
            let entry = self.entries.get(&(size, size.number(page)))?;
            Some((size, *entry))
        })
    }

    /// Remembers a translation.
    pub fn insert(&mut self, page: Page, size: Size, entry: Entry) {
        self.entries.insert((size, size.number(page)), entry);
    }

    /// Drops a page's translations, whatever their size, and returns them.
    pub fn remove(&mut self, page: Page) -> Vec<Entry> {
        [Size::Small, Size::Large]
            .into_iter()
            .filter_map(|size| self.entries.remove(&(size, size.number(page))))
            .collect()
    }

    /// Drops all translations and returns them.
    pub fn remove_all(&mut self) -> Vec<Entry> {
        core::mem::take(&mut self.entries).into_values().collect()
    }

    /// Returns the lowest remembered table on the way to `page`, with its level (3 to 1).
    pub fn table(&self, page: Page) -> Option<(u8, Frame)> {
        (1..=3).find_map(|level| Some((level, *self.tables.get(&(level, prefix(level, page)))?)))
    }

    /// Remembers where a table lies.
    pub fn insert_table(&mut self, page: Page, level: u8, table: Frame) {
        self.tables.insert((level, prefix(level, page)), table);
    }

    /// Drops every remembered table, as INVLPG does whatever its address, and returns them.
    pub fn remove_tables(&mut self) -> BTreeMap<(u8, u64), Frame> {
        core::mem::take(&mut self.tables)
    }

    /// Drops the tables on the way to `page`.
    pub fn remove_tables_of(&mut self, page: Page) {
        for level in 1..=3 {
            self.tables.remove(&(level, prefix(level, page)));
        }
    }

    /// Walks over all translations: the first page and the entry.
    pub fn entries(&self) -> impl Iterator<Item = (Page, Size, &Entry)> {
        self.entries
            .iter()
            .map(|(&(size, number), entry)| match size {
                Size::Small => (Page::new(number), size, entry),
                Size::Large => (Page::new(number << 9), size, entry),
            })
    }

    /// Walks over all remembered tables: the level, a page that they serve, the frame.
    pub fn tables(&self) -> impl Iterator<Item = (u8, Page, Frame)> {
        self.tables
            .iter()
            .map(|(&(level, prefix), &table)| (level, Page::new(prefix << (9 * level)), table))
    }

    /// Drops the `n`-th translation, counted around.
    pub fn evict(&mut self, n: u64) {
        let count = self.entries.len() as u64;
        if count > 0 {
            let key = self.entries.keys().nth((n % count) as usize).copied();
            key.and_then(|key| self.entries.remove(&key));
        }
    }

    /// Returns how many translations are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.tables.is_empty()
    }
}
