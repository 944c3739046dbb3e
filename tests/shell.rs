//! The shell that people get: programs of strangers work together, alone and on the serial line.

mod stories;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use boot_image::root;
use harness::{Exit, Vm, host_run_in, project};

/// What the shell asks with.
const PROMPT: &str = "lodger:~# ";

fn scripts() -> PathBuf {
    boot_image::project::user_sources().join("scripts")
}

/// Makes a folder with the names that programs have inside, for the host.
fn programs() -> PathBuf {
    let folder = boot_image::project::target().join("guests/bin");
    fs::create_dir_all(&folder).expect("the target folder is writable");
    let folder = fs::canonicalize(folder).expect("it was just made");
    let busybox = root::busybox().expect("these tests need busybox-static on the host");
    let installed = Command::new(&busybox)
        .args(["--install", "-s"])
        .arg(&folder)
        .status();
    assert!(installed.is_ok_and(|status| status.success()));
    for name in ["bash", "lua"] {
        let link = folder.join(name);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(project::guest(name), link).expect("a link can be made");
    }
    folder
}

/// Scripts of ash, of busybox's programs, of bash and of Lua say what they say on the host.
#[test]
fn scripts_and_interpreters_do_what_they_do_on_linux() {
    let folder = programs();
    let scripts = scripts().display().to_string();
    let all = format!("{scripts}/all.sh");
    let host = host_run_in(
        &folder.display().to_string(),
        &folder.join("sh"),
        &[&all, &scripts],
    );
    assert!(host.status.success(), "on the host:\n{}", host.output);
    let mut vm = Vm::new()
        .memory("256M")
        .with_files(&format!("{scripts}:/scripts"));
    for name in ["bash", "lua"] {
        vm = vm.with_files(&format!("{}:/bin/{name}", project::guest(name).display()));
    }
    let answer = vm.command(&["sh", "/scripts/all.sh", "/scripts"], b"");
    let ours = String::from_utf8_lossy(&answer.output).into_owned();
    let pairs: Vec<_> = host.output.lines().zip(ours.lines()).collect();
    assert!(
        pairs.len() > 150,
        "{ours}{}",
        String::from_utf8_lossy(&answer.errors)
    );
    for (number, (linux, lodger)) in pairs.iter().enumerate() {
        assert_eq!(linux, lodger, "line {number} of:\n{ours}");
    }
    assert_eq!(host.output, ours);
    assert_eq!(
        (answer.status, answer.exit),
        (Some(0), Some(Exit::Pass)),
        "{}",
        answer.log
    );
}

/// Threads, channels, files, child processes and panics.
#[test]
fn a_program_of_rusts_library_does_what_it_does_on_linux() {
    let program = project::guest("crafts");
    let host = host_run_in("/bin", &program, &[]);
    assert!(
        host.status.success() && host.output.ends_with("done\n"),
        "{}",
        host.output
    );
    for processors in [1, 4] {
        let vm = Vm::new().smp(processors);
        let vm = vm.with_files(&format!("{}:/bin/crafts", program.display()));
        let answer = vm.command(&["crafts"], b"");
        assert_eq!(String::from_utf8_lossy(&answer.output), host.output);
        assert_eq!(answer.exit, Some(Exit::Pass), "{}", answer.log);
    }
}

/// A command's bytes are the host's own, both ways, and so is how it ends.
#[test]
fn a_command_has_the_hosts_bytes_and_ends_as_it_ends() {
    let every: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let answer = Vm::new().command(
        &["sh", "-c", "cat; echo '\"quoted\" words' >&2; exit 42"],
        &every,
    );
    assert!(
        answer.output == every,
        "{} bytes came back",
        answer.output.len()
    );
    assert_eq!(answer.errors, b"\"quoted\" words\n");
    assert_eq!(answer.status, Some(42));
    let killed = Vm::new().command(&["sh", "-c", "kill -KILL $$"], b"");
    assert_eq!(
        (killed.status, killed.output.as_slice()),
        (Some(137), &b""[..])
    );
    let absent = Vm::new().command(&["no-such-program"], b"");
    assert_eq!(
        (absent.status, absent.errors.as_slice()),
        (Some(127), &b"no-such-program: not found\n"[..])
    );
}

/// Somebody types: lines are edited, signals sent, jobs stopped and continued, a file edited.
#[test]
fn somebody_works_on_the_serial_line() {
    let turns = [
        (PROMPT, "tty; stty size\n"),
        ("24 80", ""),
        (PROMPT, "echo wrnog\x7f\x7f\x7f\x7frong | cat\n"),
        ("\nwrong", ""),
        (
            PROMPT,
            "sh -c 'echo begun; exec sleep 1000'; echo not reached\n",
        ),
        ("\nbegun\r\n", "\x03"),
        (PROMPT, "echo status $?\n"),
        ("\nstatus 130", ""),
        (PROMPT, "sh -c 'echo ready; exec tee typed'\n"),
        ("\nready\r\n", "one\n"),
        // What was typed and not read goes with Ctrl-Z: only the echo tells that the line was read.
        ("one\r\none\r\n", "tw"),
        ("tw", "\x1a"),
        ("Stopped", ""),
        (PROMPT, "jobs | grep -c Stopped; fg\n"),
        ("\n1\r\n", ""),
        ("exec tee", "two\n\x04"),
        (PROMPT, "cat typed; sleep 1000 &\n"),
        ("\none\r\ntwo", ""),
        (PROMPT, "kill %1; wait; echo reaped\n"),
        ("\nreaped", ""),
        (
            PROMPT,
            "sh -c 'trap \"echo trapped; exit 4\" INT; echo set; while :; do sleep 0.1; done'\n",
        ),
        ("\nset\r\n", "\x03"),
        ("^Ctrapped", ""),
        (PROMPT, "vi typed\n"),
        ("1/2", "dd"),
        ("Delete 1 lines", "i"),
        // A letter at a time: of several that are there at once only the last brings the line up to date, from where it changed.
        ("I typed", "t"),
        ("two", "h"),
        ("htwo", "r"),
        ("rtwo", "e"),
        ("etwo", "e"),
        ("etwo", "\x1b"),
        // The key stands alone: what comes at once behind it would make it part of a sequence.
        ("- typed", ":wq\n"),
        (PROMPT, "cat typed\n"),
        ("\nthreetwo", ""),
        (PROMPT, "free | awk '/^Mem/ { print \"used\", $3 }'\n"),
        ("\nused ", ""),
        (PROMPT, "sh -c 'exit 9'; echo status $?\n"),
        ("\nstatus 9", ""),
        (PROMPT, "exit\n"),
    ];
    let outcome = Vm::new()
        .memory("256M")
        .cmdline("loglevel=info kstatd=0")
        .shell(&turns)
        .boot();
    outcome.expect_pass();
    outcome.line_containing("status 9");
    let figures = outcome.lines_matching("used ");
    let figure = |line: &&str| line.strip_prefix("used ")?.trim().parse::<u64>().ok();
    let used = figures
        .iter()
        .find_map(figure)
        .expect("`free` told a figure");
    assert!(used < 16 * 1024, "{used} KiB are used at the prompt");
}

/// The same in bash, whose lines are edited by readline in raw mode: keys that move and delete, what was typed before, completion,
/// jobs, traps, another size; then a text is paged and searched.
#[test]
fn somebody_works_in_bash_and_pages_a_text() {
    const ASKS: &str = "\nB$ ";
    let turns = [
        (PROMPT, "exec bash --norc --noprofile\n"),
        (PROMPT, "PS1='\\nB$ '; PROMPT_COMMAND=\n"),
        (ASKS, "echo size $COLUMNS $LINES\n"),
        ("\nsize 80 24", ""),
        // To the start and the end of the line, left, right, and over a letter.
        (ASKS, "cho one\x01e\x05 two\n"),
        ("\none two", ""),
        (ASKS, "echo axc\x1b[D\x1b[D\x04b\x1b[Cd\n"),
        ("\nabcd", ""),
        // A word goes, a line goes and comes back, the rest of a line goes.
        (ASKS, "echo three four\x17five\n"),
        ("\nthree five", ""),
        (ASKS, "nonsense\x15echo back\x01\x0b\x19\n"),
        ("\nback", ""),
        (ASKS, "\x1b[A\x1b[A\n"),
        ("\nthree five", ""),
        (ASKS, "\x12one t\r"),
        ("\none two", ""),
        // Readline takes a signal at once only while it waits, on Linux as well: by the time that something is said, it does.
        (ASKS, "(sleep 1; echo soon) &\n"),
        (ASKS, "echo never ever"),
        ("soon\r\n", "\x03"),
        (ASKS, "echo $?; cd /etc\n"),
        ("\n130", ""),
        (ASKS, "cat hostn\t\n"),
        ("\nlodger", ""),
        (ASKS, "cd /; echo /pro\tself/comm\tand\n"),
        ("\n/proc/self/comm and", ""),
        (ASKS, "sh -c 'echo ready; exec sleep 1000' | cat\n"),
        ("\nready\r\n", "\x1a"),
        ("Stopped", ""),
        (
            ASKS,
            "jobs | grep -c Stopped; bg; jobs -r | grep -c Running\n",
        ),
        ("\n1\r\n", ""),
        ("&\r\n1\r\n", ""),
        (ASKS, "kill %1; wait %1; echo ended\n"),
        ("\nended", ""),
        (
            ASKS,
            "sh -c 'kill -STOP $$; echo goes on; exec sleep 1000'\n",
        ),
        ("Stopped", ""),
        (ASKS, "fg\n"),
        ("\ngoes on\r\n", "\x03"),
        (ASKS, "echo status $?\n"),
        ("\nstatus 130", ""),
        (ASKS, "trap 'echo trapped' INT\n"),
        (ASKS, "(sleep 1; echo later) &\n"),
        ("later\r\n", "\x03"),
        ("trapped\r\n", ""),
        (ASKS, "stty rows 10 cols 60\n"),
        (ASKS, "echo size $COLUMNS $LINES\n"),
        ("\nsize 60 10", ""),
        (ASKS, "(exit 3) & wait $!; echo child $?; set +m; set -m\n"),
        ("child 3", ""),
        (
            ASKS,
            "read -t 5 -n 3 -p 'three keys: ' keys; echo \"=$keys=\"\n",
        ),
        ("three keys: ", "xyz"),
        ("=xyz=", ""),
        (ASKS, "seq 100 | sed 's/^/line /' > /tmp/text\n"),
        // A return is to stay one: it may come while the pager has given the terminal back.
        (ASKS, "stty -icrnl; less /tmp/text; stty icrnl\n"),
        ("line 9", " "),
        ("line 18", "b"),
        ("line 1\r\n", "/e 50\r"),
        // The match is shown in reverse.
        ("line 51", "G"),
        ("line 100", "q"),
        (ASKS, "exit 0\n"),
    ];
    let bash = format!("{}:/bin/bash", project::guest("bash").display());
    let vm = Vm::new().memory("256M").with_files(&bash).shell(&turns);
    let outcome = vm.cmdline("loglevel=info kstatd=0").boot();
    outcome.expect_pass();
    outcome.line_containing("child 3");
}

/// What the first user of a machine tries: a fork bomb as an ordinary user, a full disk, a program that takes all memory.
#[test]
fn bombs_from_a_shell_hurt_only_the_guilty() {
    const SCRIPT: &str = "
        su -s /bin/sh nobody -c 'ulimit -u 40; b() { b | b & }; b' 2>/tmp/told
        until grep -q \"can't fork\" /tmp/told; do sleep 0.1; done; echo refused
        kill -9 -1
        while ps -o user | grep -q nobody; do sleep 0.1; done; echo none
        yes 2>/dev/null >/tmp/large; echo disk $?
        rm /tmp/large; echo works >/tmp/small; cat /tmp/small
        (tail /dev/zero) 2>/dev/null; echo memory $?
        seq 100 | sort -n | tail -1";
    let vm = Vm::new().smp(2).memory("128M").timeout(300);
    let answer = vm.command(&["sh", "-c", SCRIPT], b"");
    let output = String::from_utf8_lossy(&answer.output);
    assert_eq!(
        output, "refused\nnone\ndisk 1\nworks\nmemory 137\n100\n",
        "{}",
        answer.log
    );
    assert_eq!((answer.status, answer.exit), (Some(0), Some(Exit::Pass)));
}

/// Every terminal, asked through pseudo-terminals.
#[test]
fn terminals_do_what_they_do_on_linux() {
    stories::topic("terminals", 10);
    stories::topic("jobs", 6);
    stories::topic("tellings", 7);
}
