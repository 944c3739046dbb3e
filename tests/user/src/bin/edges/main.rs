//! `edges memory|pointers`: system calls with every edge of every argument, one line for many cells.
//!
//! Nothing here knows the right answers: the lines are the same on Linux and in Lodger, and the story compares them. Each
//! cell is a child that makes one call, so that a call which takes the program's own memory away hurts nobody. A cell
//! says `ok` (or where, relative to the arena), the error, or the signal that ended the child; a star behind it tells
//! that the arena's map is not what it was.
#![deny(unsafe_code)]

mod cell;
mod memory;
mod moves;
mod pointers;

fn main() {
    user::sys::die_of_faults();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("memory") => memory::print(),
        Some("moves") => moves::print(),
        Some("pointers") => pointers::print(),
        _ => {
            println!("usage: edges memory | moves | pointers");
            std::process::exit(2);
        }
    }
}
