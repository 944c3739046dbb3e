//! Registers that nobody else may change, under preemption and across system calls (SY-2, SY-11, FK-6).

use user::child;
use user::probe::{Topic, Verdict, lives, must, same};
use user::regs::{Found, churn};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "registers",
    about: "general, xmm, x87, MXCSR and flags survive preemption, calls and faults",
    cases: &[
        ("spinning_together", || together(false)),
        ("calling_together", || together(true)),
        ("alone_across_calls", || {
            intact(0x1122_3344_5566_0000, 2000, true)
        }),
        ("alone_and_spinning", || {
            intact(0xdead_beef_0000_0000, 2_000_000, false)
        }),
        ("floating_point_in_children", floating_point_in_children),
    ],
};

fn intact(seed: u64, rounds: u64, calls: bool) -> Verdict {
    let mut found = Found::new();
    churn(seed, rounds, calls, &mut found);
    found.damage(seed).map_or(Ok(()), Err)
}

/// Runs several processes with different patterns at once, each for a while.
fn together(calls: bool) -> Verdict {
    let spinner = |index: u64| {
        must(
            "fork",
            child::start(move || {
                let until = sys::now_ms() + 400;
                let mut round = 0;
                while sys::now_ms() < until {
                    round += 1;
                    if let Err(why) = intact(index << 48 | round, 20_000, calls) {
                        println!("# task {index}: {why}");
                        return 1;
                    }
                }
                0
            }),
        )
    };
    let pids: Vec<i32> = (1..=5).map(spinner).collect::<Result<_, _>>()?;
    for pid in pids {
        same(
            "a spinner",
            must("wait", child::wait(pid))?,
            child::Ended::Exited(0),
        )?;
    }
    Ok(())
}

fn floating_point_in_children() -> Verdict {
    let series = |terms: u32| {
        (1..=terms)
            .map(|n| 1.0 / (f64::from(n) * f64::from(n)))
            .sum::<f64>()
    };
    let want = series(100_000);
    let pids: Vec<i32> = (0..4)
        .map(|_| {
            must(
                "fork",
                child::start(|| i32::from((0..10).any(|_| series(100_000) != want))),
            )
        })
        .collect::<Result<_, _>>()?;
    for pid in pids {
        same(
            "a child",
            must("wait", child::wait(pid))?,
            child::Ended::Exited(0),
        )?;
    }
    lives("the parent's own", || i32::from(series(100_000) != want))
}
