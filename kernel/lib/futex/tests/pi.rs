//! The words of locks with priority inheritance, for every combination of a few owners and flags.

use futex::pi::{NotOwner, Take, give, inherit, take};

const WAITERS: u32 = 1 << 31;
const DIED: u32 = 1 << 30;

#[test]
fn a_lock_has_one_owner() {
    for flags in [0, WAITERS, DIED, WAITERS | DIED] {
        for owner in [0, 5, 9] {
            let word = owner | flags;
            for waited_for in [false, true] {
                match take(word, 5, waited_for) {
                    Take::Taken(new) => {
                        assert_eq!(owner, 0);
                        assert_eq!(new & !(WAITERS | DIED), 5);
                        assert_eq!(new & DIED, flags & DIED, "the death is told");
                        assert_eq!(new & WAITERS != 0, waited_for);
                    }
                    Take::Own => assert_eq!(owner, 5),
                    Take::Wait {
                        owner: whose,
                        word: new,
                    } => {
                        assert_eq!((owner, whose), (9, 9));
                        assert_eq!(new, word | WAITERS);
                    }
                }
            }
            let given = give(word, 5, Some(7));
            let back = give(word, 5, None);
            match owner {
                5 => assert_eq!((given, back), (Ok(7 | WAITERS), Ok(0))),
                _ => assert_eq!((given, back), (Err(NotOwner), Err(NotOwner))),
            }
            let left = inherit(word, 5, 7);
            assert_eq!(left, (owner != 9).then_some(7 | WAITERS | DIED));
        }
    }
}
