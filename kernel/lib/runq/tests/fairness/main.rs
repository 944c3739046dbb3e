//! Who gets how much, and who waits how long, over seconds of virtual time.

mod ideal;
mod machine;

use ideal::{Wish, shares};
use machine::{Habit, Machine};
use runq::{Params, Policy};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn nice(nice: i8) -> Params {
    Params {
        nice,
        ..Params::DEFAULT
    }
}

fn realtime(policy: Policy, rt_priority: u8) -> Params {
    Params {
        policy,
        rt_priority,
        ..Params::DEFAULT
    }
}

fn of(policy: Policy) -> Params {
    Params {
        policy,
        ..Params::DEFAULT
    }
}

fn share(machine: &Machine, job: &machine::Job) -> f64 {
    job.ran.get() as f64 / machine.now as f64
}

/// Random numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// One to twelve tasks: how nice, and which CPUs they may use.
    fn mix(&mut self, cpus: usize, widest: i8, pinned: bool) -> Vec<(i8, u64)> {
        let all = (1_u64 << cpus) - 1;
        let tasks = 1 + self.roll(12);
        let task = |_| {
            let level = match self.roll(5) {
                0 | 1 => 0,
                2 | 3 => self.roll(11) as i8 - 5,
                _ => self.roll(2 * widest as u64) as i8 - widest,
            };
            let allowed = match pinned && self.roll(4) == 0 {
                true => 1 + self.roll(all),
                false => all,
            };
            (level, allowed)
        };
        (0..tasks).map(task).collect()
    }
}

/// Returns the largest difference from the ideal, in parts of a CPU.
fn error_of(cpus: usize, mix: &[(i8, u64)]) -> f64 {
    let mut machine = Machine::new(cpus);
    for (level, allowed) in mix {
        machine.start(nice(*level), *allowed, Habit::Hog);
    }
    machine.run(10 * SECOND);
    let wish = |(level, allowed): &(i8, u64)| Wish {
        weight: f64::from(nice(*level).weight()),
        allowed: *allowed,
    };
    let ideal = shares(&mix.iter().map(wish).collect::<Vec<_>>(), cpus);
    let pairs = machine.jobs.iter().zip(&ideal);
    let worst = pairs.map(|(job, ideal)| (share(&machine, job) - ideal).abs());
    worst.fold(0.0, f64::max)
}

/// Of `rounds` random mixes, returns how many have an error of 2 % of a CPU or more, and the largest error.
fn errors(rounds: usize, mut mix: impl FnMut() -> (usize, Vec<(i8, u64)>)) -> (usize, f64) {
    let errors: Vec<f64> = (0..rounds)
        .map(|_| mix())
        .map(|(cpus, mix)| error_of(cpus, &mix))
        .collect();
    let beyond = errors.iter().filter(|error| **error >= 0.02).count();
    (beyond, errors.into_iter().fold(0.0, f64::max))
}

#[test]
fn any_mix_gets_its_shares_on_one_cpu() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (beyond, worst) = errors(300, || (1, dice.mix(1, 20, false)));
    assert_eq!(beyond, 0, "{worst}");
}

#[test]
fn any_mix_of_near_levels_gets_its_shares_on_two_cpus() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (beyond, worst) = errors(300, || (2, dice.mix(2, 5, false)));
    assert!(beyond == 0 && worst < 0.01, "{worst}");
}

/// Extreme weights, and tasks bound to some of the CPUs, can ask for more moves than are good for anybody: a few mixes in
/// a thousand stay further away from the ideal.
#[test]
fn nearly_any_mix_gets_its_shares_on_two_and_four_cpus() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut check = |cpus, widest, pinned, most: usize, limit: f64| {
        let (beyond, worst) = errors(250, || (cpus, dice.mix(cpus, widest, pinned)));
        assert!(
            beyond <= most && worst < limit,
            "{cpus} CPUs, levels up to {widest}, bound {pinned}: {beyond} mixes, at most {worst}"
        );
    };
    check(2, 20, false, 2, 0.05);
    check(4, 5, false, 3, 0.1);
    check(4, 20, false, 3, 0.15);
    check(2, 5, true, 3, 0.1);
    check(4, 5, true, 7, 1.0);
}

#[test]
fn equal_tasks_that_do_not_divide_among_the_cpus_take_turns_on_them() {
    assert!(error_of(2, &[(0, 3); 3]) < 0.01);
    assert!(error_of(4, &[(0, 15); 7]) < 0.01);
    assert!(error_of(2, &[(-20, 3); 3]) < 0.01);
    assert!(error_of(2, &[(0, 1), (0, 3), (0, 3)]) < 0.01);
}

#[test]
fn who_cannot_move_does_not_keep_the_others_from_it() {
    assert!(error_of(2, &[(0, 3), (3, 3), (0, 1)]) < 0.02);
    assert!(error_of(4, &[(0, 10), (0, 2)]) < 0.02);
    assert!(error_of(2, &[(0, 1), (0, 1), (0, 1), (0, 3)]) < 0.02);
}

#[test]
fn equal_tasks_wait_no_longer_than_a_turn_of_each_other_one() {
    for tasks in [2, 5, 20] {
        let mut machine = Machine::new(1);
        for _ in 0..tasks {
            machine.start(nice(0), 1, Habit::Hog);
        }
        machine.run(10 * SECOND);
        let longest = longest_wait(&machine);
        assert!(
            longest <= (tasks - 1) * 2 * machine::TICK,
            "{tasks} tasks: {longest} ns"
        );
    }
}

#[test]
fn nobody_waits_for_ever_however_unequal() {
    let mut machine = Machine::new(2);
    let levels = [-20, -20, -20, 0, 0, 19, 19];
    for level in levels {
        machine.start(nice(level), 3, Habit::Hog);
    }
    machine.start(of(Policy::Idle), 3, Habit::Hog);
    machine.run(2000 * SECOND);
    assert!(
        machine.jobs.iter().all(|job| job.turns.get() > 1),
        "{:?}",
        machine.jobs
    );
}

fn longest_wait(machine: &Machine) -> u64 {
    let waits = machine.jobs.iter().map(|job| job.longest_wait.get());
    waits.max().unwrap_or(0)
}

#[test]
fn a_sleeper_gets_the_cpu_soon_and_no_more_than_its_share() {
    let mut machine = Machine::new(1);
    for _ in 0..3 {
        machine.start(nice(0), 1, Habit::Hog);
    }
    let light = machine.start(nice(0), 1, Habit::Sleeper(MS / 2, 20 * MS));
    let greedy = machine.start(nice(0), 1, Habit::Sleeper(30 * MS, MS));
    machine.run(SECOND);
    light.longest_wait.set(0);
    machine.run(9 * SECOND);
    assert!(
        light.longest_wait.get() <= 2 * machine::TICK,
        "{} ns",
        light.longest_wait.get()
    );
    assert!(
        share(&machine, &greedy) < 0.27,
        "{}",
        share(&machine, &greedy)
    );
}

#[test]
fn who_slept_for_long_is_not_paid_for_it() {
    let mut machine = Machine::new(1);
    let hog = machine.start(nice(0), 1, Habit::Hog);
    let sleeper = machine.start(nice(0), 1, Habit::Sleeper(100 * MS, 1000 * SECOND));
    machine.run(1100 * SECOND);
    let before = hog.longest_wait.get();
    assert_eq!(sleeper.ran.get(), 200 * MS);
    assert!(before < 4 * machine::TICK, "{before} ns");
}

#[test]
fn forking_is_no_way_to_get_more() {
    let mut machine = Machine::new(1);
    let hog = machine.start(nice(0), 1, Habit::Hog);
    let before = (0..200).map(|_| {
        let child = machine.start(nice(0), 1, Habit::Sleeper(2 * MS, u64::MAX / 2));
        machine.run(4 * MS);
        child.ran.get()
    });
    let children: u64 = before.sum();
    assert!(
        hog.ran.get() >= children,
        "{} against {children}",
        hog.ran.get()
    );
}

#[test]
fn who_yields_lets_the_others_run() {
    let mut machine = Machine::new(1);
    let hog = machine.start(nice(0), 1, Habit::Hog);
    let yielder = machine.start(nice(0), 1, Habit::Yielder(MS / 10));
    machine.run(10 * SECOND);
    assert!(hog.ran.get() > 8 * SECOND, "{}", hog.ran.get());
    assert!(yielder.turns.get() > 100);
}

#[test]
fn yielders_take_turns() {
    let mut machine = Machine::new(1);
    for _ in 0..2 {
        machine.start(nice(0), 1, Habit::Yielder(MS / 100));
    }
    machine.run(SECOND);
    let [one, other] = [0, 1].map(|job: usize| machine.jobs[job].ran.get());
    assert!(one.abs_diff(other) <= MS, "{one} and {other}");
    assert!(machine.jobs[0].turns.get() > 40_000);
}

#[test]
fn batch_tasks_get_their_share_and_disturb_nobody() {
    let mut machine = Machine::new(1);
    let hog = machine.start(nice(0), 1, Habit::Hog);
    let batch = machine.start(of(Policy::Batch), 1, Habit::Hog);
    machine.run(10 * SECOND);
    assert!((share(&machine, &batch) - 0.5).abs() < 0.01);
    let turns = hog.turns.get();
    machine.start(of(Policy::Batch), 1, Habit::Sleeper(MS / 10, MS));
    machine.run(10 * SECOND);
    assert!(
        hog.turns.get() < 3 * turns,
        "{} and {turns}",
        hog.turns.get()
    );
}

#[test]
fn idle_tasks_run_when_nobody_else_wants_to() {
    let mut machine = Machine::new(1);
    let idle = machine.start(of(Policy::Idle), 1, Habit::Hog);
    machine.run(SECOND);
    assert_eq!(idle.ran.get(), SECOND);
    let sleeper = machine.start(nice(0), 1, Habit::Sleeper(MS, 10 * MS));
    let hog = machine.start(nice(19), 1, Habit::Hog);
    machine.run(100 * SECOND);
    assert!(
        sleeper.longest_wait.get() <= machine::TICK,
        "{} ns",
        sleeper.longest_wait.get()
    );
    assert!(idle.ran.get() * 3 < hog.ran.get() + 3 * SECOND);
}

#[test]
fn realtime_tasks_run_before_fair_ones_by_priority() {
    let mut machine = Machine::new(1);
    let fair = machine.start(nice(-20), 1, Habit::Hog);
    let low = machine.start(realtime(Policy::Fifo, 10), 1, Habit::Sleeper(MS, 3 * MS));
    let high = machine.start(realtime(Policy::Fifo, 11), 1, Habit::Sleeper(MS, 3 * MS));
    machine.run(10 * SECOND);
    assert_eq!(high.longest_wait.get(), 0);
    assert!(low.longest_wait.get() <= MS);
    assert!(fair.ran.get() > 4 * SECOND);
}

#[test]
fn a_fifo_task_keeps_the_cpu_from_its_equals_and_round_robin_tasks_share_it() {
    let mut machine = Machine::new(1);
    let fifo = machine.start(realtime(Policy::Fifo, 5), 1, Habit::Hog);
    let equal = machine.start(realtime(Policy::Fifo, 5), 1, Habit::Hog);
    machine.run(5 * SECOND);
    assert_eq!((fifo.ran.get(), equal.ran.get()), (5 * SECOND, 0));
    let mut machine = Machine::new(1);
    for _ in 0..3 {
        machine.start(realtime(Policy::RoundRobin, 5), 1, Habit::Hog);
    }
    machine.run(9 * SECOND);
    for job in &machine.jobs {
        assert!(
            (share(&machine, job) - 0.3333).abs() < 0.02,
            "{}",
            share(&machine, job)
        );
        assert!(job.turns.get() < 50);
    }
}

#[test]
fn realtime_tasks_leave_a_twentieth_to_the_others() {
    let mut machine = Machine::new(1);
    let rt = machine.start(realtime(Policy::Fifo, 99), 1, Habit::Hog);
    machine.run(3 * SECOND);
    assert_eq!(rt.ran.get(), 3 * SECOND, "alone it may use all");
    let fair = machine.start(nice(0), 1, Habit::Hog);
    let before = machine.now;
    machine.run(20 * SECOND);
    let part = fair.ran.get() as f64 / (machine.now - before) as f64;
    assert!((part - 0.05).abs() < 0.01, "{part}");
}

#[test]
fn a_realtime_task_goes_where_it_may_run_at_once() {
    let mut machine = Machine::new(2);
    let first = machine.start(realtime(Policy::Fifo, 50), 3, Habit::Hog);
    let fair = machine.start(nice(0), 3, Habit::Hog);
    let second = machine.start(
        realtime(Policy::Fifo, 20),
        3,
        Habit::Sleeper(5 * MS, 5 * MS),
    );
    machine.run(10 * SECOND);
    assert_eq!(first.ran.get(), 10 * SECOND);
    assert_eq!(second.longest_wait.get(), 0);
    assert!(fair.ran.get() > 4 * SECOND);
}

#[test]
fn a_task_that_may_not_stay_moves_and_a_change_of_nice_counts_from_then_on() {
    let mut machine = Machine::new(2);
    let jobs = [(); 2].map(|()| machine.start(nice(0), 3, Habit::Hog));
    machine.run(SECOND);
    machine.allow(&jobs[0], 2);
    machine.allow(&jobs[1], 2);
    let before = jobs.clone().map(|job| job.ran.get());
    assert_eq!(before, [SECOND; 2]);
    machine.run(2 * SECOND);
    assert!(
        jobs.iter()
            .all(|job| job.ran.get().abs_diff(2 * SECOND) < 40 * MS),
        "{jobs:?}"
    );
    let before = jobs.clone().map(|job| job.ran.get());
    machine.set_params(&jobs[0], nice(5));
    machine.run(10 * SECOND);
    let part = (jobs[0].ran.get() - before[0]) as f64 / (10 * SECOND) as f64;
    let expected = f64::from(nice(5).weight()) / f64::from(nice(5).weight() + nice(0).weight());
    assert!((part - expected).abs() < 0.02, "{part} for {expected}");
}

#[test]
fn a_task_that_becomes_realtime_runs_at_once_and_as_a_fair_one_again_like_the_others() {
    let mut machine = Machine::new(1);
    let jobs = [(); 3].map(|()| machine.start(nice(0), 1, Habit::Hog));
    machine.run(SECOND);
    let before = jobs[1].ran.get();
    machine.set_params(&jobs[1], realtime(Policy::Fifo, 1));
    machine.run(SECOND / 2);
    assert_eq!(jobs[1].ran.get() - before, SECOND / 2);
    machine.set_params(&jobs[1], nice(0));
    let before = jobs.clone().map(|job| job.ran.get());
    machine.run(3 * SECOND);
    for (job, before) in jobs.iter().zip(before) {
        assert!(
            (job.ran.get() - before).abs_diff(SECOND) < 20 * MS,
            "{jobs:?}"
        );
    }
}
