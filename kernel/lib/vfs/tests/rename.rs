//! What a move may do, over every combination of the facts.

use vfs::rename::{Mode, Permitted, Plan, RenameError, Side, plan};

const MODES: [Mode; 3] = [Mode::Replace, Mode::NoReplace, Mode::Exchange];

const EVERYTHING: Permitted = Permitted {
    names: Ok(()),
    contents: Ok(()),
};

fn sides() -> impl Iterator<Item = Side> {
    let all = (0..16_u8).map(|bits| Side {
        is_directory: bits & 1 != 0,
        is_full: bits & 2 != 0,
        slash: bits & 4 != 0,
        contains_other: bits & 8 != 0,
    });
    // Only a directory has names in it, and only a full one has another file's directory below it.
    all.filter(|side| side.is_directory || !side.is_full && !side.contains_other)
}

fn every(mut each: impl FnMut(Side, Option<Side>, bool, Mode, Result<Plan, RenameError>)) {
    for old in sides() {
        for new in sides().map(Some).chain([None]) {
            for same in [false, true] {
                for mode in MODES {
                    let slash = new.is_some_and(|new| new.slash);
                    let same = same && new.is_some();
                    let outcome = plan(old, new, slash, same, mode, EVERYTHING);
                    each(old, new, same, mode, outcome);
                }
            }
        }
    }
}

#[test]
fn a_plan_keeps_the_tree_a_tree() {
    every(|old, new, same, mode, outcome| {
        let moves = matches!(outcome, Ok(Plan::Move | Plan::Replace | Plan::Exchange));
        assert!(!(moves && old.is_directory && old.contains_other));
        let Some(new) = new else {
            assert!(matches!(outcome, Ok(Plan::Move) | Err(_)));
            return;
        };
        // What disappears is not full, and of the kind that comes.
        if outcome == Ok(Plan::Replace) {
            assert!(!new.is_full && new.is_directory == old.is_directory && !same);
        }
        assert!(outcome != Ok(Plan::Exchange) || mode == Mode::Exchange && !new.contains_other);
        assert!(mode != Mode::NoReplace || outcome == Err(RenameError::Exists));
    });
}

#[test]
fn a_slash_wants_a_directory() {
    every(|old, new, _, mode, outcome| {
        let after_new = mode != Mode::Exchange && new.is_some_and(|new| new.slash);
        if !old.is_directory && (old.slash || after_new) {
            assert!(outcome.is_err());
        }
    });
}

#[test]
fn two_names_of_one_file_stay() {
    let file = Side {
        is_directory: false,
        is_full: false,
        slash: false,
        contains_other: false,
    };
    assert_eq!(
        plan(file, Some(file), false, true, Mode::Replace, EVERYTHING),
        Ok(Plan::Nothing)
    );
    assert_eq!(
        plan(file, Some(file), false, false, Mode::Replace, EVERYTHING),
        Ok(Plan::Replace)
    );
    assert_eq!(
        plan(file, None, true, false, Mode::Replace, EVERYTHING),
        Err(RenameError::NotDirectory)
    );
}

#[test]
fn who_may_not_move_a_file_moves_none() {
    every(|old, new, same, mode, outcome| {
        let slash = new.is_some_and(|new| new.slash);
        let with = |permitted| plan(old, new, slash, same, mode, permitted);
        let no_names = with(Permitted {
            names: Err(RenameError::Denied),
            ..EVERYTHING
        });
        assert!(matches!(no_names, Ok(Plan::Nothing) | Err(_)));
        assert!(outcome.is_err() || same || no_names == Err(RenameError::Denied));
        let no_contents = with(Permitted {
            contents: Err(RenameError::Denied),
            ..EVERYTHING
        });
        assert!(outcome.is_err() || same || no_contents == Err(RenameError::Denied));
    });
}
