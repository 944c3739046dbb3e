//! The kernel command line: from QEMU's fw_cfg, else the first entry of the initramfs.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use addr::PAGE_SIZE;
use bootinfo::cpio::Archive;
use bootinfo::{Borrowing, CommandLine, LargePages};
use log::{LevelFilter, info, warn};

use crate::arch::{cpu, fwcfg};
use crate::fs::procfs::registry::{self, What};
use crate::locks::Once;
use crate::mm::large::Mode;
use crate::mm::{borrow, frame, pcid, switch};

/// fw_cfg's name of the command line.
const FILE: &str = "opt/lodger/cmdline";
/// The initramfs' name of it.
const ENTRY: &str = "cmdline";

/// From this much memory on large pages go to all who do not decline: below, what lies unused in them
/// would be missed. Linux draws the line there, too.
const LARGE_FROM: u64 = (512 << 20) / PAGE_SIZE;

/// The words as they came, for `/proc/cmdline`.
static TEXT: Once<Vec<u8>> = Once::new();

/// Reads and parses the command line, and applies its log level.
pub fn read(initramfs: &[u8]) -> CommandLine {
    let bytes = from_fw_cfg().unwrap_or_else(|| from_archive(initramfs));
    let line = CommandLine::parse(&bytes);
    if let Some(level) = line.loglevel {
        crate::log::set_level(level_filter(level));
    }
    let text = TEXT.call_once(|| bytes.trim_ascii().to_vec());
    info!(target: "boot", "command line: {}", String::from_utf8_lossy(&text[..text.len().min(200)]));
    for problem in line.problems() {
        warn!(target: "boot", "command line: {problem}");
    }
    for area in line
        .trace
        .iter()
        .filter(|area| !crate::log::trace::enable(area))
    {
        warn!(target: "boot", "command line: there is no trace={area:.40}; there are switch, fault, syscall");
    }
    line
}

/// Shows the command line in `/proc`.
pub fn publish() {
    registry::register("cmdline", What::Text(write_text));
}

fn write_text(out: &mut dyn Write) -> fmt::Result {
    let text = TEXT.get().map_or(&[][..], |text| text);
    writeln!(out, "{}", String::from_utf8_lossy(text))
}

/// Chooses how kernel threads borrow.
pub fn choose_borrowing(line: &CommandLine) {
    switch::set_eager(line.borrowing == Borrowing::Eager);
    borrow::set_shot(line.borrowing == Borrowing::Shot);
    let broken = match line.get("tlb") {
        Some("buggy_lazy") => switch::forget_generations(),
        Some("buggy_pcid") => pcid::forget_generations(),
        _ => true,
    };
    if !broken {
        warn!(target: "boot", "tlb=buggy_… needs the checked kernel: nothing is broken");
    }
}

/// Chooses what CR3 holds beside an address, and turns it on for the CPU that boots.
pub fn choose_pcids(line: &CommandLine) {
    let features = cpu::features();
    pcid::choose(
        features.pcid && !line.no_pcid,
        features.invpcid && !line.no_invpcid,
    );
    pcid::start();
}

/// Who gets large pages.
pub fn large_pages(line: &CommandLine) -> Mode {
    match line.large_pages {
        Some(LargePages::Always) => Mode::Always,
        Some(LargePages::Never) => Mode::Never,
        Some(LargePages::Advised) => Mode::Advised,
        None if frame::total() >= LARGE_FROM => Mode::Always,
        None => Mode::Advised,
    }
}

fn level_filter(level: u8) -> LevelFilter {
    LevelFilter::iter()
        .nth(usize::from(level))
        .unwrap_or(LevelFilter::Trace)
}

fn from_fw_cfg() -> Option<Vec<u8>> {
    let file = fwcfg::find(FILE)?;
    // One byte more than is allowed, so that the parser sees that it was cut.
    let len = file.size().min(bootinfo::command_line::MAX_LEN + 1);
    let mut bytes = vec![0; len];
    let read = fwcfg::read(file, &mut bytes);
    bytes.truncate(read);
    Some(bytes)
}

fn from_archive(initramfs: &[u8]) -> Vec<u8> {
    match Archive::new(initramfs).next() {
        Some(Ok(entry)) if entry.name == ENTRY => entry.data.to_vec(),
        _ => Vec::new(),
    }
}
