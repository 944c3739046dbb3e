//! Programs started from programs: arguments, environment, what exec keeps, what it refuses (EX-1…EX-4, AB-6).

use std::ffi::CString;
use std::process::{Command, Stdio};

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "exec",
    about: "exec, spawn, arguments, environment and refusals",
    cases: &[
        ("arguments_arrive", arguments_arrive),
        ("environment_arrives", environment_arrives),
        ("exit_code_comes_back", exit_code_comes_back),
        ("death_by_signal_comes_back", death_by_signal_comes_back),
        ("standard_input_is_fed", standard_input_is_fed),
        ("many_arguments", many_arguments),
        ("argument_too_long", argument_too_long),
        ("arguments_too_many", arguments_too_many),
        ("no_argv", no_argv),
        ("missing_program", missing_program),
        ("directory_is_no_program", directory_is_no_program),
        ("failed_exec_changes_nothing", failed_exec_changes_nothing),
        ("old_memory_is_gone", old_memory_is_gone),
        ("pid_is_kept", pid_is_kept),
        ("close_on_exec", close_on_exec),
        ("chain_of_execs", chain_of_execs),
        ("spawn_missing", spawn_missing),
    ],
};

/// The other side of most cases: prints its arguments, and does what its first one says.
pub(crate) fn print_arguments() -> i32 {
    let args: Vec<String> = std::env::args().skip(2).collect();
    match args.first().map(String::as_str) {
        Some("exit") => return args.get(1).and_then(|code| code.parse().ok()).unwrap_or(1),
        Some("env") => std::env::vars().for_each(|(key, value)| println!("{key}={value}")),
        Some("cat") => {
            return i32::from(
                std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).is_err(),
            );
        }
        Some("read") => return read_lines(&args),
        Some("peek") => return peek_or_die(&args),
        Some("ids") => println!("{} {}", sys::getpid(), sys::getppid()),
        Some("fd") => return fd_state(&args),
        Some("again") => return again(&args),
        Some("count") => println!(
            "{} {}",
            args.len(),
            args.iter().map(String::len).sum::<usize>()
        ),
        _ => println!("{args:?}"),
    }
    0
}

/// Reads as many lines as it is told to and prints what they were.
fn read_lines(args: &[String]) -> i32 {
    let count: u32 = args
        .get(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    for _ in 0..count {
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(0) | Err(_) => return 1,
            Ok(_) => println!("read {line:?}"),
        }
    }
    0
}

/// Executes each of these files in a child and tells how that ended.
pub(crate) fn execute_each(paths: &[&str]) -> i32 {
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        let file = CString::new(*path).unwrap_or_default();
        let mut told = [0_i32];
        let ended = shared_word(&mut told, |word| {
            child::run(|| {
                let refused = sys::call(libc::SYS_execve, [file.as_ptr() as u64, 0, 0]);
                mem::poke64(word, refused.map_or_else(|errno| errno.0 as u64, |_| 0));
                0
            })
        });
        match (told[0], ended) {
            (0, Ok(ended)) => println!("exec {name}: {ended:?}"),
            (errno, _) => println!("exec {name}: {:?}", sys::Errno(errno)),
        }
    }
    println!("exec: {} files tried", paths.len());
    0
}

/// Lends `work` a word that a child can write for its parent to read.
fn shared_word<T>(word: &mut [i32; 1], work: impl FnOnce(u64) -> T) -> T {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let map =
        Map::with(1, map::RW, flags, -1).unwrap_or_else(|errno| panic!("mmap shared: {errno:?}"));
    let result = work(map.start);
    word[0] = mem::peek64(map.start) as i32;
    result
}

fn peek_or_die(args: &[String]) -> i32 {
    sys::die_of_faults();
    args.get(1)
        .and_then(|addr| addr.parse().ok())
        .map_or(1, |addr| i32::from(mem::peek(addr)))
}

fn fd_state(args: &[String]) -> i32 {
    let fd = args
        .get(1)
        .and_then(|fd| fd.parse::<u64>().ok())
        .unwrap_or(0);
    i32::from(sys::call(libc::SYS_lseek, [fd, 0, 1]) == Err(sys::Errno(libc::EBADF)))
}

/// Executes itself once more until its number is used up.
fn again(args: &[String]) -> i32 {
    let left: u32 = args.get(1).and_then(|left| left.parse().ok()).unwrap_or(0);
    if left == 0 {
        println!("{}", sys::getpid());
        return 0;
    }
    let error = std::os::unix::process::CommandExt::exec(
        command(&["again", &(left - 1).to_string()]).env_clear(),
    );
    println!("exec: {error}");
    1
}

fn own_path() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "/bin/probe".into())
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(own_path());
    command.arg("args").args(args);
    command
}

fn output(args: &[&str]) -> Result<String, String> {
    let output = command(args)
        .output()
        .map_err(|error| format!("spawn: {error}"))?;
    same("its exit code", output.status.code(), Some(0))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn arguments_arrive() -> Verdict {
    let args = ["one", "", "two words", "\u{e9}\u{4e16}", "-x=1"];
    same("what it saw", output(&args)?, format!("{args:?}\n"))
}

fn environment_arrives() -> Verdict {
    let output = command(&["env"])
        .env_clear()
        .env("A", "1")
        .env("EMPTY", "")
        .output()
        .map_err(|e| e.to_string())?;
    same(
        "what it saw",
        String::from_utf8_lossy(&output.stdout).as_ref(),
        "A=1\nEMPTY=\n",
    )
}

fn exit_code_comes_back() -> Verdict {
    for code in [0, 1, 77, 255] {
        let status = command(&["exit", &code.to_string()])
            .status()
            .map_err(|e| e.to_string())?;
        same("the code", status.code(), Some(code))?;
    }
    Ok(())
}

fn death_by_signal_comes_back() -> Verdict {
    use std::os::unix::process::ExitStatusExt;
    let status = command(&["peek", "16"])
        .status()
        .map_err(|e| e.to_string())?;
    same("the signal", status.signal(), Some(libc::SIGSEGV))?;
    same("the code", status.code(), None)
}

fn standard_input_is_fed() -> Verdict {
    use std::io::Write;
    let mut child = command(&["cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    input
        .write_all(b"there and back\n")
        .map_err(|e| e.to_string())?;
    drop(input);
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    same(
        "what came back",
        String::from_utf8_lossy(&output.stdout).as_ref(),
        "there and back\n",
    )
}

fn many_arguments() -> Verdict {
    let long = "x".repeat(1000);
    let mut args = vec!["count"];
    args.extend(std::iter::repeat_n(long.as_str(), 200));
    same("what it saw", output(&args)?, "201 200005\n".to_owned())
}

fn exec_with(strings: &mut [CString]) -> sys::Result {
    let mut argv: Vec<u64> = strings
        .iter()
        .map(|string| string.as_ptr() as u64)
        .collect();
    argv.push(0);
    let path = CString::new(own_path().to_string_lossy().as_bytes()).unwrap_or_default();
    sys::call(
        libc::SYS_execve,
        [path.as_ptr() as u64, sys::at(&mut argv[..]), 0],
    )
}

fn argument_too_long() -> Verdict {
    let long = |len| CString::new(vec![b'x'; len]).unwrap_or_default();
    let mut args = [c"probe".to_owned(), c"null".to_owned(), long(131_072)];
    refused("131,072 bytes and a NUL", exec_with(&mut args), libc::E2BIG)?;
    lives("one byte less", || {
        let mut args = [c"probe".to_owned(), c"null".to_owned(), long(131_071)];
        exec_with(&mut args).map_or(1, |_| 2)
    })
}

fn arguments_too_many() -> Verdict {
    let one = CString::new(vec![b'x'; 100_000]).unwrap_or_default();
    let mut args = vec![one; 80];
    refused("8 MB of arguments", exec_with(&mut args), libc::E2BIG)
}

/// A null argv is one empty string, so `probe` lists its topics and says 2.
fn no_argv() -> Verdict {
    let path = CString::new(own_path().to_string_lossy().as_bytes()).unwrap_or_default();
    let ended = child::run(|| {
        let _ = sys::close(1);
        sys::call(libc::SYS_execve, [path.as_ptr() as u64, 0, 0]).map_or(1, |_| 3)
    });
    same("its end", must("fork", ended)?, Ended::Exited(2))
}

fn missing_program() -> Verdict {
    let exec = |path: &std::ffi::CStr| sys::call(libc::SYS_execve, [path.as_ptr() as u64, 0, 0]);
    refused(
        "a missing file",
        exec(c"/bin/no-such-program"),
        libc::ENOENT,
    )?;
    refused("a missing folder", exec(c"/no/such/folder/x"), libc::ENOENT)?;
    refused("an empty path", exec(c""), libc::ENOENT)
}

fn directory_is_no_program() -> Verdict {
    refused(
        "execve",
        sys::call(libc::SYS_execve, [c"/bin".as_ptr() as u64, 0, 0]),
        libc::EACCES,
    )
}

fn failed_exec_changes_nothing() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    map.fill(3);
    for _ in 0..20 {
        missing_program()?;
    }
    holds("memory is as it was", map.holds(3))?;
    lives("and a child can still run", || 0)
}

fn old_memory_is_gone() -> Verdict {
    use std::os::unix::process::ExitStatusExt;
    let map = must(
        "mmap",
        Map::with(4, map::RW, map::ANON | libc::MAP_FIXED_NOREPLACE, -1)
            .or_else(|_| Map::anon(4, map::RW)),
    )?;
    map.fill(3);
    let spot = 0x2345_6000_0000;
    let fixed = sys::mmap(spot, 4096, map::RW, map::ANON | libc::MAP_FIXED, -1, 0);
    same("a mapping nobody else would make", fixed, Ok(spot))?;
    mem::poke(spot, 9);
    let status = command(&["peek", &spot.to_string()])
        .status()
        .map_err(|e| e.to_string())?;
    same(
        "the new program's read of it",
        status.signal(),
        Some(libc::SIGSEGV),
    )?;
    same("the parent's", mem::peek(spot), 9)
}

fn pid_is_kept() -> Verdict {
    let child = command(&["ids"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let want = format!("{} {}\n", child.id(), sys::getpid());
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    same(
        "pid and parent",
        String::from_utf8_lossy(&output.stdout).into_owned(),
        want,
    )
}

fn close_on_exec() -> Verdict {
    let file = std::fs::File::open(own_path()).map_err(|e| e.to_string())?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file) as u64;
    let kept = must("dup", sys::call(libc::SYS_dup, [fd]))?;
    let gone = |fd: u64| {
        command(&["fd", &fd.to_string()])
            .status()
            .map_err(|e| e.to_string())
    };
    same("std's files close", gone(fd)?.code(), Some(1))?;
    same("a duplicate does not", gone(kept)?.code(), Some(0))
}

fn chain_of_execs() -> Verdict {
    let child = command(&["again", "10"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let want = format!("{}\n", child.id());
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    same(
        "the pid after ten more",
        String::from_utf8_lossy(&output.stdout).into_owned(),
        want,
    )
}

fn spawn_missing() -> Verdict {
    let error = Command::new("/bin/no-such-program")
        .spawn()
        .err()
        .ok_or("it started")?;
    same("the reason", error.kind(), std::io::ErrorKind::NotFound)
}
