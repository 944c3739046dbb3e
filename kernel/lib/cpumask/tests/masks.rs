//! Sets of processors against the standard library's.

use std::collections::BTreeSet;

use cpumask::{AtomicCpuMask, CpuMask, MAX_CPUS};
use proptest::prelude::*;

fn set(mask: CpuMask) -> BTreeSet<usize> {
    (0..MAX_CPUS).filter(|&cpu| mask.contains(cpu)).collect()
}

/// Linux's list format, written the long way.
fn listed(mask: CpuMask) -> String {
    let cpus: Vec<usize> = mask.iter().collect();
    let runs = cpus.chunk_by(|left, right| left + 1 == *right);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [alone] => alone.to_string(),
            _ => format!("{}-{}", run[0], run[run.len() - 1]),
        })
        .collect();
    texts.join(",")
}

proptest! {
    #[test]
    fn a_mask_is_a_set(a: u64, b: u64, cpu in 0..MAX_CPUS) {
        let (a, b) = (CpuMask::from_bits(a), CpuMask::from_bits(b));
        prop_assert_eq!(a.iter().collect::<BTreeSet<_>>(), set(a));
        prop_assert_eq!(a.len(), set(a).len());
        prop_assert_eq!(a.iter().len(), a.len());
        prop_assert_eq!(set(a | b), &set(a) | &set(b));
        prop_assert_eq!(set(a & b), &set(a) & &set(b));
        prop_assert_eq!(set(a - b), &set(a) - &set(b));
        prop_assert_eq!(set(a.with(cpu)), &set(a) | &BTreeSet::from([cpu]));
        prop_assert_eq!(set(a.without(cpu)), &set(a) - &BTreeSet::from([cpu]));
        prop_assert_eq!(a.covers(b), set(a).is_superset(&set(b)));
        prop_assert_eq!(a.meets(b), !set(a).is_disjoint(&set(b)));
        prop_assert_eq!(a.first(), set(a).first().copied());
        prop_assert_eq!(a.iter().collect::<CpuMask>(), a);
        let next = set(a).range(cpu + 1..).next().copied().or(a.first());
        prop_assert_eq!(a.next_after(cpu), next);
        prop_assert_eq!(a.to_string(), listed(a));
    }

    #[test]
    fn a_shared_mask_changes_one_bit_at_a_time(bits: u64, cpu in 0..MAX_CPUS) {
        let mask = CpuMask::from_bits(bits);
        let shared = AtomicCpuMask::new(mask);
        prop_assert_eq!(shared.insert(cpu), !mask.contains(cpu));
        prop_assert_eq!(shared.load(), mask.with(cpu));
        prop_assert!(shared.remove(cpu) && !shared.remove(cpu));
        prop_assert_eq!(shared.take(), mask.without(cpu));
        prop_assert!(shared.load().is_empty());
    }
}

#[test]
fn the_first_n_are_counted_from_zero() {
    for count in 0..200 {
        let mask = CpuMask::first_n(count);
        assert_eq!(set(mask), (0..count.min(MAX_CPUS)).collect());
    }
}

#[test]
fn lists_read_as_linux_writes_them() {
    let shown = |cpus: &[usize]| cpus.iter().copied().collect::<CpuMask>().to_string();
    assert_eq!(shown(&[]), "");
    assert_eq!(shown(&[5]), "5");
    assert_eq!(shown(&[0, 1, 2, 3, 5, 62, 63]), "0-3,5,62-63");
    assert_eq!(CpuMask::ALL.to_string(), "0-63");
}

#[test]
fn a_number_too_large_is_in_no_set() {
    assert!(!CpuMask::ALL.contains(MAX_CPUS) && !CpuMask::ALL.contains(usize::MAX));
    assert_eq!(CpuMask::ALL.without(MAX_CPUS), CpuMask::ALL);
}
