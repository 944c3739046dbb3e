//! What each task ought to get: shares by weight, as equal as the CPUs that each may use permit.
//!
//! Nobody gets more than one CPU, and no set of CPUs can give more than there are of them. Within that the water level rises:
//! all get the same for each unit of weight, until some can get no more.

/// One task: its weight and the CPUs it may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) weight: f64,
    pub(crate) allowed: u64,
}

/// Returns what part of a CPU each gets of `cpus` CPUs.
pub(crate) fn shares(wishes: &[Wish], cpus: usize) -> Vec<f64> {
    let mut fixed: Vec<Option<f64>> = vec![None; wishes.len()];
    while fixed.contains(&None) {
        let at = |level: f64| -> Vec<f64> {
            let each = wishes.iter().zip(&fixed);
            each.map(|(wish, fixed)| fixed.unwrap_or((wish.weight * level).min(1.0)))
                .collect()
        };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            match is_possible(wishes, &at(middle), cpus) {
                true => low = middle,
                false => high = middle,
            }
        }
        let reached = at(low);
        let before = fixed.clone();
        for task in (0..wishes.len()).filter(|task| before[*task].is_none()) {
            let mut more = reached.clone();
            more[task] += 1e-6;
            if more[task] > 1.0 || !is_possible(wishes, &more, cpus) {
                fixed[task] = Some(reached[task]);
            }
        }
        assert_ne!(
            fixed, before,
            "some set of CPUs is full, or the level would be higher"
        );
    }
    fixed.into_iter().flatten().collect()
}

fn is_possible(wishes: &[Wish], shares: &[f64], cpus: usize) -> bool {
    (1_u64..1 << cpus).all(|set| {
        let bound_to = wishes
            .iter()
            .zip(shares)
            .filter(|(wish, _)| wish.allowed & !set == 0);
        bound_to.map(|(_, share)| share).sum::<f64>() <= f64::from(set.count_ones()) + 1e-9
    })
}

#[test]
fn a_pinned_task_leaves_the_other_cpu_to_the_rest() {
    let wish = |weight, allowed| Wish { weight, allowed };
    let close = |got: &[f64], expected: &[f64]| {
        let pairs = got.iter().zip(expected);
        assert!(
            pairs
                .clone()
                .all(|(got, expected)| (got - expected).abs() < 1e-3),
            "{got:?}"
        );
    };
    close(&shares(&[wish(1.0, 3); 3], 2), &[0.6667; 3]);
    close(&shares(&[wish(3.0, 1), wish(1.0, 1)], 1), &[0.75, 0.25]);
    let pinned = [wish(1.0, 1), wish(1.0, 1), wish(1.0, 1), wish(1.0, 3)];
    close(&shares(&pinned, 2), &[0.3333, 0.3333, 0.3333, 1.0]);
    close(
        &shares(&[wish(88.0, 3), wish(1.0, 3), wish(1.0, 3)], 2),
        &[1.0, 0.5, 0.5],
    );
}
