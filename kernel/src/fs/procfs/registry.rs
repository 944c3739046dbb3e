//! What is in `/proc`: layers add their files here while the machine boots.
//!
//! Four kinds: facts of the machine (`/proc/NAME`), facts of a process (`/proc/PID/NAME`), settings
//! (`/proc/sys/…`) and facts below `/sys`. A file's contents are made by a function when it is read.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::{self, Write};
use core::ops::Range;

use super::Tree;
use crate::fs::OpenFile;
use crate::fs::mount::Location;
use crate::locks::{Once, SpinLock, rank};
use crate::mm::MmUserRef;

/// Writes a text.
pub type MakeText = fn(&mut dyn Write) -> fmt::Result;
/// Writes a text about a process.
pub type MakeProcessText = fn(&dyn ProcessFacts, &mut dyn Write) -> fmt::Result;
/// Fills bytes of a file of 8-byte words about a process from an offset on; returns how many there are.
pub type ReadProcess = fn(&dyn ProcessFacts, u64, &mut [u8]) -> Result<usize, Refused>;
/// Takes what a program wrote to a setting, without the line's end.
pub type Set = fn(&str) -> Result<(), Refused>;
/// Takes what a program wrote to a file about a process.
pub type SetProcess = fn(&dyn ProcessFacts, &str) -> Result<(), Refused>;

/// Why a value was not taken, or not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is no value that the file can have.
    Invalid,
    /// The process or its memory has gone.
    Gone,
    /// No memory.
    OutOfMemory,
}

/// What `/proc` asks about one process.
pub trait ProcessFacts: Send + Sync {
    /// Returns its name, as in `comm`.
    fn name(&self) -> crate::task::Name;

    /// Gives it another name.
    fn set_name(&self, name: &str);

    /// Returns its address space; `None` once it has given that up.
    fn mm(&self) -> Option<MmUserRef>;

    /// Returns the file of the program it runs; nothing once it has ended.
    fn exe(&self) -> Option<Location>;

    /// Returns its working directory.
    fn cwd(&self) -> Location;

    /// Returns the directory where its paths begin.
    fn root(&self) -> Location;

    /// Returns the user and the group whose its files in `/proc` are.
    fn owner(&self) -> (u32, u32);

    /// Returns where its argument strings are in its memory.
    fn arguments(&self) -> Range<u64>;

    /// Returns the file that a descriptor stands for.
    fn file(&self, fd: i32) -> Option<Arc<OpenFile>>;

    /// Returns whether a descriptor is closed by exec.
    fn closes_on_exec(&self, fd: i32) -> bool;

    /// Returns its lowest descriptor at or above `from`.
    fn next_fd(&self, from: i32) -> Option<i32>;

    /// Returns the process itself, for files that the layer above makes.
    fn as_any(&self) -> &dyn Any;
}

/// What `/proc` asks about the processes.
pub trait Processes: Sync {
    /// Finds a process, or a thread.
    fn find(&self, number: u32) -> Option<Arc<dyn ProcessFacts>>;

    /// Returns the lowest number of a process at or above `from`.
    fn next(&self, from: u32) -> Option<u32>;

    /// Returns the lowest number of a thread of `pid` at or above `from`.
    fn next_thread(&self, pid: u32, from: u32) -> Option<u32>;

    /// Returns the number of the process that asks.
    fn own(&self) -> u32;

    /// Returns the number of the thread that asks.
    fn own_thread(&self) -> u32;
}

/// A file of `/proc`.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name; for a setting the path below `/proc/sys`, for a fact in `/sys` the one below that.
    pub name: &'static str,
    /// What it is.
    pub what: What,
}

/// What a file of `/proc` is made by.
#[derive(Clone, Copy)]
pub enum What {
    /// A text about the machine.
    Text(MakeText),
    /// A text about a process.
    ProcessText(MakeProcessText),
    /// A text about a process that can be written.
    ProcessSetting(MakeProcessText, SetProcess),
    /// Words of 8 bytes about a process, read at any of them.
    ProcessBytes(ReadProcess),
    /// A setting.
    Setting(MakeText, Set),
    /// A fact below `/sys`.
    Sys(MakeText),
    /// What is known of a descriptor; never registered, as descriptors come and go.
    Descriptor(i32),
}

static PROCESSES: Once<&'static dyn Processes> = Once::new();
static ENTRIES: SpinLock<Vec<Entry>, { rank::SOURCE }> = SpinLock::new(Vec::new());

/// Installs what the process layer knows.
pub fn set_processes(processes: &'static dyn Processes) {
    PROCESSES.call_once(|| processes);
}

/// Adds a file; its kind says where.
pub fn register(name: &'static str, what: What) {
    ENTRIES.lock().push(Entry { name, what });
}

pub(super) fn processes() -> Option<&'static dyn Processes> {
    PROCESSES.get().copied()
}

/// Returns entry `index`; entries are only ever added.
pub(super) fn entry(index: usize) -> Option<Entry> {
    ENTRIES.lock().get(index).copied()
}

/// Finds the first entry from number `from` on that `wanted` accepts.
pub(super) fn find(from: usize, wanted: impl Fn(&Entry) -> bool) -> Option<(usize, Entry)> {
    let entries = ENTRIES.lock();
    let found = entries
        .iter()
        .enumerate()
        .skip(from)
        .find(|(_, entry)| wanted(entry));
    found.map(|(index, entry)| (index, *entry))
}

impl Entry {
    /// Returns whether it stands in `/proc/PID`.
    pub(super) fn is_of_process(&self) -> bool {
        matches!(
            self.what,
            What::ProcessText(_) | What::ProcessBytes(_) | What::ProcessSetting(..)
        )
    }

    /// Returns whether it stands in `/proc` itself.
    pub(super) fn is_of_machine(&self) -> bool {
        matches!(self.what, What::Text(_))
    }

    /// Returns whether it stands in that tree.
    pub(super) fn is_in(&self, tree: Tree) -> bool {
        match self.what {
            What::Setting(..) => tree == Tree::Settings,
            What::Sys(_) => tree == Tree::Sys,
            _ => false,
        }
    }

    /// Returns its permission bits.
    pub(super) fn permissions(&self) -> u32 {
        match self.what {
            What::Text(_) | What::ProcessText(_) | What::Sys(_) | What::Descriptor(_) => 0o444,
            What::ProcessBytes(_) => 0o400,
            What::Setting(..) | What::ProcessSetting(..) => 0o644,
        }
    }
}
