//! What a reader gets for what was typed.

use abi::linux::{ECHO, ICANON, VMIN};
use proptest::prelude::*;
use tty::{CAPACITY, Echo, Line, Piece};

fn typed(text: &[u8]) -> Line {
    let mut line = Line::new();
    for byte in text {
        line.input(*byte);
    }
    line
}

/// Reads once with room for `room` bytes.
fn read(line: &mut Line, room: usize) -> Vec<u8> {
    let mut bytes = vec![0; room];
    let Piece { len, .. } = line.read(&mut bytes);
    bytes.truncate(len);
    bytes
}

#[test]
fn nothing_is_read_before_the_line_ends() {
    let mut line = typed(b"abc");
    assert!(!line.is_readable());
    line.input(b'\r');
    assert!(line.is_readable());
    assert_eq!(read(&mut line, 100), b"abc\n");
    assert!(!line.is_readable());
}

#[test]
fn a_read_gets_one_line_at_most_and_the_rest_stays() {
    let mut line = typed(b"one\ntwo\n");
    assert_eq!(read(&mut line, 2), b"on");
    assert_eq!(read(&mut line, 100), b"e\n");
    assert_eq!(read(&mut line, 100), b"two\n");
}

#[test]
fn erasing_takes_back_what_was_typed_and_no_more() {
    assert_eq!(read(&mut typed(b"ab\x7f\x08\x7fcd\n"), 100), b"cd\n");
    assert_eq!(read(&mut typed(b"abc\x15de\n"), 100), b"de\n");
    assert_eq!(typed(b"abc").input(0x15), Echo::Erase(3));
    assert_eq!(typed(b"").input(0x7f), Echo::Erase(0));
}

#[test]
fn control_d_on_an_empty_line_is_the_end_of_the_file() {
    let mut line = typed(b"\x04abc\n");
    assert_eq!(read(&mut line, 100), b"");
    assert_eq!(read(&mut line, 100), b"abc\n");
}

#[test]
fn control_d_elsewhere_only_sends_the_line() {
    for room in [3, 100] {
        let mut line = typed(b"abc\x04def\n");
        assert_eq!(read(&mut line, room), b"abc");
        assert_eq!(read(&mut line, 100), b"def\n");
    }
}

#[test]
fn without_editing_every_byte_is_ready() {
    let mut line = Line::new();
    let mut raw = line.termios();
    raw.lflag &= !(ICANON | ECHO);
    line.set_termios(&raw);
    assert_eq!(line.input(0x7f), Echo::Nothing);
    assert!(line.is_readable());
    assert_eq!(read(&mut line, 100), [0x7f]);
    assert!(!line.is_readable());
    raw.cc[VMIN as usize] = 0;
    line.set_termios(&raw);
    assert!(line.is_readable());
}

#[test]
fn settings_that_cannot_be_obeyed_stay_off() {
    let mut line = Line::new();
    let mut all = line.termios();
    (all.iflag, all.oflag, all.lflag) = (u32::MAX, u32::MAX, u32::MAX);
    line.set_termios(&all);
    assert_ne!(line.termios().lflag, u32::MAX);
    assert!(line.maps_newlines());
}

#[test]
fn a_line_that_is_too_long_can_still_be_ended() {
    let mut line = typed(&[b'x'; CAPACITY + 100]);
    line.input(b'\n');
    let bytes = read(&mut line, 2 * CAPACITY);
    assert_eq!((bytes.len(), bytes.last()), (CAPACITY, Some(&b'\n')));
}

#[test]
fn a_full_queue_drops_input_until_it_is_read() {
    let mut line = typed(&b"x\n".repeat(CAPACITY));
    assert_eq!(line.input(b'y'), Echo::Nothing);
    assert_eq!(line.input(b'\n'), Echo::Nothing);
    line.input(4);
    for _ in 0..CAPACITY / 2 {
        assert_eq!(read(&mut line, 100), b"x\n");
    }
    assert!(!line.is_readable());
}

/// Edits without limits, as a model: whole reads, each one line.
fn expected(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut reads, mut line) = (Vec::new(), Vec::new());
    for byte in text {
        match byte {
            0x7f | 8 => drop(line.pop()),
            0x15 => line.clear(),
            4 => reads.push(std::mem::take(&mut line)),
            b'\r' | b'\n' => {
                line.push(b'\n');
                reads.push(std::mem::take(&mut line));
            }
            byte => line.push(*byte),
        }
    }
    reads
}

proptest! {
    #[test]
    fn reads_agree_with_a_model(
        text in prop::collection::vec(
            prop_oneof![Just(4), Just(0x7f), Just(0x15), Just(b'\r'), any::<u8>()],
            0..200,
        ),
        room in 1_usize..20,
    ) {
        let mut line = typed(&text);
        for mut wanted in expected(&text) {
            prop_assert!(line.is_readable());
            loop {
                let got = read(&mut line, room);
                let rest = wanted.split_off(got.len().min(wanted.len()));
                prop_assert_eq!(&got, &wanted);
                if rest.is_empty() {
                    break;
                }
                wanted = rest;
            }
        }
        prop_assert!(!line.is_readable());
    }

    #[test]
    fn no_input_breaks_it(
        steps in prop::collection::vec((any::<u8>(), 0_usize..3, 0_usize..6), 0..300),
        repeat in 1_usize..60,
    ) {
        let mut line = Line::new();
        for (byte, room, kind) in steps {
            for _ in 0..repeat {
                line.input(byte);
            }
            if kind == 0 {
                read(&mut line, room);
            }
        }
    }
}
