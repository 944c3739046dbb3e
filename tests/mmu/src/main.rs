//! `mmu`: runs random programs on the kernel's memory management, above a simulated MMU.
//!
//! Exit code 0 says that kernel and model agreed all the time; 1 that they did not, with the seed,
//! what was wrong, and the shortest list of steps found that still goes wrong.
#![deny(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use mmu::arch::cpu::{irq_restore, irq_save};
use mmu::maker::{Taste, program};
use mmu::program::Step;
use mmu::run::Conditions;
use mmu::sim::cpu::{CPUS, Habits, set_habits, take_turn};
use mmu::sim::memory;
use mmu::sim::mmu::{Defect, During, set_defect};

/// Random programs against the kernel's memory management and a page-by-page model
#[derive(Parser, Debug)]
struct Options {
    /// The first program's seed; the others follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many programs
    #[arg(long, default_value_t = 100)]
    programs: u64,
    /// Steps of a program
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// Frames of the machine
    #[arg(long, default_value_t = 8192)]
    frames: u64,
    /// Processors; each process stays on one
    #[arg(long, default_value_t = 1)]
    cpus: usize,
    /// Let each process run on all processors, as if it had a thread on each
    #[arg(long)]
    share: bool,
    /// Come back from a borrow without a look at what was flushed meanwhile
    #[arg(long)]
    forgetful: bool,
    /// Give the processors PCIDs
    #[arg(long)]
    pcids: bool,
    /// And INVPCID
    #[arg(long, requires = "pcids")]
    invpcid: bool,
    /// Come back to a PCID without a look at what was flushed meanwhile
    #[arg(long, requires = "pcids")]
    forgetful_pcids: bool,
    /// Borrow without references
    #[arg(long)]
    shoot: bool,
    /// Let somebody take nearly all frames now and then
    #[arg(long)]
    hogs: bool,
    /// Give programs large pages wherever that is possible
    #[arg(long)]
    large: bool,
    /// Load init_mm's tables for kernel threads instead of borrowing
    #[arg(long)]
    eager: bool,
    /// What is wrong with the MMU
    #[arg(long, value_enum, default_value_t)]
    defect: Defect,
    /// During which operations
    #[arg(long, value_enum, default_value_t)]
    during: During,
    /// Do not look into the TLBs after each step: what is wrong there must show in what programs see
    #[arg(long)]
    by_use: bool,
    /// Take only these steps, by number
    #[arg(long, value_delimiter = ',')]
    keep: Option<Vec<usize>>,
    /// Do not look for a shorter program that fails as well
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    assert!((1..=CPUS).contains(&options.cpus), "one processor to four");
    memory::boot(options.frames);
    mmu::mm::switch::set_eager(options.eager);
    mmu::mm::borrow::set_shot(options.shoot);
    mmu::mm::pcid::choose(options.pcids, options.invpcid);
    for cpu in 0..CPUS {
        take_turn(cpu);
        let irq = irq_save();
        mmu::mm::pcid::start();
        irq_restore(irq);
    }
    take_turn(0);
    if options.forgetful_pcids {
        assert!(mmu::mm::pcid::forget_generations(), "needs a debug build");
    }
    if options.forgetful {
        assert!(mmu::mm::switch::forget_generations(), "needs a debug build");
    }
    set_defect(options.defect, options.during);
    for seed in options.seed..options.seed + options.programs {
        if let Err((number, wrong)) = run(seed, &options) {
            report(seed, &options, number, &wrong);
            return ExitCode::FAILURE;
        }
    }
    println!(
        "{} programs of {} steps: no difference",
        options.programs, options.steps
    );
    summary();
    ExitCode::SUCCESS
}

/// Tells what the programs made the kernel do, so that nobody believes in tests that do nothing.
fn summary() {
    let mut text = String::new();
    mmu::mm::counters::write(&mut text).expect("a string takes any text");
    text.lines()
        .filter(|line| !line.ends_with(" 0"))
        .for_each(|line| println!("{line}"));
}

fn steps(seed: u64, options: &Options) -> Vec<(usize, Step)> {
    let taste = Taste {
        steps: options.steps,
        hogs: options.hogs,
        large: options.large,
    };
    let all = program(seed, &taste).into_iter().enumerate();
    match &options.keep {
        Some(kept) => all.filter(|(number, _)| kept.contains(number)).collect(),
        None => all.collect(),
    }
}

fn run(seed: u64, options: &Options) -> Result<(), (usize, String)> {
    // Of four programs one has a processor with no habits: what it finds is found each time.
    let habits = Habits {
        speculates: seed & 1 == 0,
        forgets: seed & 3 == 2,
    };
    set_habits(habits, seed);
    let steps = steps(seed, options);
    let conditions = Conditions {
        cpus: options.cpus,
        shares: options.share,
        relies_on_use: options.by_use,
        thorough: options.keep.is_some(),
        has_large_pages: options.large,
    };
    let ran = catch_unwind(AssertUnwindSafe(|| mmu::run::run(&steps, conditions)));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err((usize::MAX, format!("panic: {}", text.unwrap_or_default())))
    })
}

fn report(seed: u64, options: &Options, number: usize, wrong: &str) {
    println!("seed {seed}, step {number}: {wrong}");
    if options.keep.is_some() || options.no_shrink {
        return list(seed, options, None);
    }
    let mut arguments: Vec<String> = vec!["--seed".into(), seed.to_string()];
    for (name, value) in [
        ("--steps", options.steps.to_string()),
        ("--frames", options.frames.to_string()),
        ("--cpus", options.cpus.to_string()),
        ("--defect", format!("{:?}", options.defect).to_lowercase()),
        ("--during", format!("{:?}", options.during).to_lowercase()),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    arguments.extend(options.hogs.then(|| "--hogs".to_owned()));
    arguments.extend(options.large.then(|| "--large".to_owned()));
    arguments.extend(options.by_use.then(|| "--by-use".to_owned()));
    arguments.extend(options.share.then(|| "--share".to_owned()));
    arguments.extend(options.forgetful.then(|| "--forgetful".to_owned()));
    arguments.extend(options.shoot.then(|| "--shoot".to_owned()));
    arguments.extend(options.pcids.then(|| "--pcids".to_owned()));
    arguments.extend(options.invpcid.then(|| "--invpcid".to_owned()));
    let forgets = options.forgetful_pcids;
    arguments.extend(forgets.then(|| "--forgetful-pcids".to_owned()));
    arguments.extend(options.eager.then(|| "--eager".to_owned()));
    match mmu::shrink::shrink(&arguments, (0..options.steps).collect()) {
        Some(kept) => {
            let numbers: Vec<String> = kept.iter().map(usize::to_string).collect();
            println!(
                "repeat: mmu {} --programs 1 --keep {}",
                arguments.join(" "),
                numbers.join(",")
            );
            list(seed, options, Some(&kept));
        }
        None => println!("it does not fail alone: repeat with the same first seed"),
    }
}

fn list(seed: u64, options: &Options, kept: Option<&[usize]>) {
    let is_kept = |number: &usize| kept.is_none_or(|kept| kept.contains(number));
    for (number, step) in steps(seed, options)
        .iter()
        .filter(|(number, _)| is_kept(number))
    {
        println!("{number:4}: {step:x?}");
    }
}
