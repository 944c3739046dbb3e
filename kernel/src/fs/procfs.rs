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
use crate::mm::{OutOfMemory, audit, fsck, uaccess};
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
    /// Whether page tables, mappings and frames agree, compared when it is opened.
    Fsck,
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
    pub const ALL: [Self; 9] = [
        Self::Lodger,
        Self::Fsck,
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
            Self::Fsck => "lodger_fsck",
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
        !matches!(
            self,
            Self::Lodger | Self::Fsck | Self::MemInfo | Self::Uptime
        )
    }

    fn write(self, out: &mut Page) -> fmt::Result {
        match self {
            Self::Lodger => audit::write_counters(out),
            Self::Fsck => fsck(out),
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
    text: Page,
}

impl OpenText {
    /// Makes the text; fails where there is no memory for it.
    pub fn new(node: &'static Node, text: Text) -> Result<Self, OutOfMemory> {
        let mut page = Page(Vec::new());
        text.write(&mut page).map_err(|fmt::Error| OutOfMemory)?;
        Ok(Self { node, text: page })
    }
}

/// Bytes in one piece of a text: what the heap has a size class for.
const PIECE: usize = 2048;

/// Text in pieces of [`PIECE`] bytes. A program decides how long its `maps` are: the text grows as
/// long as there is memory, and never needs much of it in one place.
struct Page(Vec<Vec<u8>>);

impl Page {
    fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Returns the last piece, with room for at least one byte.
    fn last(&mut self) -> Result<&mut Vec<u8>, OutOfMemory> {
        if self.0.last().is_none_or(|piece| piece.len() == PIECE) {
            if !frame::can_spare(1) {
                return Err(OutOfMemory);
            }
            let mut piece = Vec::new();
            piece.try_reserve_exact(PIECE).map_err(|_| OutOfMemory)?;
            self.0.try_reserve(1).map_err(|_| OutOfMemory)?;
            self.0.push(piece);
        }
        let last = self.0.len() - 1;
        Ok(&mut self.0[last])
    }
}

impl Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let piece = self.last().map_err(|OutOfMemory| fmt::Error)?;
            let (now, later) = rest.split_at(rest.len().min(PIECE - piece.len()));
            piece.extend_from_slice(now);
            rest = later;
        }
        Ok(())
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
        let mut skip = at;
        for piece in &self.text.0 {
            to.put(rest(piece, skip))?;
            skip = skip.saturating_sub(piece.len() as u64);
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.text.len()
    }
}

fn mem_info(out: &mut Page) -> fmt::Result {
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

/// One line for each finding, and a last one with what was compared.
fn fsck(out: &mut Page) -> fmt::Result {
    let mut written = Ok(());
    let report = fsck::run(&mut |what| written = written.and_then(|()| writeln!(out, "{what}")));
    written?;
    writeln!(out, "{} findings; {report}", report.findings)
}

fn uptime(out: &mut Page) -> fmt::Result {
    let hundredths = crate::time::now_ns() / 10_000_000;
    writeln!(out, "{}.{:02} 0.00", hundredths / 100, hundredths % 100)
}

fn maps(out: &mut Page) -> fmt::Result {
    task::current_mm().map_or(Ok(()), |mm| mm.describe_maps(out))
}

fn mm(out: &mut Page) -> fmt::Result {
    let Some(mm) = task::current_mm() else {
        return Ok(());
    };
    let (id, root) = (mm.id().as_u64(), mm.root().start().as_u64());
    // The reference used for looking is not counted.
    let (users, count) = (mm.users() - 1, mm.count());
    writeln!(out, "mm {id} root {root:#x} users {users} count {count}")
}

/// Reads the arguments where the program keeps them; it may have changed them.
fn command_line(out: &mut Page) -> fmt::Result {
    let range = VIEW.get().map_or(0..0, |view| view.arguments());
    let mut piece = [0; 128];
    let mut at = range.start;
    while at < range.end {
        let piece = &mut piece[..(range.end - at).min(128) as usize];
        if uaccess::copy_from_user(piece, at).is_err() {
            break; // the program has unmapped them
        }
        out.write_str(&String::from_utf8_lossy(piece))?;
        at += piece.len() as u64;
    }
    Ok(())
}
