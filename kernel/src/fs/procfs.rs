//! `/proc`: the kernel's own facts as text, made when a file is opened.
//!
//! Only the asking process is shown (`/proc/self`). What the layer above knows about it comes
//! through [`ProcessView`], which that layer installs before any program runs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use addr::PAGE_SIZE;

use super::file::{File, IoError};
use super::node::{Metadata, Node};
use super::regular::rest;
use super::user_buf::UserBuf;
use crate::locks::Once;
use crate::mm::frame::{self, Owner};
use crate::mm::{audit, uaccess};
use crate::task;

/// What `/proc/self` shows of the asking process besides its address space.
pub trait ProcessView: Send + Sync {
    /// Returns the path of the program it runs.
    fn exe(&self) -> Vec<u8>;

    /// Returns the path of its working directory.
    fn cwd(&self) -> Vec<u8>;

    /// Returns where its argument strings are in its memory.
    fn arguments(&self) -> core::ops::Range<u64>;

    /// Writes its line of `/proc/PID/stat`.
    fn stat(&self, out: &mut dyn Write) -> fmt::Result;
}

static VIEW: Once<&'static dyn ProcessView> = Once::new();

/// Installs what the process layer knows.
pub fn set_process_view(view: &'static dyn ProcessView) {
    VIEW.call_once(|| view);
}

/// A file whose text is made when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    /// Every counter of the kernel.
    Lodger,
    /// How much memory there is.
    MemInfo,
    /// Time since boot.
    Uptime,
    /// The mappings of the process.
    Maps,
    /// The address space of the process: number, PML4, counts.
    Mm,
    /// Its arguments.
    CommandLine,
    /// Its name.
    Comm,
    /// Its numbers.
    Stat,
}

/// A link whose target depends on who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// The program that runs.
    Exe,
    /// The working directory.
    Cwd,
}

impl Text {
    /// Every file.
    pub const ALL: [Self; 8] = [
        Self::Lodger,
        Self::MemInfo,
        Self::Uptime,
        Self::Maps,
        Self::Mm,
        Self::CommandLine,
        Self::Comm,
        Self::Stat,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lodger => "lodger",
            Self::MemInfo => "meminfo",
            Self::Uptime => "uptime",
            Self::Maps => "maps",
            Self::Mm => "mm",
            Self::CommandLine => "cmdline",
            Self::Comm => "comm",
            Self::Stat => "stat",
        }
    }

    /// Returns whether it is in `/proc/self`.
    pub const fn is_of_process(self) -> bool {
        !matches!(self, Self::Lodger | Self::MemInfo | Self::Uptime)
    }

    fn write(self, out: &mut String) -> fmt::Result {
        match self {
            Self::Lodger => audit::write_counters(out),
            Self::MemInfo => mem_info(out),
            Self::Uptime => uptime(out),
            Self::Maps => maps(out),
            Self::Mm => mm(out),
            Self::CommandLine => command_line(out),
            Self::Comm => writeln!(out, "{}", task::current().name()),
            Self::Stat => VIEW.get().map_or(Ok(()), |view| view.stat(out)),
        }
    }
}

impl Link {
    /// Every link.
    pub const ALL: [Self; 2] = [Self::Exe, Self::Cwd];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::Cwd => "cwd",
        }
    }

    /// Returns what it stands for.
    pub fn target(self) -> Vec<u8> {
        VIEW.get().map_or_else(Vec::new, |view| match self {
            Self::Exe => view.exe(),
            Self::Cwd => view.cwd(),
        })
    }
}

/// An open text: what it said when it was opened.
pub struct OpenText {
    node: &'static Node,
    text: String,
}

impl OpenText {
    /// Makes the text.
    pub fn new(node: &'static Node, text: Text) -> Self {
        let mut string = String::new();
        // Writing to a string fails only where a source gives up: then the text ends there.
        let _ = text.write(&mut string);
        Self { node, text: string }
    }
}

impl File for OpenText {
    fn metadata(&self) -> Metadata {
        self.node.metadata()
    }

    fn node(&self) -> Option<&'static Node> {
        Some(self.node)
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, at: u64, to: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        to.put(rest(self.text.as_bytes(), at))?;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.text.len() as u64
    }
}

fn mem_info(out: &mut String) -> fmt::Result {
    let kib = |frames: u64| frames * PAGE_SIZE / 1024;
    writeln!(out, "MemTotal:       {:8} kB", kib(frame::total()))?;
    writeln!(
        out,
        "MemFree:        {:8} kB",
        kib(frame::count(Owner::Free))
    )?;
    writeln!(
        out,
        "MemAvailable:   {:8} kB",
        kib(frame::count(Owner::Free))
    )?;
    writeln!(
        out,
        "Cached:         {:8} kB",
        kib(frame::count(Owner::PageCache))
    )?;
    writeln!(
        out,
        "AnonPages:      {:8} kB",
        kib(frame::count(Owner::Anon))
    )?;
    writeln!(
        out,
        "PageTables:     {:8} kB",
        kib(frame::count(Owner::PageTable))
    )
}

fn uptime(out: &mut String) -> fmt::Result {
    let hundredths = crate::time::now_ns() / 10_000_000;
    writeln!(out, "{}.{:02} 0.00", hundredths / 100, hundredths % 100)
}

fn maps(out: &mut String) -> fmt::Result {
    task::current_mm().map_or(Ok(()), |mm| mm.describe_maps(out))
}

fn mm(out: &mut String) -> fmt::Result {
    let Some(mm) = task::current_mm() else {
        return Ok(());
    };
    let (id, root) = (mm.id().as_u64(), mm.root().start().as_u64());
    // The reference used for looking is not counted.
    let (users, count) = (mm.users() - 1, mm.count());
    writeln!(out, "mm {id} root {root:#x} users {users} count {count}")
}

/// Reads the arguments where the program keeps them; it may have changed them.
fn command_line(out: &mut String) -> fmt::Result {
    let range = VIEW.get().map_or(0..0, |view| view.arguments());
    let mut piece = [0; 128];
    let mut at = range.start;
    while at < range.end {
        let piece = &mut piece[..(range.end - at).min(128) as usize];
        uaccess::copy_from_user(piece, at).map_err(|_| fmt::Error)?;
        out.push_str(&String::from_utf8_lossy(piece));
        at += piece.len() as u64;
    }
    Ok(())
}
