//! The tour: what Lodger is about, shown by ordinary processes on a serial line, stop by stop.
//!
//! Each stop does what it says, checks it, and tells in a line or two what could be seen. As process 1 the tour ends by
//! switching the machine off; elsewhere (it runs on any Linux) it just ends. Its exit code is the number of stops
//! that did not hold.
#![deny(unsafe_code)]

use std::process::Command;

use user::child::{self, Ended};
use user::lodger::{self, Counters, Meter};
use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Case, Verdict, code, dies, holds, must, same, told};
use user::sys;

const STOPS: &[Case] = &[
    ("One address, many memories", one_address),
    ("Lodging in somebody else's address space", lodging),
    ("Fork copies nothing until somebody writes", copy_on_write),
    ("A stack that grows when it is touched", growing_stack),
    ("What is not allowed is punished", punished),
    ("A program written in C", a_c_program),
    ("A letter from the kernel", a_letter),
];

fn main() {
    let started_by_kernel = sys::getpid() == 1;
    println!();
    println!(
        "Welcome to the tour. I am {}, process {}.",
        name(),
        sys::getpid()
    );
    let mut failed = 0;
    for (index, (title, stop)) in STOPS.iter().enumerate() {
        println!("\n== Stop {} of {}: {title}", index + 1, STOPS.len());
        if let Err(why) = stop() {
            println!("   NOT SO: {why}");
            failed += 1;
        }
    }
    counters_table();
    println!(
        "\nEnd of the tour: {} of {} stops held.",
        STOPS.len() - failed,
        STOPS.len()
    );
    if started_by_kernel && failed == 0 {
        let refused = sys::power_off();
        println!("Power off was refused: {refused:?}");
    }
    std::process::exit(failed as i32);
}

fn name() -> String {
    std::env::args().next().unwrap_or_else(|| "init".into())
}

const PROCESSES: u64 = 4;
const SPOT: u64 = 0x4000_0000;

/// Is what one process saw at the common address.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sight {
    pid: u64,
    value: u64,
    root: u64,
}

/// Several processes keep different numbers at one address, all at the same time.
fn one_address() -> Verdict {
    println!("   {PROCESSES} processes each keep a number of their own at address {SPOT:#x}.");
    let [tell, told] = must("pipe", sys::pipe())?;
    let [go, gate] = must("pipe", sys::pipe())?;
    let mut pids = Vec::new();
    for index in 0..PROCESSES {
        pids.push(must(
            "fork",
            child::start(|| keep_a_number(1000 + index, told, go)),
        )?);
    }
    let mut sights = Vec::new();
    for _ in 0..PROCESSES {
        sights.push(hear(tell)?);
    }
    let mut bytes = [0_u8; PROCESSES as usize];
    must("write", sys::write(gate, sys::at(&mut bytes), PROCESSES))?;
    for pid in pids {
        same(
            "a process still has its number",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
    }
    show(&sights)
}

/// Stores a number at the common address, tells what it sees there, and looks again when all have done so.
fn keep_a_number(value: u64, told: i32, go: i32) -> i32 {
    if sys::mmap(SPOT, PAGE, map::RW, ANON | libc::MAP_FIXED, -1, 0) != Ok(SPOT) {
        return 1;
    }
    mem::poke64(SPOT, value);
    let root = lodger::own_mm().map_or(0, |mm| mm.root);
    let mut sight = [sys::getpid() as u64, mem::peek64(SPOT), root];
    let mut byte = [0_u8];
    let done = sys::write(told, sys::at(&mut sight), 24)
        .and_then(|_| sys::read(go, sys::at(&mut byte), 1));
    i32::from(done.is_err() || mem::peek64(SPOT) != value)
}

fn hear(tell: i32) -> Result<Sight, String> {
    let mut sight = [0_u64; 3];
    same(
        "bytes heard",
        must("read", sys::read(tell, sys::at(&mut sight), 24))?,
        24,
    )?;
    Ok(Sight {
        pid: sight[0],
        value: sight[1],
        root: sight[2],
    })
}

fn show(sights: &[Sight]) -> Verdict {
    for Sight { pid, value, root } in sights {
        match root {
            0 => println!("   process {pid} finds {value} there"),
            root => println!("   process {pid} finds {value} there, through the PML4 at {root:#x}"),
        }
    }
    let distinct = |pick: fn(&Sight) -> u64| {
        let mut all: Vec<u64> = sights.iter().map(pick).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    same(
        "different numbers",
        distinct(|sight| sight.value),
        sights.len(),
    )?;
    if lodger::here() {
        same(
            "different PML4s",
            distinct(|sight| sight.root),
            sights.len(),
        )?;
    }
    println!("   Same address, different page tables, different memory.");
    Ok(())
}

/// Processes come and go for a while; the kernel's own thread reports whose address space it stands on.
fn lodging() -> Verdict {
    println!(
        "   Kernel threads have no address space. They run on whatever the last process left in CR3, and the"
    );
    println!(
        "   kernel's statistics thread says whose that is, while processes come and go beside it."
    );
    come_and_go()?;
    println!("   {VISITS} processes came and went. Now this one is alone, and naps {NAPS} times.");
    let mut meter = Meter::new();
    let mut slept = Ok(0);
    meter.measure(|| slept = (0..NAPS).try_fold(0, |_, _| sys::sleep_ms(2)));
    must("nanosleep", slept)?;
    if let Some((switches, writes)) = meter.grew("context_switches").zip(meter.grew("cr3_writes")) {
        let borrowed = meter.grew("lazy_grab").unwrap_or(0);
        println!(
            "   {switches} context switches; {borrowed} times a kernel thread borrowed its address space; CR3 was written {writes} times:"
        );
        println!(
            "   whoever comes back to an address space that is still loaded has nothing to load."
        );
        holds(
            "each nap lent the address space to a kernel thread",
            borrowed >= NAPS,
        )?;
        holds("hardly any CR3 write", writes <= NAPS / 5)?;
    }
    Ok(())
}

const NAPS: u64 = 50;
const VISITS: u64 = 12;

fn come_and_go() -> Verdict {
    for visit in 0..VISITS {
        let nap = move || sys::sleep_ms(40 + visit * 7).map_or(1, |_| 0);
        let pid = must("fork", child::start(nap))?;
        must("nanosleep", sys::sleep_ms(30))?;
        same(
            "a visitor",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
    }
    Ok(())
}

const PAGES: u64 = 16;

fn copy_on_write() -> Verdict {
    println!(
        "   A parent has {PAGES} pages. It forks; the child writes to all of them; then the parent does."
    );
    let map = must("mmap", Map::anon(PAGES, map::RW))?;
    map.fill(1);
    let ended = must(
        "fork",
        child::run(|| code(write_all(map, "child", "cow_copied"))),
    )?;
    same("the child", ended, Ended::Exited(0))?;
    holds("the parent's pages are as they were", map.holds(1))?;
    write_all(map, "parent", "cow_reused")?;
    println!("   Neither saw the other's writes.");
    Ok(())
}

/// Writes every page and tells what that did to a counter: the child's pages are copied, the parent's kept.
fn write_all(map: Map, who: &str, counter: &str) -> Verdict {
    let mut meter = Meter::new();
    // What it writes to itself may be shared after the fork as well: once before it counts.
    meter.measure(|| ());
    meter.measure(|| map.fill(2));
    if let Some(count) = meter.grew(counter) {
        println!("   The {who} wrote {PAGES} pages: {counter} grew by {count}.");
    }
    told(counter, meter.grew(counter), PAGES)?;
    holds("the pages hold what was written", map.holds(2))
}

fn growing_stack() -> Verdict {
    const MB: u64 = 1024 * 1024;
    println!("   A process touches memory 3 MB below its stack pointer, where nothing is mapped.");
    let grown = must(
        "fork",
        child::run(|| i32::from(mem::touch_below_stack(3 * MB) != 77)),
    )?;
    same("the touch", grown, Ended::Exited(0))?;
    println!("   The stack has grown to there. 9 MB is beyond the limit of 8 MB:");
    dies("9 MB", libc::SIGSEGV, || {
        i32::from(mem::touch_below_stack(9 * MB))
    })?;
    println!("   that process was killed by SIGSEGV.");
    Ok(())
}

/// What somebody does, and the signal it earns.
type Attempt = (&'static str, i32, fn() -> i32);

/// Tries what a program may not do, in children, and reads how they ended.
fn punished() -> Verdict {
    let attempts: [Attempt; 4] = [
        ("reads the kernel's memory", libc::SIGSEGV, || {
            i32::from(mem::peek(0xffff_ffff_8000_0000))
        }),
        ("calls a null pointer", libc::SIGSEGV, || {
            mem::run(0, 0) as i32
        }),
        ("halts the machine", libc::SIGSEGV, user::crash::hlt),
        ("divides by zero", libc::SIGFPE, user::crash::divide_by_zero),
    ];
    for (what, signal, work) in attempts {
        dies(what, signal, work)?;
        println!(
            "   A child {what}: killed by {}.",
            child::signal_name(signal)
        );
    }
    println!("   The parent read each end from wait4 and lives on.");
    Ok(())
}

/// Looks for the C program beside this one: both lie in `/bin` of the image, or in a build folder.
fn a_c_program() -> Verdict {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join("hello-c")));
    let places = [Some("/bin/hello-c".into()), beside];
    let path = places
        .into_iter()
        .flatten()
        .find(|path| path.exists())
        .ok_or("there is no hello-c")?;
    let output = Command::new(&path)
        .arg("Lodger")
        .output()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("   | {line}");
    }
    same("its exit code", output.status.code(), Some(0))?;
    holds(
        "it said hello",
        output.stdout.starts_with(b"Hello, Lodger!"),
    )
}

const LETTERBOX: &str = "/proc/self/postman";

/// Asks a kernel thread, which has no memory of its own, to store a word in this process's.
fn a_letter() -> Verdict {
    if !std::path::Path::new(LETTERBOX).exists() {
        println!("   There is no postman here: Lodger starts one for `./x run --append postman`.");
        return Ok(());
    }
    let map = must("mmap", Map::anon(1, map::RW))?;
    let (at, word) = (map.page(0), 0x1055_0f70_0001_u64);
    let mut meter = Meter::new();
    let delivered = || Counters::new().get("letters_delivered");
    let before = delivered();
    let mut posted = Ok(());
    meter.measure(|| {
        posted = std::fs::write(LETTERBOX, format!("{at:x} {word:x}"));
        (0..500).any(|_| delivered() != before || sys::sleep_ms(2).is_err());
    });
    posted.map_err(|error| error.to_string())?;
    same("the word", mem::peek64(at), word)?;
    println!(
        "   A kernel thread moved into this address space, stored {word:#x} at {at:#x}, and moved out."
    );
    told(
        "a second store, from outside",
        meter.grew("user_copies_refused"),
        1,
    )?;
    println!(
        "   Then it tried again: refused, although the processor still stood on these page tables."
    );
    Ok(())
}

/// Prints the kernel's counters, two to a line.
fn counters_table() {
    if !lodger::here() {
        return;
    }
    println!("\n== What the kernel counted on the way");
    let counters = Counters::new();
    let cells: Vec<String> = counters
        .lines()
        .map(|(name, value)| format!("{name:22} {value:>10}"))
        .collect();
    for row in cells.chunks(2) {
        println!("   {}", row.join("     "));
    }
}
