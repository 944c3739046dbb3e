//! `pcids N`: two processes take turns on one processor, and one of them takes away what the other one's processor may remember.
//!
//! What they must see is checked here; how often something was dropped is in the kernel's counters, told where there are some.

use user::child;
use user::fsys::memfd;
use user::lodger::Meter;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys;

/// The counters that tell what became of the TLB.
const TOLD: [&str; 5] = [
    "cr3_writes",
    "cr3_kept",
    "pcids_recycled",
    "invpcids",
    "tlb_flushes_skipped",
];

/// The two ends of a conversation, one word at a time.
struct Line {
    from: i32,
    to: i32,
}

impl Line {
    fn say(&self, mut word: u64) -> bool {
        sys::write(self.to, sys::at(&mut word), 8) == Ok(8)
    }

    fn hear(&self) -> Option<u64> {
        let mut word = 0_u64;
        let heard = sys::read(self.from, sys::at(&mut word), 8) == Ok(8);
        heard.then_some(word)
    }

    fn ask(&self) -> Option<u64> {
        self.say(1).then(|| self.hear()).flatten()
    }
}

fn line_pair() -> Option<(Line, Line)> {
    let (there, back) = (sys::pipe().ok()?, sys::pipe().ok()?);
    let ours = Line {
        from: back[0],
        to: there[1],
    };
    let theirs = Line {
        from: there[0],
        to: back[1],
    };
    Some((ours, theirs))
}

/// Says what the last page holds whenever it is asked, until it is told to end.
fn reader(line: &Line, page: u64) -> i32 {
    while let Some(1) = line.hear() {
        if !line.say(mem::peek64(page)) {
            return 1;
        }
    }
    0
}

/// Runs the turns; returns the exit code.
pub(crate) fn run(turns: u64) -> i32 {
    match try_run(turns) {
        Some(wrong) => {
            println!("pcids: {turns} turns, {wrong} of them wrong");
            i32::from(wrong != 0)
        }
        None => {
            println!("pcids: no memory, or no child");
            1
        }
    }
}

fn try_run(turns: u64) -> Option<u64> {
    let mut cpus = [1_u64];
    let _ = sys::call(libc::SYS_sched_setaffinity, [0, 8, sys::at(&mut cpus)]);
    let fd = memfd("pcids", 0).ok()?;
    // The first page stays, so that no page table becomes empty.
    sys::call(libc::SYS_ftruncate, [fd as u64, 2 * PAGE]).ok()?;
    let pages = Map::with(2, map::RW, libc::MAP_SHARED, fd).ok()?;
    let page = pages.page(1);
    mem::poke64(pages.start, 1);
    let (ours, theirs) = line_pair()?;
    let pid = child::start(|| {
        let _ = mem::peek64(pages.start);
        reader(&theirs, page)
    })
    .ok()?;
    let mut meter = Meter::new();
    let mut wrong = 0;
    let mut tell = |what: &str, turn: &mut dyn FnMut(u64) -> bool| {
        // The first one finds nobody warm.
        wrong += u64::from(!turn(0));
        meter.measure(|| wrong += (1..=turns).filter(|at| !turn(*at)).count() as u64);
        let grew = TOLD.map(|name| format!(" {name} {}", meter.grew(name).unwrap_or(0)));
        println!("# {what}:{}", grew.concat());
    };
    tell("plain", &mut |at| {
        mem::poke64(page, at);
        ours.ask() == Some(at)
    });
    tell("cut", &mut |at| {
        mem::poke64(page, at + 1);
        let before = ours.ask();
        let cut = [PAGE, 2 * PAGE].map(|len| sys::call(libc::SYS_ftruncate, [fd as u64, len]));
        let after = ours.ask();
        before == Some(at + 1) && cut == [Ok(0), Ok(0)] && after == Some(0)
    });
    let _ = ours.say(0);
    wrong += u64::from(child::wait(pid) != Ok(child::Ended::Exited(0)));
    Some(wrong)
}
