//! How runs go, with the shell as the emulator.

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn run_shell(script: &str, input: Input, limit: Duration) -> (Run, String) {
    let mut log = Vec::new();
    let run = run(shell(script), input, limit, &mut |bytes| {
        log.extend_from_slice(bytes)
    })
    .unwrap();
    (run, String::from_utf8(log).unwrap())
}

#[test]
fn output_is_passed_on_and_the_code_is_read() {
    let (run, log) = run_shell("echo hello; exit 37", Input::None, Duration::from_secs(10));
    assert_eq!((run.exit, log.as_str()), (Exit::Panic, "hello\n"));
}

#[test]
fn a_run_that_never_ends_is_ended_in_time() {
    let (run, log) = run_shell(
        "echo on; exec sleep 100",
        Input::None,
        Duration::from_millis(300),
    );
    assert_eq!((run.exit, log.as_str()), (Exit::Timeout, "on\n"));
    assert!(run.took < Duration::from_secs(10));
}

#[test]
fn a_run_that_closes_its_output_but_stays_is_ended_in_time() {
    let (run, _) = run_shell(
        "exec >&- 2>&-; exec sleep 100",
        Input::None,
        Duration::from_millis(300),
    );
    assert_eq!(run.exit, Exit::Timeout);
}

#[test]
fn input_arrives_after_the_first_output() {
    let input = Input::Bytes(b"typed\n".to_vec());
    let (run, log) = run_shell(
        "echo ready; read word; echo got $word; exit 33",
        input,
        Duration::from_secs(10),
    );
    assert_eq!((run.exit, log.as_str()), (Exit::Pass, "ready\ngot typed\n"));
}

#[test]
fn what_the_emulator_says_itself_is_kept_apart() {
    let (run, log) = run_shell(
        "echo no such option >&2; exit 1",
        Input::None,
        Duration::from_secs(10),
    );
    assert_eq!((run.exit, log.as_str()), (Exit::Qemu(1), ""));
    assert_eq!(run.emulator_says, "no such option\n");
}

#[test]
fn a_machine_without_an_exit_code_ends_with_its_last_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = "exec 3<>/dev/tcp/127.0.0.1/$0; echo hello >&3; read word <&3; \
         echo \"got $word\" >&3; echo '* the machine ended: 0x12' >&3; exec sleep 100";
    let mut command = Command::new("bash");
    command.args(["-c", script, &port.to_string()]);
    let start = Start {
        command,
        com1: Com1::Socket(listener),
        messages: None,
    };
    let mut log = Vec::new();
    let input = Input::Bytes(b"typed\n".to_vec());
    let run = run(start, input, Duration::from_secs(10), &mut |bytes| {
        log.extend_from_slice(bytes)
    })
    .unwrap();
    assert_eq!(run.exit, Exit::Panic);
    assert!(
        String::from_utf8(log)
            .unwrap()
            .starts_with("hello\ngot typed\n")
    );
}

#[test]
fn an_emulator_that_ends_before_it_speaks_is_no_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Start {
        command: shell("exit 1"),
        com1: Com1::Socket(listener),
        messages: None,
    };
    let run = run(start, Input::None, Duration::from_secs(10), &mut |_| ()).unwrap();
    assert_eq!(run.exit, Exit::Qemu(1));
}

#[test]
fn the_end_of_a_file_reaches_the_guest_as_from_a_terminal() {
    for (text, expected) in [("", "\x04"), ("a\n", "a\n\x04"), ("a", "a\x04\x04")] {
        let mut typed = Vec::new();
        copy_file(&mut text.as_bytes(), &mut typed).unwrap();
        assert_eq!(typed, expected.as_bytes());
    }
}
