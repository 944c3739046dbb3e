//! What command lines mean.

use super::*;
use clap::CommandFactory;

fn run(args: &[&str]) -> Result<RunArgs, clap::Error> {
    let line = ["x", "run"].iter().chain(args);
    match Cli::try_parse_from(line)?.chosen() {
        Command::Run(run) => Ok(*run),
        other => panic!("not run: {other:?}"),
    }
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn no_subcommand_means_a_plain_run() {
    let cli = Cli::try_parse_from(["x"]).unwrap();
    let Command::Run(plain) = cli.chosen() else {
        panic!("not run")
    };
    assert_eq!(
        (plain.smp, plain.memory.as_str(), plain.seconds()),
        (1, "256M", 120)
    );
}

#[test]
fn a_run_without_a_limit_cannot_be_asked_for() {
    assert!(run(&["--timeout", "0"]).is_err());
    assert_eq!(run(&["--timeout", "7"]).unwrap().seconds(), 7);
}

#[test]
fn each_emulator_refuses_what_only_the_other_can() {
    let refused = |args: &[&str]| run(args).unwrap().unsuitable();
    assert_eq!(refused(&["--emulator", "bochs", "--uefi"]), Some("--uefi"));
    assert_eq!(refused(&["--emulator", "bochs", "--smp", "2"]), None);
    assert_eq!(refused(&["--cpu", "tigerlake"]), Some("--cpu"));
    assert_eq!(refused(&["--uefi"]), None);
}

#[test]
fn memory_is_told_in_mebibytes() {
    for (text, mebibytes) in [
        ("64M", 64),
        ("1G", 1024),
        ("32768k", 32),
        ("7", 7),
        ("1K", 1),
    ] {
        let args = run(&["--memory", text]).unwrap();
        assert_eq!(args.mebibytes(), mebibytes, "{text}");
    }
}

#[test]
fn what_follows_the_program_are_its_arguments_even_with_hyphens() {
    let run = run(&["--smp", "2", "--program", "./hello", "-n", "--uefi"]).unwrap();
    assert_eq!(run.args, ["-n", "--uefi"]);
    assert!(!run.uefi);
}

#[test]
fn arguments_without_a_program_are_a_command() {
    let run = run(&["--smp", "2", "--", "sh", "-c", "echo --smp"]).unwrap();
    assert_eq!((run.smp, run.command().len()), (2, 3));
    assert_eq!(run.chosen_root(), Root::Shell);
}

#[test]
fn a_line_that_names_an_init_or_a_test_wants_the_tests_root() {
    for line in ["init=/bin/probe", "test=lazy"] {
        assert_eq!(run(&["--append", line]).unwrap().chosen_root(), Root::Tests);
    }
    assert_eq!(
        run(&["--program", "./hello", "a"]).unwrap().chosen_root(),
        Root::Tests
    );
    assert!(
        run(&["--program", "./hello", "a"])
            .unwrap()
            .command()
            .is_empty()
    );
}

#[test]
fn memory_is_a_number_with_at_most_one_suffix() {
    for good in ["64M", "1G", "128", "32768k"] {
        assert!(run(&["--memory", good]).is_ok(), "{good}");
    }
    for bad in ["", "0", "M", "12MM", "64MB", "-1", "lots"] {
        assert!(run(&["--memory", bad]).is_err(), "{bad}");
    }
}

#[test]
fn the_rest_of_a_test_line_goes_to_cargo() {
    let cli =
        Cli::try_parse_from(["x", "test", "-p", "fault", "cow", "--", "--nocapture"]).unwrap();
    let Command::Test(test) = cli.chosen() else {
        panic!("not test")
    };
    assert_eq!(test.args, ["-p", "fault", "cow", "--", "--nocapture"]);
}

#[test]
fn every_subcommand_explains_itself() {
    for subcommand in Cli::command().get_subcommands() {
        assert!(
            subcommand.get_about().is_some(),
            "{}",
            subcommand.get_name()
        );
        for arg in subcommand.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{} {}",
                subcommand.get_name(),
                arg.get_id()
            );
        }
    }
}
