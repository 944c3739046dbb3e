//! `probe TOPIC [CASE]`: what a program may expect of its kernel, asked one case at a time.
//!
//! Without arguments it lists the topics; `probe all` asks everything. Each case is a process of its own
//! (`user::probe`), and each must hold on Linux as well. The topics of memory come first, then those of processes.
#![deny(unsafe_code)]

mod accounts;
mod advice;
mod alarm;
mod blocked;
mod brk;
mod calls;
mod changes;
mod clones;
mod contents;
mod cow;
mod cpusets;
mod crews;
mod cut_files;
mod damaged;
mod epolls;
mod events;
mod exec;
mod extras;
mod facts;
mod family;
mod faults;
mod faultsig;
mod fifos;
mod filelocks;
mod files;
mod forged;
mod futexes;
mod fuzz;
mod hogs;
mod interrupt;
mod jobs;
mod kernel_threads;
mod large;
mod letters;
mod limits;
mod locks;
mod lodgers;
mod maps;
mod mounts;
mod pagemap;
mod pcids;
mod permits;
mod pi;
mod pidfds;
mod pipe_modes;
mod pipe_transfers;
mod pipes;
mod places;
mod policies;
mod postman;
mod pty;
mod registers;
mod relatives;
mod remap;
mod repair;
mod residency;
mod rights;
mod sched;
mod seals;
mod selects;
mod settings;
mod shapes;
mod shared_files;
mod shootdown;
mod signals;
mod sizes;
mod sockets;
mod splices;
mod stack;
mod starve;
mod storm;
mod takers;
mod tellings;
mod terminals;
mod threads;
mod timers;
mod tmpfs;
mod uaccess;
mod unixes;
mod vdso;
mod walks;

use user::probe::{Tally, Topic};
use user::sys;

const TOPICS: &[&Topic] = &[
    &faults::TOPIC,
    &faultsig::TOPIC,
    &repair::TOPIC,
    &forged::TOPIC,
    &uaccess::TOPIC,
    &cow::TOPIC,
    &stack::TOPIC,
    &maps::TOPIC,
    &changes::TOPIC,
    &shapes::TOPIC,
    &limits::TOPIC,
    &remap::TOPIC,
    &advice::TOPIC,
    &locks::TOPIC,
    &residency::TOPIC,
    &large::TOPIC,
    &files::TOPIC,
    &tmpfs::TOPIC,
    &permits::TOPIC,
    &rights::TOPIC,
    &mounts::TOPIC,
    &walks::TOPIC,
    &filelocks::TOPIC,
    &facts::TOPIC,
    &kernel_threads::TOPIC,
    &extras::TOPIC,
    &contents::TOPIC,
    &shared_files::TOPIC,
    &cut_files::TOPIC,
    &seals::TOPIC,
    &settings::TOPIC,
    &brk::TOPIC,
    &accounts::TOPIC,
    &sizes::TOPIC,
    &pagemap::TOPIC,
    &calls::TOPIC,
    &places::TOPIC,
    &pipes::TOPIC,
    &tellings::TOPIC,
    &terminals::TOPIC,
    &jobs::TOPIC,
    &events::TOPIC,
    &selects::TOPIC,
    &epolls::TOPIC,
    &unixes::TOPIC,
    &letters::TOPIC,
    &splices::TOPIC,
    &pipe_modes::TOPIC,
    &pipe_transfers::TOPIC,
    &fifos::TOPIC,
    &family::TOPIC,
    &relatives::TOPIC,
    &clones::TOPIC,
    &pidfds::TOPIC,
    &exec::TOPIC,
    &blocked::TOPIC,
    &registers::TOPIC,
    &sched::TOPIC,
    &policies::TOPIC,
    &cpusets::TOPIC,
    &threads::TOPIC,
    &crews::TOPIC,
    &takers::TOPIC,
    &futexes::TOPIC,
    &pi::TOPIC,
    &signals::TOPIC,
    &interrupt::TOPIC,
    &alarm::TOPIC,
    &timers::TOPIC,
    &vdso::TOPIC,
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    // The stack's cases reckon with Linux's default, whatever the shell that started this may have set.
    if let Err(errno) = sys::set_soft_limit(libc::RLIMIT_STACK, 8 << 20) {
        println!("probe: the stack's limit cannot be set: {errno:?}");
    }
    let code = match words.as_slice() {
        [] => list(),
        ["null", ..] => 0,
        ["dispositions"] => interrupt::dispositions(),
        ["paused"] => alarm::paused(),
        ["args", ..] => exec::print_arguments(),
        ["execs", paths @ ..] => exec::execute_each(paths),
        ["storm", count @ ..] => storm::run(count.first().and_then(|count| count.parse().ok())),
        ["fuzz", rounds] => fuzz::run(rounds.parse().unwrap_or(100)),
        ["damaged"] => damaged::run(),
        ["starve"] => starve::run(),
        ["unharmed"] => starve::unharmed(),
        ["hogs"] => hogs::run(),
        ["promises"] => hogs::promises(),
        ["drops"] => hogs::drops(),
        ["rereads"] => hogs::rereads(),
        ["exhaust"] => storm::exhaust_memory(),
        ["crowd", count] => storm::crowd(count.parse().unwrap_or(100)),
        ["lodgers"] => lodgers::run(),
        ["pcids", turns] => pcids::run(turns.parse().unwrap_or(100)),
        ["postman"] => postman::run(),
        ["fill"] => storm::fill_memory(),
        ["where"] => places::tell_own(),
        ["compare"] => places::compare(),
        ["mappings"] => storm::many_mappings(),
        ["shares", levels @ ..] => cpusets::shares(levels),
        ["naps", count] => sched::nap(count.parse().unwrap_or(100)),
        ["shootdown", "borrowed", count] => shootdown::borrowed(count.parse().unwrap_or(10)),
        ["shootdown", who, count] => shootdown::run(*who == "awake", count.parse().unwrap_or(100)),
        ["all"] => run(TOPICS, None),
        [topic, case @ ..] => match TOPICS.iter().find(|known| known.name == *topic) {
            Some(known) => run(&[known], case.first().copied()),
            None => list(),
        },
    };
    std::process::exit(code);
}

fn run(topics: &[&Topic], only: Option<&str>) -> i32 {
    let mut tally = Tally::default();
    for topic in topics {
        tally.run(topic, only);
    }
    tally.finish()
}

fn list() -> i32 {
    println!(
        "usage: probe TOPIC [CASE] | all | execs FILE… | storm [N] | fill | starve | hogs | promises | drops | rereads | exhaust | crowd N | fuzz N | damaged | mappings | where | compare | naps N | shares LEVEL… | shootdown asleep|awake|borrowed N | pcids N | postman | lodgers | args … | null"
    );
    for topic in TOPICS {
        println!("  {:10} {}", topic.name, topic.about);
    }
    2
}
