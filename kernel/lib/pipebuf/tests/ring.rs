//! The ring against a list of vectors, and the sizes.

use std::collections::VecDeque;
use std::rc::Rc;

use pipebuf::{BadSize, Buffer, DEFAULT, InUse, Kind, PAGE, Ring, buffers_for};
use proptest::prelude::*;

type Page = Rc<std::cell::RefCell<Vec<u8>>>;

fn page() -> Page {
    Rc::new(std::cell::RefCell::new(vec![0xEE; PAGE]))
}

/// What a pipe does to bytes, as naively as can be.
#[derive(Default)]
struct Model {
    buffers: VecDeque<(Vec<u8>, Kind, usize)>,
    max: usize,
}

impl Model {
    /// Returns how many bytes went in.
    fn write(&mut self, mut bytes: &[u8], packets: bool) -> usize {
        let all = bytes.len();
        let rest = all % PAGE;
        if let Some((last, Kind::Open, start)) = self.buffers.back_mut()
            && rest != 0
            && *start + last.len() + rest <= PAGE
        {
            last.extend(&bytes[..rest]);
            bytes = &bytes[rest..];
        }
        while !bytes.is_empty() && self.buffers.len() < self.max {
            let (now, later) = bytes.split_at(bytes.len().min(PAGE));
            let kind = if packets { Kind::Packet } else { Kind::Open };
            self.buffers.push_back((now.to_vec(), kind, 0));
            bytes = later;
        }
        all - bytes.len()
    }

    fn read(&mut self, room: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < room
            && let Some((bytes, kind, start)) = self.buffers.front_mut()
        {
            let len = bytes.len().min(room - read.len());
            read.extend(bytes.drain(..len));
            *start += len;
            let is_packet = *kind == Kind::Packet;
            if bytes.is_empty() || is_packet {
                self.buffers.pop_front();
            }
            if is_packet {
                break;
            }
        }
        read
    }
}

/// The same with a ring.
fn write(ring: &mut Ring<Page>, mut bytes: &[u8], packets: bool) -> usize {
    let all = bytes.len();
    let rest = all % PAGE;
    if rest != 0
        && let Some((page, at)) = ring.merge(rest)
    {
        page.borrow_mut()[at..at + rest].copy_from_slice(&bytes[..rest]);
        ring.merged(rest);
        bytes = &bytes[rest..];
    }
    while !bytes.is_empty() && ring.free() > 0 {
        let len = bytes.len().min(PAGE);
        ring.reserve(1).expect("memory");
        let place = ring.blank(0).get_or_insert_with(page);
        place.borrow_mut()[..len].copy_from_slice(&bytes[..len]);
        ring.push(len, if packets { Kind::Packet } else { Kind::Open });
        bytes = &bytes[len..];
    }
    all - bytes.len()
}

fn read(ring: &mut Ring<Page>, room: usize, keeps: bool) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < room
        && let Some((page, within, kind)) = ring.peek(0)
    {
        let len = within.len().min(room - read.len());
        read.extend(&page.borrow()[within.start..within.start + len]);
        ring.consume(len, |page| keeps && Rc::strong_count(page) == 1);
        if kind == Kind::Packet {
            break;
        }
    }
    read
}

#[derive(Clone, Debug)]
enum Op {
    Write(usize, bool),
    Read(usize, bool),
    Resize(usize),
    Forget,
    /// The oldest bytes leave as a buffer and come back at the end.
    Round(usize),
    /// The oldest buffer is seen a second time, at the end.
    Tee,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let len = || {
        prop_oneof![
            1..32_usize,
            1..3 * PAGE,
            Just(PAGE),
            Just(PAGE - 1),
            Just(PAGE + 1)
        ]
    };
    proptest::collection::vec(
        prop_oneof![
            4 => (len(), any::<bool>()).prop_map(|(len, packets)| Op::Write(len, packets)),
            4 => (len(), any::<bool>()).prop_map(|(len, keeps)| Op::Read(len, keeps)),
            1 => (0..6_u32).prop_map(|order| Op::Resize(1 << order)),
            1 => Just(Op::Forget),
            1 => len().prop_map(Op::Round),
            1 => Just(Op::Tee),
        ],
        1..120,
    )
}

proptest! {
    #[test]
    fn the_ring_does_what_a_list_of_buffers_does(ops in ops()) {
        let mut ring = Ring::new();
        let mut model = Model { max: DEFAULT, ..Model::default() };
        let mut next = 0_u8;
        for op in ops {
            match op {
                Op::Write(len, packets) => {
                    let bytes: Vec<u8> = (0..len).map(|_| { next = next.wrapping_add(1); next }).collect();
                    prop_assert_eq!(write(&mut ring, &bytes, packets), model.write(&bytes, packets));
                }
                Op::Read(room, keeps) => {
                    prop_assert_eq!(read(&mut ring, room, keeps), model.read(room));
                }
                Op::Resize(max) => {
                    let fits = model.buffers.len() <= max;
                    prop_assert_eq!(ring.resize(max), if fits { Ok(()) } else { Err(InUse) });
                    if fits { model.max = max; }
                }
                Op::Forget => ring.forget_spares(),
                Op::Round(count) => {
                    let oldest = model.buffers.front().map(|(bytes, ..)| bytes.len());
                    // A part needs a place more than there is now.
                    if oldest.is_some_and(|len| count < len) && ring.free() == 0 { continue; }
                    let buffer = ring.split(count);
                    prop_assert_eq!(buffer.is_some(), oldest.is_some());
                    let Some(buffer) = buffer else { continue };
                    let (bytes, kind, start) = model.buffers.front_mut().expect("as many");
                    let taken: Vec<u8> = bytes.drain(..count.min(bytes.len())).collect();
                    prop_assert_eq!(&buffer.page.borrow()[buffer.within.clone()], &taken[..]);
                    let (rest, at) = (!bytes.is_empty(), *start);
                    *start += taken.len();
                    let mut moved = *kind;
                    if rest && *kind == Kind::Open { *kind = Kind::Closed; moved = Kind::Closed; }
                    if !rest { model.buffers.pop_front(); }
                    prop_assert_eq!(buffer.kind, moved);
                    model.buffers.push_back((taken, moved, at));
                    ring.reserve(1).expect("memory");
                    ring.put(buffer);
                }
                Op::Tee => {
                    if ring.free() == 0 { continue; }
                    let Some((page, within, kind)) = ring.peek(0) else { continue };
                    let kind = if kind == Kind::Packet { kind } else { Kind::Closed };
                    let buffer = Buffer { page: page.clone(), within, kind };
                    let (bytes, _, start) = model.buffers.front().expect("as many").clone();
                    model.buffers.push_back((bytes, kind, start));
                    ring.reserve(1).expect("memory");
                    ring.put(buffer);
                }
            }
            prop_assert_eq!(ring.used(), model.buffers.len());
            prop_assert_eq!(ring.bytes(), model.buffers.iter().map(|(bytes, ..)| bytes.len()).sum::<usize>());
            prop_assert_eq!(ring.free(), model.max - model.buffers.len());
        }
    }
}

#[test]
fn a_pipe_that_is_emptied_goes_on_with_its_first_page() {
    let mut ring = Ring::new();
    for _ in 0..100 {
        assert_eq!(write(&mut ring, b"x", false), 1);
        assert_eq!(read(&mut ring, 1, true), b"x");
    }
    let kept = (0..DEFAULT).filter(|&at| ring.blank(at).is_some()).count();
    assert_eq!(kept, 1);
}

#[test]
fn what_is_kept_is_asked_for_place_by_place() {
    let mut ring = Ring::new();
    write(&mut ring, &[7; 3 * PAGE], false);
    let mut place = 0;
    ring.consume_buffers(3, |_| {
        place += 1;
        place == 2
    });
    let kept: Vec<bool> = (0..4).map(|at| ring.blank(at).is_some()).collect();
    assert_eq!(kept, [false, true, false, false]);
}

/// Whatever happens meanwhile, what comes back is the oldest again, in one piece with what it was cut from, and has a place.
#[test]
fn what_was_lent_comes_back_as_the_oldest() {
    for lent in [1, PAGE - 1, PAGE] {
        for read_meanwhile in [0, 5, PAGE, 2 * PAGE] {
            let mut ring = Ring::new();
            let bytes: Vec<u8> = (0..DEFAULT * PAGE).map(|at| (at / 7) as u8).collect();
            assert_eq!(write(&mut ring, &bytes, false), bytes.len());
            let mut out = ring.lend(lent).expect("it is full");
            assert_eq!(ring.free(), 0, "its place is kept");
            let mut seen = read(&mut ring, read_meanwhile, false);
            let more = write(&mut ring, &[9; 8 * PAGE], false);
            // Some of it was taken after all.
            let taken = lent / 2;
            out.within.start += taken;
            ring.settle(Some(out)).expect("there is a place");
            let mut want = bytes[taken..lent].to_vec();
            want.extend(&bytes[lent + read_meanwhile.min(bytes.len())..]);
            want.extend(std::iter::repeat_n(9, more));
            seen.truncate(0);
            while ring.used() > 0 {
                seen.extend(read(&mut ring, 3 * PAGE, false));
            }
            assert_eq!(seen, want, "{lent} lent, {read_meanwhile} read meanwhile");
            assert_eq!(ring.free(), DEFAULT);
        }
    }
}

#[test]
fn what_was_lent_and_is_used_up_leaves_its_place() {
    let mut ring = Ring::new();
    write(&mut ring, &[1; PAGE], false);
    drop(ring.lend(PAGE).expect("it is there"));
    assert_eq!((ring.used(), ring.free()), (0, DEFAULT - 1));
    ring.settle(None).expect("nothing comes back");
    assert_eq!((ring.used(), ring.free()), (0, DEFAULT));
}

#[test]
fn short_writes_that_do_not_fit_together_fill_a_pipe_early() {
    let mut ring = Ring::new();
    for _ in 0..DEFAULT {
        assert_eq!(write(&mut ring, &[1; PAGE - 1], false), PAGE - 1);
    }
    assert_eq!(write(&mut ring, &[1; 2], false), 0);
    assert_eq!(write(&mut ring, &[1; 1], false), 1);
}

#[test]
fn sizes_are_powers_of_two_of_pages() {
    for (bytes, buffers) in [
        (0, 1),
        (1, 1),
        (4096, 1),
        (4097, 2),
        (65536, 16),
        (65537, 32),
        (1 << 31, 1 << 19),
    ] {
        assert_eq!(
            buffers_for(bytes, 16, u32::MAX, false),
            Ok(buffers),
            "{bytes}"
        );
    }
    assert_eq!(
        buffers_for((1 << 31) + 1, 16, u32::MAX, true),
        Err(BadSize::Invalid)
    );
    assert_eq!(
        buffers_for(u32::MAX, 16, u32::MAX, true),
        Err(BadSize::Invalid)
    );
}

#[test]
fn only_growing_beyond_the_limit_needs_a_privilege() {
    let limit = 1 << 20;
    assert_eq!(buffers_for(limit, 16, limit, false), Ok(256));
    assert_eq!(
        buffers_for(limit + 1, 16, limit, false),
        Err(BadSize::NotPermitted)
    );
    assert_eq!(buffers_for(limit + 1, 16, limit, true), Ok(512));
    // Shrinking to what is still above it is allowed.
    assert_eq!(buffers_for(limit + 1, 1024, limit, false), Ok(512));
}
