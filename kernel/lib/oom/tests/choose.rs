//! The choice, over every small set of processes.

use oom::{Candidate, Choice, FEW, FIRST, Life, NEVER, points};

const TOTAL: u64 = 10_000;
const LIVES: [Life; 3] = [Life::Lives, Life::Ends, Life::Stuck];

fn candidate(pid: u32, frames: u64, adj: i16) -> Candidate {
    Candidate {
        pid,
        group: 1,
        frames,
        adj,
        life: Life::Lives,
    }
}

fn choose(candidates: impl Iterator<Item = Candidate>, total: u64) -> Choice {
    oom::choose(&mut candidates.collect::<Vec<_>>(), total)
}

/// Every candidate that a process with this number could be.
fn all(pid: u32) -> Vec<Candidate> {
    let mut found = Vec::new();
    for frames in [0, 10, 5000] {
        for adj in [NEVER, -999, 0, 1, FIRST] {
            found.extend(LIVES.map(|life| Candidate {
                life,
                ..candidate(pid, frames, adj)
            }));
        }
    }
    found
}

#[test]
fn every_set_of_three_is_decided_by_the_rules() {
    let sets = all(2).into_iter().flat_map(|a| {
        all(3)
            .into_iter()
            .flat_map(move |b| all(4).into_iter().map(move |c| [a, b, c]))
    });
    for set in sets {
        let choice = choose(set.into_iter(), TOTAL);
        let lives = |c: &&Candidate| c.life == Life::Lives && c.adj != NEVER;
        if let Some(ending) = set.iter().find(|c| c.life == Life::Ends) {
            assert_eq!(choice, Choice::WaitFor(ending.pid), "{set:?}");
        } else if let Choice::End(pid) = choice {
            let chosen = set.iter().find(|c| c.pid == pid).expect("one of them");
            assert!(lives(&chosen), "{set:?}");
            let most = set
                .iter()
                .filter(lives)
                .filter_map(|c| points(c, TOTAL))
                .max();
            assert_eq!(points(chosen, TOTAL), most, "{set:?}");
        } else {
            assert_eq!(choice, Choice::Nobody, "{set:?}");
            assert!(!set.iter().any(|c| lives(&c)), "{set:?}");
        }
    }
}

#[test]
fn the_one_with_the_most_memory_ends() {
    let set = [
        candidate(2, 10, 0),
        candidate(3, 500, 0),
        candidate(4, 20, 0),
    ];
    assert_eq!(choose(set.into_iter(), TOTAL), Choice::End(3));
}

#[test]
fn of_two_alike_the_younger_ends() {
    let set = [candidate(2, 10, 0), candidate(3, 10, 0)];
    assert_eq!(choose(set.into_iter(), TOTAL), Choice::End(3));
}

#[test]
fn a_thousandth_of_the_machine_is_one_point_of_adjustment() {
    let set = [candidate(2, 100, 0), candidate(3, 100 - 9, 1)];
    assert_eq!(choose(set.into_iter(), TOTAL), Choice::End(3));
    let set = [candidate(2, 100, 0), candidate(3, 100 - 11, 1)];
    assert_eq!(choose(set.into_iter(), TOTAL), Choice::End(2));
}

#[test]
fn who_is_immune_is_never_chosen_and_who_volunteers_goes_first() {
    let set = [candidate(2, 9_999, NEVER), candidate(3, 1, -999)];
    assert_eq!(choose(set.into_iter(), TOTAL), Choice::End(3));
    assert_eq!(
        choose([candidate(2, 9, NEVER)].into_iter(), TOTAL),
        Choice::Nobody
    );
    let set = [candidate(2, 9_999, 0), candidate(3, 1, FIRST)];
    assert_eq!(choose(set.into_iter(), TOTAL), Choice::End(3));
}

/// Who wants to begin waits for those who end, and has only the large ones ended.
#[test]
fn a_crowd_of_small_ones_is_left_alone_by_who_wants_to_begin() {
    for set in all(2)
        .into_iter()
        .flat_map(|a| all(3).into_iter().map(move |b| [a, b]))
    {
        let least = 100;
        let asked = set.into_iter().filter(|one| one.is_worth_it(least));
        match choose(asked, TOTAL) {
            Choice::End(pid) => assert!(
                set.iter().any(|c| c.pid == pid && c.frames >= least),
                "{set:?}"
            ),
            Choice::WaitFor(pid) => assert!(
                set.iter().any(|c| c.pid == pid && c.life == Life::Ends),
                "{set:?}"
            ),
            Choice::Nobody => assert!(
                !set.iter().any(|c| c.life == Life::Ends
                    || c.life == Life::Lives && c.adj != NEVER && c.frames >= least),
                "{set:?}"
            ),
        }
    }
}

#[test]
fn where_nobody_has_much_the_largest_group_pays() {
    let of = |group, pid, frames| Candidate {
        group,
        ..candidate(pid, frames, 0)
    };
    let crowd = (10..60).map(|pid| of(10, pid, 30));
    let bystander = of(2, 2, 60);
    let set = [bystander].into_iter().chain(crowd.clone());
    assert_eq!(choose(set, TOTAL), Choice::End(59));
    // Who has much is chosen all the same, however many the others are.
    let hog = of(3, 3, TOTAL / FEW);
    let set = crowd.clone().chain([bystander, hog]);
    assert_eq!(choose(set, TOTAL), Choice::End(3));
    // Those who are never chosen are nobody's crowd.
    let immune = crowd.map(|one| Candidate { adj: NEVER, ..one });
    let set = immune.clone().chain([bystander]);
    assert_eq!(choose(set, TOTAL), Choice::End(2));
    assert_eq!(choose(immune, TOTAL), Choice::Nobody);
}

/// Two groups of up to three: the group with the most together pays, by the one of it who has the most.
#[test]
fn every_pair_of_small_groups_is_decided_by_their_sums() {
    let sizes = [0, 7, 20, 21];
    for first in sizes {
        for second in sizes {
            for (third, adj) in [(5, 0), (30, 0), (30, -999), (30, NEVER)] {
                let set = [
                    candidate(2, first, 0),
                    candidate(3, second, 0),
                    Candidate {
                        group: 2,
                        ..candidate(4, third, adj)
                    },
                ];
                let other = if adj == 0 { third } else { 0 };
                let expected = match (first + second >= other, adj, first > second) {
                    (false, ..) => 4,
                    (true, 0, _) if first + second == other && third >= first.max(second) => 4,
                    (true, _, true) => 2,
                    (true, _, false) => 3,
                };
                let choice = choose(set.into_iter(), TOTAL);
                assert_eq!(choice, Choice::End(expected), "{set:?}");
            }
        }
    }
}
