//! Directories, against a plain list; and listings while the directory changes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use vfs::directory::{Entries, Taken};

fn names<N>(entries: &Entries<N>) -> Vec<Vec<u8>> {
    let mut cookie = 0;
    std::iter::from_fn(|| {
        let (next, name, _) = entries.after(cookie)?;
        cookie = next;
        Some(name.to_vec())
    })
    .collect()
}

proptest! {
    #[test]
    fn names_come_go_and_are_listed_in_the_order_they_came(
        ops in prop::collection::vec((0..3, 0..12_u8), 1..120)
    ) {
        let (mut entries, mut model) = (Entries::new(), Vec::<(u8, usize)>::new());
        for (number, (op, name)) in ops.into_iter().enumerate() {
            let place = model.iter().position(|(known, _)| *known == name);
            match op {
                0 => {
                    let inserted = entries.insert([name].as_slice().into(), number);
                    prop_assert_eq!(inserted.is_err(), place.is_some());
                    if inserted != Err(Taken) {
                        model.push((name, number));
                    }
                }
                1 => prop_assert_eq!(entries.remove(&[name]), place.map(|at| model.remove(at).1)),
                _ => {
                    let old = place.map(|at| std::mem::replace(&mut model[at].1, number));
                    prop_assert_eq!(entries.replace(&[name], number), old);
                }
            }
            prop_assert_eq!(entries.len(), model.len());
            prop_assert_eq!(entries.is_empty(), model.is_empty());
            prop_assert_eq!(names(&entries), model.iter().map(|(name, _)| vec![*name]).collect::<Vec<_>>());
            for (name, value) in &model {
                prop_assert_eq!(entries.get(&[*name]), Some(value));
            }
        }
    }
}

#[test]
fn a_listing_shows_what_stays_once_whatever_comes_and_goes() {
    let mut entries = Entries::new();
    for name in 0..50_u8 {
        entries.insert([name].as_slice().into(), ()).unwrap();
    }
    let (mut seen, mut cookie, mut step) = (Vec::new(), 0, 0_u8);
    while let Some((next, name, ())) = entries.after(cookie) {
        (seen, cookie) = ([seen, name.to_vec()].concat(), next);
        // Odd names go, seen or not; they come back at the end, and new ones with them.
        entries.remove(&[2 * step + 1]);
        if step < 40 {
            entries.insert([100 + step].as_slice().into(), ()).unwrap();
        }
        step += 1;
    }
    let unique: BTreeSet<u8> = seen.iter().copied().collect();
    assert_eq!(unique.len(), seen.len());
    assert!((0..50).step_by(2).all(|name| unique.contains(&name)));
}
