//! Two processes that take turns, and say which address spaces they have: whoever else runs must stand on one of those.

use user::child::{self, Ended};
use user::lodger;
use user::probe::{Verdict, must, same};
use user::sys;

/// Runs both for about a second; what the kernel's own threads say meanwhile can be compared with what these say.
pub(crate) fn run() -> i32 {
    match take_turns() {
        Ok(()) => 0,
        Err(why) => {
            println!("FAIL lodgers: {why}");
            1
        }
    }
}

fn take_turns() -> Verdict {
    say_own("parent");
    let pids = [("A", 5), ("B", 7)].map(|(name, nap)| child::start(move || turns(name, nap)));
    for pid in pids {
        let pid = must("fork", pid)?;
        same(
            "a lodger",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
    }
    println!("lodgers: both have gone");
    Ok(())
}

fn turns(name: &str, nap: u64) -> i32 {
    say_own(name);
    let until = sys::now_ms() + 1000;
    while sys::now_ms() < until {
        if sys::sleep_ms(nap).is_err() {
            return 1;
        }
    }
    0
}

fn say_own(name: &str) {
    if let Some(mm) = lodger::own_mm() {
        println!("# {name} has mm {} root {:#x}", mm.id, mm.root);
    }
}
