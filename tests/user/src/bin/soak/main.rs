//! `soak fuzz | storm | bombs …`: much of everything at once, on a machine that exists for nothing else.
//!
//! As the first process it may end everybody, and what everybody had must be back afterwards: tasks, address spaces, frames.
//! On any other kernel, and as any other process, it refuses.
#![deny(unsafe_code)]

mod bombs;
mod fuzz;
mod guard;
mod options;
mod random;
mod storm;

use options::Options;
use user::sys;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let code = match words.as_slice() {
        ["null", ..] => 0,
        ["fuzz", rest @ ..] => {
            Options::read(rest).map_or_else(usage, |options| fuzz::run(&options))
        }
        ["storm", rest @ ..] => {
            Options::read(rest).map_or_else(usage, |options| storm::run(&options))
        }
        ["bombs", only @ ..] => bombs::run(only.first().copied()),
        _ => usage(),
    };
    sys::exit(code);
}

fn usage() -> i32 {
    println!(
        "usage: soak fuzz [--seed N] [--lanes N] --calls N | --rounds N | storm [--seed N] [--lanes N] --rounds N | --seconds N"
    );
    2
}
