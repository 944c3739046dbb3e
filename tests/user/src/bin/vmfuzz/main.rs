//! `vmfuzz`: random requests against an address space, checked against a model, and told as one hash for each seed (VM-19).
//!
//! Everything that can be observed goes into the hash: answers of calls, signals with code and address, contents,
//! residence, the shape of the map. A kernel that behaves prints what Linux prints. The model is there to find the
//! request at fault: `--shrink` leaves out what is not needed for the difference, `--trace` prints each answer.
//!
//! Read [`ops`] (what is asked), [`model`] (what should be there), [`plan`] with [`pages`], [`remap`], [`advice`] and
//! [`locks`] (what should come of it), [`act`] (doing it), [`run`].
#![deny(unsafe_code)]

mod act;
mod advice;
mod locks;
mod model;
mod ops;
mod pages;
mod plan;
mod remap;
mod run;

use run::{Options, Run};
use user::child::{self, Ended};

const USAGE: &str = "usage: vmfuzz --seeds FIRST..END --steps N
       vmfuzz --trace SEED --steps N [--only STEP,STEP,…]
       vmfuzz --shrink SEED --steps N
       and with each: [--by-calls] [--large] [--without KIND,Advise23,…]";
/// The exit code of a seed whose answers were not the model's.
const DIFFERS: i32 = 3;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).map(String::as_str)
    };
    let number = |name| value(name).and_then(|text| text.parse::<u64>().ok());
    let steps = number("--steps").unwrap_or(80) as usize;
    let options = Options {
        by_calls: args.iter().any(|arg| arg == "--by-calls"),
        large: args.iter().any(|arg| arg == "--large"),
        only: value("--only").map(|list| {
            list.split(',')
                .filter_map(|step| step.parse().ok())
                .collect()
        }),
        without: value("--without")
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        ..Options::default()
    };
    if options.large {
        plan::enlarge();
    }
    let range = value("--seeds").and_then(|range| range.split_once(".."));
    let code = if let Some((first, end)) = range {
        let (first, end) = (first.parse().unwrap_or(0), end.parse().unwrap_or(0));
        batch(first..end, steps, &options)
    } else if let Some(seed) = number("--trace") {
        one(
            seed,
            steps,
            &Options {
                trace: true,
                ..options
            },
        )
    } else if let Some(seed) = number("--shrink") {
        shrink(seed, steps, &options)
    } else {
        println!("{USAGE}");
        2
    };
    std::process::exit(code);
}

/// Runs many seeds, a line each.
fn batch(seeds: std::ops::Range<u64>, steps: usize, options: &Options) -> i32 {
    let bad = seeds.filter(|seed| one(*seed, steps, options) != 0).count();
    println!("# vmfuzz: {bad} seeds were not as the model says");
    0
}

/// Runs a seed in a process of its own.
fn one(seed: u64, steps: usize, options: &Options) -> i32 {
    let ended = child::run(|| match Run::seed(seed, steps, options.clone()) {
        Ok((hash, differs)) => {
            if !options.quiet {
                println!("seed {seed} hash {hash:016x}");
            }
            if differs { DIFFERS } else { 0 }
        }
        Err(error) => {
            println!("seed {seed} cannot start: {error}");
            1
        }
    });
    match ended {
        Ok(Ended::Exited(code)) => code,
        other => {
            if !options.quiet {
                println!("seed {seed} died: {other:?}");
            }
            DIFFERS
        }
    }
}

/// Leaves out requests as long as the model is still contradicted, and shows what remains.
fn shrink(seed: u64, steps: usize, options: &Options) -> i32 {
    let fails = |only: &[usize]| {
        let options = Options {
            only: Some(only.to_vec()),
            quiet: true,
            ..options.clone()
        };
        one(seed, steps, &options) != 0
    };
    let mut left: Vec<usize> = (0..steps).collect();
    if !fails(&left) {
        println!("seed {seed}: the model agrees");
        return 0;
    }
    let mut piece = left.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at < left.len() {
            let end = (at + piece).min(left.len());
            let without = [&left[..at], &left[end..]].concat();
            if fails(&without) {
                left = without;
            } else {
                at = end;
            }
        }
        if piece == 1 {
            break;
        }
        piece = piece.div_ceil(2);
    }
    let list: Vec<String> = left.iter().map(usize::to_string).collect();
    println!("seed {seed} shrinks to --only {}", list.join(","));
    one(
        seed,
        steps,
        &Options {
            only: Some(left),
            trace: true,
            ..options.clone()
        },
    )
}
