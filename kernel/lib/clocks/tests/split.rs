//! CPU time divides as the samples say, and nothing of it is lost.

use clocks::split::{Sampled, split};

#[test]
fn parts_are_the_whole() {
    for total in [0, 1, 7, 1_000_000_007, u64::MAX] {
        for user in [0, 1, 3, 4_000_000, u64::MAX / 2] {
            for system in [0, 1, 3, 4_000_000, u64::MAX / 2] {
                let (first, second) = split(total, Sampled { user, system });
                assert_eq!(first + second, total, "{total} {user} {system}");
            }
        }
    }
}

#[test]
fn samples_say_in_what_proportion() {
    let of = |user, system| split(1000, Sampled { user, system });
    assert_eq!(of(0, 0), (1000, 0));
    assert_eq!(of(5, 0), (1000, 0));
    assert_eq!(of(0, 5), (0, 1000));
    assert_eq!(of(3, 1), (750, 250));
}
