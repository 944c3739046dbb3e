//! What mm and fs themselves have to say in `/proc`.

use alloc::string::String;
use core::fmt::{self, Write};

use addr::PAGE_SIZE;

use super::registry::{ProcessFacts, Refused, What, register};
use super::settings;
use crate::fs::reclaim;
use crate::mm::frame::{self, Owner};
use crate::mm::{audit, commit, fsck, reclaim as mm_reclaim};

/// Adds the files that need no layer above.
pub fn init() {
    mm_reclaim::register(reclaim::drop_clean);
    register("lodger", What::Text(|out| audit::write_counters(out)));
    register("lodger_fsck", What::Text(check_memory));
    register("meminfo", What::Text(mem_info));
    register("uptime", What::Text(uptime));
    register("maps", What::ProcessText(maps));
    register("mm", What::ProcessText(mm));
    register("cmdline", What::ProcessText(command_line));
    register("comm", What::ProcessSetting(comm, set_comm));
    settings::init();
}

fn mem_info(out: &mut dyn Write) -> fmt::Result {
    let kib = |frames: u64| frames * PAGE_SIZE / 1024;
    let lines = [
        ("MemTotal:", frame::total()),
        ("MemFree:", frame::count(Owner::Free)),
        ("MemAvailable:", frame::count(Owner::Free)),
        ("Cached:", frame::count(Owner::PageCache)),
        ("AnonPages:", frame::count(Owner::Anon)),
        ("PageTables:", frame::count(Owner::PageTable)),
        ("CommitLimit:", commit::limit()),
        ("Committed_AS:", commit::committed()),
    ];
    lines
        .iter()
        .try_for_each(|(name, frames)| writeln!(out, "{name:<15} {:8} kB", kib(*frames)))
}

/// One line for each finding, and a last one with what was compared.
fn check_memory(out: &mut dyn Write) -> fmt::Result {
    let mut written = Ok(());
    let report = fsck::run(&mut |what| written = written.and_then(|()| writeln!(out, "{what}")));
    written?;
    writeln!(out, "{} findings; {report}", report.findings)
}

fn uptime(out: &mut dyn Write) -> fmt::Result {
    let hundredths = crate::time::now_ns() / 10_000_000;
    writeln!(out, "{}.{:02} 0.00", hundredths / 100, hundredths % 100)
}

fn maps(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    process.mm().map_or(Ok(()), |mm| mm.describe_maps(out))
}

fn mm(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let Some(mm) = process.mm() else {
        return Ok(());
    };
    let (id, root) = (mm.id().as_u64(), mm.root().start().as_u64());
    // The reference used for looking is not counted.
    let (users, count) = (mm.users() - 1, mm.count());
    writeln!(out, "mm {id} root {root:#x} users {users} count {count}")
}

fn comm(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", process.name())
}

fn set_comm(process: &dyn ProcessFacts, text: &str) -> Result<(), Refused> {
    process.set_name(text);
    Ok(())
}

/// Reads the arguments where the program keeps them; it may have changed or unmapped them.
fn command_line(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let Some(mm) = process.mm() else {
        return Ok(());
    };
    let range = process.arguments();
    let mut piece = [0; 128];
    let mut at = range.start;
    while at < range.end {
        let piece = &mut piece[..(range.end - at).min(128) as usize];
        if mm.read_remote(at, piece).is_err() {
            break;
        }
        out.write_str(&String::from_utf8_lossy(piece))?;
        at += piece.len() as u64;
    }
    Ok(())
}
