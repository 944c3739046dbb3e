//! The memory map against a naive one: a flag per frame.

use addr::{Frame, FrameRange, PAGE_SIZE};
use bootinfo::memory::{Kind, MAX_RANGES, MemoryMap};
use proptest::prelude::*;

type Entry = (u64, u64, Kind);

const KIB: u64 = 1024;

fn frames(start: u64, end: u64) -> FrameRange {
    FrameRange::new(Frame::new(start), Frame::new(end))
}

fn usable(map: &MemoryMap) -> Vec<FrameRange> {
    map.usable().collect()
}

#[test]
fn usable_memory_shrinks_to_pages_and_reserved_memory_grows() {
    let map = MemoryMap::from_entries([
        (100, 40 * KIB + 1, Kind::Usable),
        (12 * KIB + 4095, 16 * KIB + 1, Kind::Reserved),
    ]);
    assert_eq!(usable(&map), [frames(1, 3), frames(5, 10)]);
    assert_eq!(map.total_frames(), 7);
    assert_eq!(map.highest_frame(), Some(Frame::new(9)));
}

#[test]
fn ranges_that_touch_become_one() {
    let map = MemoryMap::from_entries([
        (0, 8 * KIB, Kind::Usable),
        (16 * KIB, 32 * KIB, Kind::Usable),
        (8 * KIB, 16 * KIB, Kind::Usable),
    ]);
    assert_eq!(usable(&map), [frames(0, 8)]);
    assert_eq!(map.problems().to_string(), "");
}

#[test]
fn an_empty_map_has_no_memory() {
    let map = MemoryMap::new();
    assert_eq!(usable(&map), []);
    assert_eq!((map.total_frames(), map.highest_frame()), (0, None));
}

#[test]
fn nonsense_is_counted_and_left_out() {
    let map = MemoryMap::from_entries([
        (u64::MAX, 4096, Kind::Usable),
        (5, 5, Kind::Reserved),
        (9, 5, Kind::Reserved),
        (1, 4096, Kind::Usable),
        (0, u64::MAX, Kind::Usable),
        (4096, 8192, Kind::Usable),
    ]);
    assert_eq!(usable(&map), [frames(0, 1 << 40)]);
    let said = map.problems().to_string();
    let expected = "2 end before they begin, 2 are empty, 1 reach beyond 2^52, 1 overlap";
    assert_eq!(said, expected);
}

#[test]
fn carving_takes_the_lowest_run_that_is_long_enough() {
    let mut map = MemoryMap::from_entries([
        (4 * KIB, 12 * KIB, Kind::Usable),
        (16 * KIB, 64 * KIB, Kind::Usable),
    ]);
    assert_eq!(map.carve(3), Some(frames(4, 7)));
    assert_eq!(map.carve(2), Some(frames(1, 3)));
    assert_eq!(map.carve(10), None);
    assert_eq!(map.carve(0), None);
    assert_eq!(map.carve(u64::MAX), None);
    assert_eq!(usable(&map), [frames(7, 16)]);
}

#[test]
fn too_many_usable_ranges_lose_memory_and_say_so() {
    let entries = (0..MAX_RANGES as u64 + 9).map(|at| {
        let start = at * 2 * PAGE_SIZE;
        (start, start + PAGE_SIZE, Kind::Usable)
    });
    let map = MemoryMap::from_entries(entries);
    assert_eq!(map.total_frames(), MAX_RANGES as u64);
    assert_eq!(map.problems().too_many, 9);
}

#[test]
fn too_many_reserved_ranges_never_make_reserved_memory_usable() {
    let reserved: Vec<Entry> = (0..2 * MAX_RANGES as u64)
        .map(|at| at * 7 % (2 * MAX_RANGES as u64) * 2 * PAGE_SIZE)
        .map(|start| (start, start + PAGE_SIZE, Kind::Reserved))
        .collect();
    let all = [(0, 1 << 32, Kind::Usable)];
    let map = MemoryMap::from_entries(all.into_iter().chain(reserved.iter().copied()));
    for (start, ..) in reserved {
        let frame = Frame::new(start / PAGE_SIZE);
        assert!(map.usable().all(|range| !range.contains(frame)));
    }
    assert!(map.problems().too_many > 0);
    assert!(map.total_frames() > (1 << 20) - 3 * MAX_RANGES as u64 * 2);
}

/// Says of one frame whether it is usable, straight from the entries.
fn is_usable(entries: &[Entry], frame: u64) -> bool {
    let (start, end) = (frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
    let whole = |e: &&Entry| e.2 == Kind::Usable && e.0 <= start && end <= e.1;
    let touched = |e: &&Entry| e.2 == Kind::Reserved && e.0 < e.1 && e.0 < end && start < e.1;
    entries.iter().find(whole).is_some() && entries.iter().find(touched).is_none()
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Usable), Just(Kind::Reserved)]
}

/// Entries among the first 64 frames, on page borders or a byte beside them, some backwards.
fn near() -> impl Strategy<Value = Entry> {
    let edge =
        || (0_u64..64, 0_u64..3).prop_map(|(page, byte)| (page * PAGE_SIZE + byte).max(1) - 1);
    (edge(), edge(), kind())
}

fn wild() -> impl Strategy<Value = Entry> {
    let edge = || prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), Just(1 << 52)];
    (edge(), edge(), kind())
}

proptest! {
    #[test]
    fn exactly_the_frames_of_the_naive_map_are_usable(
        entries in prop::collection::vec(near(), 0..24),
    ) {
        let map = MemoryMap::from_entries(entries.iter().copied());
        let ranges = usable(&map);
        for frame in 0..70 {
            let found = ranges.iter().any(|range| range.contains(Frame::new(frame)));
            prop_assert_eq!(found, is_usable(&entries, frame), "frame {}", frame);
        }
    }

    #[test]
    fn any_map_gives_disjoint_ascending_ranges_that_exist(
        entries in prop::collection::vec(prop_oneof![near(), wild()], 0..600),
        carvings in prop::collection::vec(0_u64..40, 0..20),
    ) {
        let mut map = MemoryMap::from_entries(entries.iter().copied());
        for frames in carvings {
            let before = map.total_frames();
            let carved = map.carve(frames).map_or(0, |range| range.len());
            prop_assert!(map.total_frames() <= before - carved);
        }
        let ranges = usable(&map);
        prop_assert!(ranges.iter().all(|range| !range.is_empty()));
        prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        prop_assert!(ranges.iter().all(|range| range.end <= Frame::END));
        for range in ranges {
            prop_assert!(is_usable(&entries, range.start.number()));
            prop_assert!(is_usable(&entries, range.end.number() - 1));
        }
    }
}
