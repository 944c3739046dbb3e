//! `soak fuzz`: system calls with arguments that a seed chooses, most of them sensible, by several processes at once.
//!
//! A round starts a victim on every lane and waits until all have ended, by themselves or because they stand still. Then
//! everybody is killed, and tasks, address spaces and frames must be as many as before: a leak is found in the round that made it.
//! `--seed S --rounds 1 --lanes 1` repeats a victim.

pub(crate) mod calls;
pub(crate) mod lane;
pub(crate) mod lists;
pub(crate) mod victim;
pub(crate) mod words;

use std::ffi::CStr;

use user::child::{self, Ended};
use user::signals;
use user::sys;

use crate::guard::{self, Before};
use crate::options::Options;
use lane::{Lane, NUMBERS};

const PROGRAM: &CStr = c"/bin/soak";
/// How long a look at the lanes is apart from the next one, in milliseconds.
const NAP: u64 = 4;
/// A victim that made no call in so many looks is killed.
const STILL: u32 = 12;
/// It must have gone after so many more.
const GONE: u32 = 5000;
/// More calls than a victim, its threads and children make.
const MOST: u64 = 8000;
/// Rounds between two tellings, and two checks of all page tables.
const TELL: u64 = 50;
const CHECK: u64 = 25;

/// How the victims ended: through, of what they did, killed.
#[derive(Default)]
struct Ends([u64; 3], Option<Ended>);

/// A victim at work.
struct Watched {
    lane: Lane,
    pid: i32,
    calls: u64,
    still: u32,
    ended: bool,
}

/// Makes about as many calls as the options say.
pub(crate) fn run(options: &Options) -> i32 {
    if !guard::is_ours() {
        println!("fuzz: only as the first process of a machine of its own");
        return 2;
    }
    let Ok(lanes) = Lane::all(options.lanes) else {
        return 1;
    };
    let mut ends = Ends::default();
    // The first round touches what stays: programs in the page cache, tables that the kernel makes once.
    for _ in 0..3 {
        let _ = round(options.seed, &lanes, &mut ends);
        guard::end_everybody();
        guard::clear();
    }
    guard::settle();
    let mut before = Before::new();
    let (mut calls, mut rounds) = (0, 0);
    let mut sound = true;
    while sound && calls < options.calls && rounds < options.rounds {
        let seed = options.seed + rounds * options.lanes;
        let Some(made) = round(seed, &lanes, &mut ends) else {
            return 1;
        };
        calls += made;
        rounds += 1;
        if made == 0 {
            println!(
                "fuzz: nobody makes calls any more; the last victim ended so: {:?}",
                ends.1
            );
            return 1;
        }
        sound = before.is_back() && (!rounds.is_multiple_of(CHECK) || guard::is_sound());
        if !sound {
            println!(
                "fuzz: that was round {rounds}, seeds {seed} and the {} after it",
                options.lanes - 1
            );
        }
        if rounds.is_multiple_of(TELL) {
            println!(
                "# fuzz: {calls} calls in {rounds} rounds, ends {:?}",
                ends.0
            );
        }
    }
    tell(&lanes);
    let [through, died, killed] = ends.0;
    println!(
        "# {calls} calls, {rounds} rounds; {through} victims came through, {died} died of what they did, {killed} had to be killed"
    );
    let enough = calls >= options.calls || rounds >= options.rounds;
    let sound = sound && guard::is_sound();
    println!("fuzz: enough calls: {enough}, nothing stays behind: {sound}");
    i32::from(!enough || !sound)
}

/// One victim on every lane; how many calls they made, or nothing if one does not end.
fn round(seed: u64, lanes: &[Lane], ends: &mut Ends) -> Option<u64> {
    let mut watched = Vec::with_capacity(lanes.len());
    for (index, lane) in lanes.iter().enumerate() {
        lane.reset();
        let seed = seed + index as u64;
        let begin = || match guard::enter(&format!("{index}")) {
            Ok(()) => victim::run(seed, *lane, PROGRAM),
            Err(_) => guard::ASTRAY,
        };
        watched.push(Watched {
            lane: *lane,
            pid: child::start(begin).ok()?,
            calls: 0,
            still: 0,
            ended: false,
        });
    }
    while watched.iter().any(|one| !one.ended) {
        while let Ok((pid, status)) = sys::wait4(-1, libc::WNOHANG | 0x4000_0000) {
            if pid == 0 {
                break;
            }
            if let Some(one) = watched.iter_mut().find(|one| one.pid == pid) {
                one.ended = true;
                ends.1 = Some(Ended::from_status(status));
                ends.0[match Ended::from_status(status) {
                    Ended::Exited(0) => 0,
                    Ended::Killed(libc::SIGKILL) => 2,
                    _ => 1,
                }] += 1;
            }
        }
        let _ = sys::sleep_ms(NAP);
        for one in watched.iter_mut().filter(|one| !one.ended) {
            one.look();
            if one.still > GONE {
                println!(
                    "fuzz: process {} does not end: {:x?}",
                    one.pid,
                    one.lane.last()
                );
                return None;
            }
        }
    }
    // A victim that found its lane and wrote over it counts for no more than it can have done.
    Some(lanes.iter().map(|lane| lane.calls().min(MOST)).sum())
}

impl Watched {
    /// Kills it if it stands still.
    fn look(&mut self) {
        let calls = self.lane.calls();
        self.still = if calls == self.calls {
            self.still + 1
        } else {
            0
        };
        self.calls = calls;
        if self.still >= STILL {
            let _ = signals::kill(self.pid, libc::SIGKILL);
        }
    }
}

/// Tells for each number how often it was called, and how often that was refused.
fn tell(lanes: &[Lane]) {
    let mut line = String::new();
    for number in 0..NUMBERS {
        let each = lanes.iter().map(|lane| lane.of(number));
        let (calls, refused) = each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if calls > 0 {
            line += &format!(" {number}:{calls}/{refused}");
        }
        if line.len() > 150 || number == NUMBERS - 1 {
            println!("# fuzz{line}");
            line.clear();
        }
    }
}
