//! `torture [all | CASE…] [ROUNDS]`: threads on all processors use memory that one of them changes under them.
//!
//! A processor that trusts a translation after the call that ended it has returned reads what is no longer there, or writes
//! where it no longer may: each case is made so that either shows. A case is a process of its own, bounded by
//! rounds, and must hold on Linux as well.
#![deny(unsafe_code)]

mod beside;
mod copies;
mod field;
mod files;
mod lives;
mod moves;
mod pages;

use user::child::{self, Ended};
use user::sys;
use user::tolerant;

/// A case: its name, and what it does for so many rounds.
type Case = (&'static str, fn(u64) -> Result<(), String>);

/// Rounds unless told otherwise.
const ROUNDS: u64 = 60;

const CASES: &[Case] = &[
    ("replaced", pages::replaced),
    ("given_up", pages::given_up),
    ("unmapped", pages::unmapped),
    ("forbidden", pages::forbidden),
    ("write_protected", pages::write_protected),
    ("first_touch", pages::first_touch),
    ("crossfire", pages::crossfire),
    ("faults_beside_maps", beside::faults_beside_maps),
    ("moved", moves::moved),
    ("lazy_idle_then_wake", moves::lazy_idle_then_wake),
    ("migrate_0_1_0_remap", moves::migrate),
    ("forked", copies::forked),
    ("cow_two_threads", copies::cow_two_threads),
    ("fork_beside_unmap", copies::fork_beside_unmap),
    ("truncated", files::truncated),
    ("punched", files::punched),
    ("exec_beside", lives::exec_beside),
    ("ends_in_use", lives::ends_in_use),
    ("storm", lives::storm),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "null") {
        sys::exit(0);
    }
    let rounds = args.iter().find_map(|arg| arg.parse().ok());
    let wanted = |name: &str| {
        let mut names = args.iter().filter(|arg| arg.parse::<u64>().is_err());
        names.clone().next().is_none() || names.any(|arg| arg == name || arg == "all")
    };
    let (mut held, mut failed) = (0, 0);
    for (name, case) in CASES.iter().filter(|(name, _)| wanted(name)) {
        let work = || match tolerant::install()
            .map_err(|errno| format!("sigaction: {errno:?}"))
            .and_then(|()| case(rounds.unwrap_or(ROUNDS)))
        {
            Ok(()) => 0,
            Err(why) => {
                println!("FAIL torture {name}: {why}");
                1
            }
        };
        match child::run(work) {
            Ok(Ended::Exited(0)) => {
                println!("ok torture {name}");
                held += 1;
            }
            Ok(Ended::Exited(1)) => failed += 1,
            ended => {
                println!("FAIL torture {name}: its process ended with {ended:?}");
                failed += 1;
            }
        }
    }
    println!("torture: {held} ok, {failed} failed");
    sys::exit(i32::from(failed > 0 || held == 0));
}
