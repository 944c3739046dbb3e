//! Page tables that say what no kernel wrote, on Lodger with `damage` on its command line: the program that walks into
//! such an entry ends, itself or inside a system call, and nobody else notices.

use std::fs;

use user::child;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys;

/// Tells how those ended who walked into a damaged entry.
pub(crate) fn run() -> i32 {
    let reads = child::run(|| damaged().map_or(1, |map| i32::from(mem::peek(map.page(1)))));
    let writes = child::run(|| {
        damaged().map_or(1, |map| {
            mem::poke(map.page(1), 1);
            0
        })
    });
    let copies = child::run(|| {
        let (Some(map), Ok(zero)) = (damaged(), sys::open(c"/dev/zero")) else {
            return 1;
        };
        i32::from(sys::read(zero, map.page(1), PAGE) == Ok(PAGE))
    });
    println!("damaged: read {reads:?}, write {writes:?}, copy {copies:?}");
    0
}

/// Maps three pages, writes to them and breaks the entry of the second.
fn damaged() -> Option<Map> {
    let map = Map::anon(3, map::RW).ok()?;
    map.fill(1);
    fs::write("/proc/self/damage", format!("{:x}", map.page(1))).ok()?;
    Some(map)
}
