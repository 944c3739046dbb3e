//! `soak storm`: families on all processors fork, execute, end, kill, stop, talk, map and unmap.
//!
//! A round is over when every family has done its acts; then everybody is ended, and tasks, address spaces and frames must be
//! as many as before. What the kernel does meanwhile is told on its command line (`kstorm`, `postman`).

mod acts;
mod crews;

use user::child::{self, Ended};
use user::lodger::Counters;
use user::sys;

use crate::guard::{self, Before};
use crate::options::Options;
use crate::random::Random;
use acts::ACTS;

/// Acts of a family in a round.
const EACH: u64 = 40;
/// Rounds between two tellings, and two checks of all page tables.
const TELL: u64 = 20;
const CHECK: u64 = 10;
/// A round that takes so many looks hangs: they are some milliseconds apart.
const LOOKS: u64 = 60_000;

/// Storms for so many rounds or seconds.
pub(crate) fn run(options: &Options) -> i32 {
    if !guard::is_ours() {
        println!("storm: only as the first process of a machine of its own");
        return 2;
    }
    for _ in 0..2 {
        let _ = round(options.seed, options.lanes);
        guard::end_everybody();
        guard::clear();
    }
    guard::settle();
    let mut before = Before::new();
    let until = sys::now_ms().saturating_add(options.seconds.saturating_mul(1000));
    let (mut rounds, mut sound) = (0, true);
    while sound && rounds < options.rounds && sys::now_ms() < until {
        let seed = options.seed + rounds * options.lanes;
        let went_well = round(seed, options.lanes);
        rounds += 1;
        sound = before.is_back() && went_well;
        sound = sound && (!rounds.is_multiple_of(CHECK) || guard::is_sound());
        if !sound {
            println!("storm: that was round {rounds}, seeds from {seed}");
        }
        if rounds.is_multiple_of(TELL) {
            tell(rounds);
        }
    }
    tell(rounds);
    let sound = sound && rounds > 0 && guard::is_sound();
    println!("storm: everybody did as they should, and nothing stays behind: {sound}");
    i32::from(!sound)
}

fn tell(rounds: u64) {
    let now = Counters::new();
    let get = |name| now.get(name).unwrap_or(0);
    println!(
        "# storm: {rounds} rounds, {} ms: forks {} execs {} exits {} oom {} kernel's {} letters {} free {} heap {} slab {}",
        sys::now_ms(),
        get("forks"),
        get("execs"),
        get("exits"),
        get("oom_kills"),
        get("kstorm_rounds"),
        get("letters_delivered"),
        get("frames_free"),
        get("frames_heap"),
        get("frames_slab"),
    );
}

/// One round of all families; whether all went well.
fn round(seed: u64, families: u64) -> bool {
    let family = |number: u64| {
        move || match guard::enter(&format!("{number}")) {
            Ok(()) => live(Random::new(seed + number)),
            Err(_) => 1,
        }
    };
    let started = (0..families).map(|number| child::start(family(number)));
    let Ok(mut pids) = started.collect::<sys::Result<Vec<_>>>() else {
        return false;
    };
    let (mut looks, mut sound) = (0, true);
    while !pids.is_empty() {
        match sys::wait4(-1, libc::WNOHANG) {
            // An orphan, or one of ours.
            Ok((pid, status)) if pid > 0 => {
                if let Some(at) = pids.iter().position(|one| *one == pid) {
                    pids.swap_remove(at);
                    sound &= Ended::from_status(status) == Ended::Exited(0);
                }
            }
            _ => drop(sys::sleep_ms(3)),
        }
        looks += 1;
        if looks > LOOKS {
            println!("storm: {} families do not end", pids.len());
            return false;
        }
    }
    sound
}

/// A family's acts, one after the other.
fn live(mut random: Random) -> i32 {
    for _ in 0..EACH {
        let (name, act) = random.pick(ACTS);
        if let Err(why) = act(&mut random) {
            println!("FAIL storm {name}: {why}");
            return 1;
        }
    }
    0
}
