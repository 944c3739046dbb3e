//! Random requests against an address space: Linux and Lodger give the same answers, seed by seed (VM-19).
//!
//! `tests/user/src/bin/vmfuzz` does the requests and prints one hash for each seed. Where a hash is not Linux's, the seed
//! is shrunk to the requests that matter, and both kernels' answers to those are shown.

use harness::{Exit, Outcome, Vm, host_run};

const STEPS: &str = "100";
/// How many seeds a machine does.
const SEEDS: usize = 250;
/// Bounds a machine, in seconds; alone it needs ten.
const LIMIT: u64 = 400;

#[test]
fn vm_19_the_first_quarter_of_the_seeds_is_as_on_linux() {
    same_hashes("0..250", &[]);
}

#[test]
fn vm_19_the_second_quarter_of_the_seeds_is_as_on_linux() {
    same_hashes("250..500", &[]);
}

#[test]
fn vm_19_the_third_quarter_of_the_seeds_is_as_on_linux() {
    same_hashes("500..750", &[]);
}

#[test]
fn vm_19_the_last_quarter_of_the_seeds_is_as_on_linux() {
    same_hashes("750..1000", &[]);
}

/// Every access through a system call: user copies instead of faults from user mode.
#[test]
fn vm_19_the_kernels_own_accesses_are_as_on_linux() {
    same_hashes("1000..1250", &["--by-calls"]);
}

/// Each page of the arena is a quarter of a large page, and all memory that can be large is.
#[test]
fn vm_19_large_pages_are_cut_and_shared_as_on_linux() {
    let outcome = same_hashes("1250..1500", &["--large"]);
    assert!(outcome.counter("large_mapped") > 100);
    assert!(outcome.counter("large_split") > 100);
}

/// Runs the seeds on both kernels and compares line by line.
#[track_caller]
fn same_hashes(seeds: &str, options: &[&str]) -> Outcome {
    let args = [&["--seeds", seeds, "--steps", STEPS], options].concat();
    let host = host_run("vmfuzz", &args);
    let expected = lines(host.output.lines());
    assert!(
        host.status.success() && expected.len() == SEEDS && !host.output.contains("#    "),
        "the model does not hold on the host's Linux: {}",
        host.output
    );
    let outcome = machine(&args);
    let found = lines(outcome.program_output());
    let differs = expected.iter().find(|line| !found.contains(line));
    if let Some(line) = differs {
        let seed = line.split(' ').nth(1).unwrap_or("0");
        explain(&outcome, seed, options);
    }
    assert_eq!(expected, found);
    outcome
}

fn machine(args: &[&str]) -> Outcome {
    let outcome = boot(args);
    outcome.expect(Exit::Pass);
    outcome
}

fn boot(args: &[&str]) -> Outcome {
    let vm = Vm::new().memory("512M").cmdline("thp=always");
    vm.timeout(LIMIT).init("vmfuzz", args).boot()
}

fn lines<'a>(all: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let is_seed = |line: &&str| line.starts_with("seed ");
    all.into_iter().filter(is_seed).collect()
}

/// Shrinks a seed in Lodger, does what is left on both kernels, and fails with their answers.
#[track_caller]
fn explain(first: &Outcome, seed: &str, options: &[&str]) -> ! {
    let shrunk = boot(&[&["--shrink", seed, "--steps", STEPS], options].concat());
    let list = shrunk
        .program_output()
        .into_iter()
        .find_map(|line| line.split_once(" shrinks to --only "))
        .map(|(_, list)| list.to_owned());
    let Some(list) = list else {
        first.fail(&format!(
            "seed {seed} differs from Linux, and only together with other seeds"
        ));
    };
    let args = [
        &["--trace", seed, "--steps", STEPS, "--only", &list],
        options,
    ]
    .concat();
    let here = host_run("vmfuzz", &args).output;
    let there = boot(&args);
    let there = there.program_output().join("\n");
    first.fail(&format!(
        "seed {seed} differs from Linux in requests {list}\nLinux:\n{here}\nLodger:\n{there}"
    ));
}
