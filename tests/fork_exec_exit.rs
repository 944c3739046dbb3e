//! The path of a process: fork, exec, exit, wait; what it finds at its start and what it leaves behind.

mod stories;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{Entry, Exit, Vm, host_run};
use stories::elf::Named;
use stories::{ends, holds, passes, topic};

#[test]
fn families_know_each_other() {
    topic("family", 8);
}

#[test]
fn exec_passes_arguments_and_forgets_memory() {
    let outcome = topic("exec", 17);
    assert!(outcome.counter("execs") >= 20);
}

/// MM-5: after a thousand address spaces the counters are back where they were, and the audit finds every frame.
#[test]
fn a_thousand_processes_leave_nothing_behind() {
    let outcome = passes("init=/bin/probe -- storm 1000");
    outcome.line_containing("storm: 1000 children, and all did fork, exec and exit: true");
    for name in [
        "mm_alive",
        "pml4_alive",
        "tasks_alive",
        "frames_anon",
        "frames_page_table",
    ] {
        outcome.line_containing(&format!("# {name} "));
    }
    for name in ["forks", "execs", "exits", "mm_freed"] {
        let count = outcome.counter(name);
        assert!(count >= 1000, "{name} is only {count}");
    }
    outcome.line_containing("audit ok");
}

/// LZ-18: a parent that has seen its child end can have all of the child's memory.
#[test]
fn memory_is_free_when_the_parent_learns_of_the_end() {
    passes("init=/bin/probe -- fill").line_containing("fill: 100 of 100");
}

/// HF-19: out of memory is the end of who asks for more, not of the machine.
#[test]
fn a_greedy_program_is_ended_and_its_memory_comes_back() {
    let outcome = Vm::new().memory("64M").init("probe", &["exhaust"]).boot();
    outcome.expect_pass();
    outcome.line_containing("only the greedy were killed: true, their memory is back: true");
    outcome.line_containing("invoked oom-killer: pid=");
    outcome.line_containing("Out of memory: Killed process");
    assert_eq!(outcome.counter("oom_kills"), 3);
}

#[test]
fn three_hundred_processes_wait_at_once_in_64_mib() {
    let outcome = Vm::new()
        .memory("64M")
        .init("probe", &["crowd", "300"])
        .boot();
    outcome.expect_pass();
    outcome.line_containing("crowd: 300 at once, 300 left as they should, refused: None");
}

#[test]
fn es_1_a_program_finds_the_registers_and_stack_linux_gives() {
    holds("startup", &[], 30);
}

#[test]
fn es_5_so_does_one_that_may_be_loaded_anywhere() {
    holds("startup-pie", &[], 30);
}

#[test]
fn a_c_program_uses_its_library() {
    holds("clib", &[], 10);
}

#[test]
fn programs_in_rust_and_c_say_hello() {
    let outcome = passes("init=/bin/hello -- reader");
    outcome.line_containing("Hello, reader! I am process 1,");
    let outcome = passes("init=/bin/hello-c -- reader");
    outcome.line_containing("A third is about 0.333333, and I was given 1 argument.");
}

#[test]
fn the_exit_status_of_init_is_the_machines() {
    ends("init=/bin/probe -- args exit 0", Exit::Pass);
    ends("init=/bin/probe -- args exit 3", Exit::Fail);
}

#[test]
fn input_from_the_console_reaches_a_program() {
    let outcome = Vm::new()
        .init("probe", &["args", "read", "2"])
        .input("first line\nsecond\n")
        .boot();
    outcome.expect_pass();
    outcome.line_containing("read \"first line\\n\"");
    outcome.line_containing("read \"second\\n\"");
}

/// Where Linux finds out too late and kills, a kernel that finds out in time may refuse.
fn agrees(inside: &str, outside: &str) -> bool {
    let refused = ["ENOEXEC", "EINVAL", "ENOMEM"]
        .iter()
        .any(|errno| inside.ends_with(errno));
    inside == outside || outside.ends_with("SIGSEGV") && refused
}

/// EX-1: a file that is no program is refused as Linux refuses it, and the one that tried goes on.
#[test]
fn malformed_executables_are_refused_as_linux_refuses_them() {
    let files = stories::elf::files();
    let paths: Vec<String> = files
        .iter()
        .map(|(name, _)| format!("/bad/{name}"))
        .collect();
    let args: Vec<&str> = ["execs"]
        .into_iter()
        .chain(paths.iter().map(String::as_str))
        .collect();
    let outcome = Vm::new()
        .initramfs(|entries| add_files(entries, &files))
        .init("probe", &args)
        .boot();
    outcome.expect_pass();
    let inside = outcome
        .program_output()
        .into_iter()
        .filter(|line| line.starts_with("exec "));
    let inside: Vec<&str> = inside.collect();
    assert_eq!(inside.len(), files.len(), "{inside:?}");
    assert_eq!(
        inside[0], "exec good: exit 42",
        "the file that is right runs"
    );
    let outside = on_the_host(&files);
    let outside = outside.lines().filter(|line| line.starts_with("exec "));
    for (inside, outside) in inside.into_iter().zip(outside) {
        assert!(
            agrees(inside, outside),
            "Lodger: {inside}\nLinux: {outside}"
        );
    }
}

fn add_files(entries: &mut Vec<Entry>, files: &[Named]) {
    entries.push(Entry::folder("bad"));
    for (name, bytes) in files {
        entries.push(Entry::executable(&format!("bad/{name}"), bytes.clone()));
    }
}

/// Lets the host's Linux try the same files.
fn on_the_host(files: &[Named]) -> String {
    let folder = std::env::temp_dir().join(format!("lodger-bad-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the files");
    let mut args = vec!["execs".to_owned()];
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("a file can be written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it may be executed");
        args.push(path.to_string_lossy().into_owned());
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let told = host_run("probe", &args).output;
    fs::remove_dir_all(&folder).expect("the folder can go again");
    told
}
