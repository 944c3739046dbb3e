//! The same keys through a pseudo-terminal of the host and through [`Line`]: screen and readers must agree.

use std::fs::File;
use std::io::{Read, Write};
use std::thread::sleep;
use std::time::Duration;

use abi::linux::{
    ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHONL, ECHOPRT, ICANON, ICRNL, IEXTEN, IGNCR, INLCR,
    ISTRIP, IUCLC, IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, VEOL, XTABS,
};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{
    InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr,
};
use proptest::prelude::*;
use tty::{Line, Out, Settings};

const INPUT: [u32; 6] = [ICRNL, IGNCR, INLCR, ISTRIP, IUCLC, IUTF8];
const OUTPUT: [u32; 7] = [OPOST, ONLCR, OCRNL, ONOCR, ONLRET, OLCUC, XTABS];
const LOCAL: [u32; 9] = [
    ICANON, ECHO, ECHOE, ECHOK, ECHOKE, ECHOCTL, ECHONL, ECHOPRT, IEXTEN,
];

/// How often what must come is waited for, a millisecond each time.
const TRIES: u32 = 1000;

/// How long the host's worker gets after each step, in milliseconds. Keys that show nothing leave no sign of having been taken, so a
/// difference counts only if it is there with the last of these too.
const PATIENCE: [u64; 4] = [0, 2, 20, 200];

/// What is done to a terminal.
#[derive(Clone, Debug)]
enum Step {
    /// Keys, not those that send signals or stop output.
    Type(Vec<u8>),
    /// A program writes.
    Print(Vec<u8>),
    /// A program reads with so much room.
    Read(usize),
    /// Other settings: input, output and local flags.
    Set(u32, u32, u32),
}

#[derive(Default)]
struct Shown(Vec<u8>);

impl Out for Shown {
    fn put(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn flush(&mut self) {
        self.0.clear();
    }
}

/// What was seen: after each step, what a read gave and all that the screen was sent.
type Seen = Vec<(Vec<u8>, Vec<u8>)>;

fn ours(steps: &[Step]) -> Seen {
    let mut line = Line::new(quiet(Settings::pty())).unwrap();
    let (mut screen, mut seen) = (Shown::default(), Vec::new());
    for step in steps {
        let mut got = Vec::new();
        match step {
            Step::Type(keys) => {
                for key in keys {
                    let _ = line.receive(*key, &mut screen);
                }
            }
            Step::Print(text) => {
                for byte in text {
                    screen.0.extend(line.write(*byte));
                }
            }
            Step::Read(room) => {
                let mut bytes = vec![0; *room];
                let len = match line.is_available() {
                    true => line.read(&mut bytes).len,
                    false => 0,
                };
                bytes.truncate(len);
                got = bytes;
            }
            Step::Set(iflag, oflag, lflag) => {
                let mut termios = line.settings().termios;
                (termios.iflag, termios.oflag, termios.lflag) = (*iflag, *oflag, *lflag);
                line.set(line.settings().with_termios(termios));
            }
        }
        seen.push((got, screen.0.clone()));
    }
    seen
}

/// Without signals and flow control.
fn quiet(mut settings: Settings) -> Settings {
    settings.termios.iflag &= !abi::linux::IXON;
    settings.termios.lflag &= !abi::linux::ISIG;
    settings.termios.cc[VEOL as usize] = b'|';
    settings
}

/// What the host shows, with as much patience as it takes to see what is `expected`, or with the most.
fn linux(steps: &[Step], expected: &Seen) -> Seen {
    let mut seen = Seen::new();
    for patience in PATIENCE.map(Duration::from_millis) {
        seen = linux_with(patience, steps, expected);
        if seen == *expected {
            break;
        }
    }
    seen
}

/// Input passes through a worker of the host's kernel, which takes its time: what is `expected` is waited for, then `patience` passes.
fn linux_with(patience: Duration, steps: &[Step], expected: &Seen) -> Seen {
    let pty = openpty(None, None).unwrap();
    let mut termios = tcgetattr(&pty.slave).unwrap();
    termios.input_flags.remove(InputFlags::IXON);
    termios.local_flags.remove(LocalFlags::ISIG);
    termios.control_chars[SpecialCharacterIndices::VEOL as usize] = b'|';
    tcsetattr(&pty.slave, SetArg::TCSANOW, &termios).unwrap();
    for fd in [&pty.master, &pty.slave] {
        fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    }
    let (mut master, mut slave) = (File::from(pty.master), File::from(pty.slave));
    let (mut screen, mut seen) = (Vec::new(), Vec::new());
    for (step, (read, shown)) in steps.iter().zip(expected) {
        let mut got = Vec::new();
        match step {
            Step::Type(keys) => master.write_all(keys).unwrap(),
            Step::Print(text) => slave.write_all(text).unwrap(),
            Step::Read(room) => {
                for _ in 0..TRIES {
                    got = read_some(&mut slave, *room);
                    if !got.is_empty() || read.is_empty() {
                        break;
                    }
                    sleep(Duration::from_millis(1));
                }
            }
            Step::Set(iflag, oflag, lflag) => {
                termios.input_flags = InputFlags::from_bits_retain(*iflag);
                termios.output_flags = OutputFlags::from_bits_retain(*oflag);
                termios.local_flags = LocalFlags::from_bits_retain(*lflag);
                tcsetattr(&slave, SetArg::TCSANOW, &termios).unwrap();
            }
        }
        for _ in 0..TRIES {
            screen.extend(read_some(&mut master, 1 << 16));
            if screen.len() >= shown.len() {
                break;
            }
            sleep(Duration::from_millis(1));
        }
        if !patience.is_zero() {
            sleep(patience);
            screen.extend(read_some(&mut master, 1 << 16));
        }
        seen.push((got, screen.clone()));
    }
    seen
}

fn read_some(from: &mut File, room: usize) -> Vec<u8> {
    let mut bytes = vec![0; room];
    let len = from.read(&mut bytes).unwrap_or(0);
    bytes.truncate(len);
    bytes
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(
        b"\x7f\x7f\x15\x17\x16\x12\x04\n\r\t\t|\x01\x1b\x08\x00\xc3\xa9\xe2\x82\xac\xff".to_vec(),
    );
    let key = prop_oneof![3 => prop::sample::select(b"ab_ Z9.".to_vec()), 2 => special];
    prop::collection::vec(key, 1..12)
}

fn flags(of: &'static [u32]) -> impl Strategy<Value = u32> {
    prop::sample::subsequence(of, 0..=of.len())
        .prop_map(|chosen| chosen.iter().fold(0, |all, flag| all | flag))
}

/// Local flags. ECHOPRT comes with ECHOCTL: without it Linux, when Ctrl-V ends an erasure, forgets to mark the slash that it echoes, and
/// the next write of a program sends the whole ring of echoes once more, 4 KiB of zeros and old keys.
fn local() -> impl Strategy<Value = u32> {
    let paired = |flags| match flags & ECHOPRT {
        0 => flags,
        _ => flags | ECHOCTL,
    };
    flags(&LOCAL).prop_map(paired)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => keys().prop_map(Step::Type),
        1 => prop::collection::vec(prop::sample::select(b"xy\n\r\t\x08\xe9".to_vec()), 1..8)
            .prop_map(Step::Print),
        3 => prop_oneof![1..5usize, Just(100)].prop_map(Step::Read),
        1 => (flags(&INPUT), flags(&OUTPUT), local())
            .prop_map(|(iflag, oflag, lflag)| Step::Set(iflag, oflag, lflag | ECHO)),
        1 => (flags(&INPUT), Just(OPOST | ONLCR), local())
            .prop_map(|(iflag, oflag, lflag)| Step::Set(iflag, oflag, lflag | ICANON | ECHO)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn screens_and_readers_see_what_they_see_on_linux(steps in prop::collection::vec(step(), 1..14)) {
        let ours = ours(&steps);
        prop_assert_eq!(linux(&steps, &ours), ours);
    }
}

#[test]
fn the_echo_of_255_takes_a_column_however_output_is_processed() {
    for processed in [0, OPOST | XTABS, OPOST | XTABS | OLCUC] {
        let steps = [
            Step::Set(0, processed, ECHO),
            Step::Type(vec![255]),
            Step::Set(0, OPOST | XTABS, ECHO),
            Step::Type(vec![b'\t']),
        ];
        let ours = ours(&steps);
        assert_eq!(ours[3].1, [&[255][..], &[b' '; 7]].concat());
        assert_eq!(linux(&steps, &ours), ours);
    }
}

#[test]
fn a_line_that_is_too_long_ends_all_the_same() {
    let steps = [
        Step::Type([vec![b'x'; 5000], b"y\n".to_vec()].concat()),
        Step::Read(8192),
        Step::Type(b"z\n".to_vec()),
        Step::Read(8192),
    ];
    let seen = ours(&steps);
    let reads = (&seen[1].0, &seen[3].0);
    assert_eq!((reads.0.len(), reads.1.as_slice()), (4096, &b"z\n"[..]));
    assert_eq!(reads.0[4094..], *b"x\n");
    assert_eq!(seen[3].1.len(), 5001 + 2 + 3);
}
