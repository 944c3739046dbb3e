//! Addresses as Linux reads and tells them; garbage against what can be reached by hand.

use proptest::prelude::*;
use unix::{Address, Given, Node, garbage};

fn parse(bytes: &[u8]) -> Option<Given> {
    Address::parse(bytes).ok()
}

#[test]
fn addresses_are_paths_or_stand_for_themselves() {
    let name = |address| Some(Given::Name(address));
    assert_eq!(parse(&[1, 0]), Some(Given::Nothing));
    assert_eq!(
        parse(b"\x01\x00/tmp/a\0rest"),
        name(Address::Path(b"/tmp/a".into()))
    );
    assert_eq!(
        parse(b"\x01\x00/tmp/a"),
        name(Address::Path(b"/tmp/a".into()))
    );
    assert_eq!(
        parse(b"\x01\x00\0a\0b"),
        name(Address::Abstract(b"a\0b".into()))
    );
    assert_eq!(parse(b"\x01\x00\0"), name(Address::Abstract(vec![])));
}

#[test]
fn what_is_no_address_is_refused() {
    assert_eq!(parse(&[]), None);
    assert_eq!(parse(&[1]), None);
    assert_eq!(parse(&[2, 0, b'a']), None);
    let mut long = vec![1, 0];
    long.resize(110, b'a');
    assert!(parse(&long).is_some());
    long.push(b'a');
    assert_eq!(parse(&long), None);
}

#[test]
fn addresses_are_told_as_they_are_read() {
    for address in [
        Address::Path(b"/a".into()),
        Address::Abstract(b"x\0y".into()),
    ] {
        assert_eq!(parse(&address.to_bytes()), Some(Given::Name(address)));
    }
    assert_eq!(Address::Path(b"/a".into()).to_bytes(), b"\x01\0/a\0");
    assert_eq!(Address::automatic(0xbb807).to_bytes(), b"\x01\0\0bb807");
}

/// Random sockets: who is held from outside, and which message waits where.
fn sockets() -> impl Strategy<Value = (Vec<bool>, Vec<(usize, usize)>)> {
    (1_usize..7).prop_flat_map(|count| {
        let outside = prop::collection::vec(prop::bool::weighted(0.3), count);
        // Who holds it (`count` is somebody who is not in flight), and what.
        let message = (0..=count, 0..count);
        (outside, prop::collection::vec(message, 0..12))
    })
}

proptest! {
    #[test]
    fn garbage_is_what_cannot_be_reached((outside, messages) in sockets()) {
        let count = outside.len();
        let mut nodes = vec![Node::default(); count];
        for (holder, what) in &messages {
            nodes[*what].in_flight += 1;
            nodes[*what].references += 1;
            if *holder < count {
                nodes[*holder].holds.push(*what);
            }
        }
        for (node, outside) in nodes.iter_mut().zip(&outside) {
            node.references += usize::from(*outside);
        }
        // By hand: again and again, until nothing more is reached.
        let mut alive = outside.clone();
        for _ in 0..=count {
            for (holder, what) in &messages {
                alive[*what] |= *holder == count || alive[*holder];
            }
        }
        // Only sockets in flight are asked about.
        let expected: Vec<usize> = (0..count).filter(|at| !alive[*at] && nodes[*at].in_flight > 0).collect();
        let found: Vec<usize> = garbage(&nodes).into_iter().filter(|at| nodes[*at].in_flight > 0).collect();
        // A socket that nothing refers to has gone already; what it holds has too.
        prop_assume!(nodes.iter().all(|node| node.references > 0));
        prop_assert_eq!(found, expected);
    }
}
