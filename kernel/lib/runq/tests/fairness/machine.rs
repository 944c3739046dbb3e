//! A machine of the scheduler alone: CPUs, tasks that run, sleep and yield, and a clock that jumps from event to event.

use std::cell::Cell;
use std::rc::Rc;

use runq::balance::{Frames, Rhythm, View, plan};
use runq::place::{Wakeup, place};
use runq::{Entity, Leave, Params, RunQueue, Schedulable};

/// Time between two ticks of a CPU that does not idle.
pub(crate) const TICK: u64 = 4_000_000;

/// What a task does with its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Habit {
    /// Runs whenever it may.
    Hog,
    /// Runs for a while, sleeps for a while (ns).
    Sleeper(u64, u64),
    /// Runs for a while, and lets others go first (ns).
    Yielder(u64),
}

/// A task.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) entity: Entity,
    pub(crate) habit: Habit,
    pub(crate) cpu: Cell<usize>,
    /// How long it has run in all.
    pub(crate) ran: Cell<u64>,
    /// The longest it had to wait while it wanted to run.
    pub(crate) longest_wait: Cell<u64>,
    pub(crate) turns: Cell<u64>,
    left: Cell<u64>,
    waits_since: Cell<u64>,
    wakes_at: Cell<Option<u64>>,
}

impl Schedulable for Job {
    fn entity(&self) -> &Entity {
        &self.entity
    }
}

struct Cpu {
    queue: RunQueue<Rc<Job>>,
    current: Option<Rc<Job>>,
    next_tick: u64,
    rhythm: Rhythm,
}

/// The machine.
pub(crate) struct Machine {
    pub(crate) now: u64,
    pub(crate) moves: u64,
    frames: Frames,
    cpus: Vec<Cpu>,
    pub(crate) jobs: Vec<Rc<Job>>,
}

impl Machine {
    pub(crate) fn new(cpus: usize) -> Self {
        let cpu = |number| Cpu {
            queue: RunQueue::new(),
            current: None,
            next_tick: TICK * number as u64 / cpus as u64 + 1000,
            rhythm: Rhythm::new(),
        };
        Self {
            now: 0,
            moves: 0,
            frames: Frames::new(),
            cpus: (0..cpus).map(cpu).collect(),
            jobs: Vec::new(),
        }
    }

    /// Starts a task, as a fork on CPU 0 would.
    pub(crate) fn start(&mut self, params: Params, allowed: u64, habit: Habit) -> Rc<Job> {
        let job = Rc::new(Job {
            entity: Entity::new(params, allowed),
            habit,
            cpu: Cell::new(0),
            ran: Cell::new(0),
            longest_wait: Cell::new(0),
            turns: Cell::new(0),
            left: Cell::new(burst(habit)),
            waits_since: Cell::new(self.now),
            wakes_at: Cell::new(None),
        });
        let cpu = self.place(&job);
        job.cpu.set(cpu);
        self.cpus[cpu].queue.wake(job.clone(), None);
        self.jobs.push(job.clone());
        self.check_preemption(cpu, &job);
        job
    }

    /// Changes the CPUs a task may use; one that is elsewhere moves.
    pub(crate) fn allow(&mut self, job: &Rc<Job>, allowed: u64) {
        job.entity.set_allowed(allowed);
        let from = job.cpu.get();
        if allowed >> from & 1 != 0 || job.wakes_at.get().is_some() {
            return;
        }
        if self.cpus[from]
            .current
            .as_ref()
            .is_some_and(|current| Rc::ptr_eq(current, job))
        {
            self.switch(from, Some(Leave::Preempted));
        }
        let moved = self.cpus[from].queue.remove(job);
        if let Some(job) = moved {
            let to = self.place(&job);
            self.arrive(job, from, to);
        } else {
            self.switch(from, None);
            let to = self.place(job);
            self.arrive(job.clone(), from, to);
        }
    }

    pub(crate) fn set_params(&mut self, job: &Rc<Job>, params: Params) {
        let (cpu, now) = (job.cpu.get(), self.now);
        let runs = self.cpus[cpu]
            .current
            .as_ref()
            .is_some_and(|current| Rc::ptr_eq(current, job));
        self.cpus[cpu].queue.set_params(job, params, runs, now);
        if self.cpus[cpu].queue.outranked(now) {
            self.switch(cpu, Some(Leave::Preempted));
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ns: u64) {
        let end = self.now + ns;
        while self.now < end {
            let next = self.next_event().min(end);
            self.advance(next - self.now);
            self.end_bursts();
            self.wake_sleepers();
            self.ticks();
        }
    }

    fn next_event(&self) -> u64 {
        let running = self.cpus.iter().filter_map(|cpu| {
            let job = cpu.current.as_ref()?;
            Some(cpu.next_tick.min(self.now.saturating_add(job.left.get())))
        });
        let waking = self.jobs.iter().filter_map(|job| job.wakes_at.get());
        running
            .chain(waking)
            .min()
            .unwrap_or(u64::MAX)
            .max(self.now)
    }

    fn advance(&mut self, ns: u64) {
        self.now += ns;
        for job in self.cpus.iter().filter_map(|cpu| cpu.current.as_ref()) {
            job.ran.set(job.ran.get() + ns);
            if job.left.get() != u64::MAX {
                job.left.set(job.left.get() - ns);
            }
        }
    }

    fn end_bursts(&mut self) {
        for cpu in 0..self.cpus.len() {
            let Some(job) = self.cpus[cpu]
                .current
                .clone()
                .filter(|job| job.left.get() == 0)
            else {
                continue;
            };
            job.left.set(burst(job.habit));
            match job.habit {
                Habit::Sleeper(_, sleep) => {
                    job.wakes_at.set(Some(self.now + sleep));
                    self.switch(cpu, None);
                }
                _ => self.switch(cpu, Some(Leave::Yielded)),
            }
        }
    }

    fn wake_sleepers(&mut self) {
        for job in self.jobs.clone() {
            if job.wakes_at.get().is_some_and(|at| at <= self.now) {
                job.wakes_at.set(None);
                job.waits_since.set(self.now);
                let (from, to) = (job.cpu.get(), self.place(&job));
                job.cpu.set(to);
                self.cpus[to].queue.wake(
                    job.clone(),
                    (from != to).then(|| self.frames.shift(from, to)),
                );
                self.check_preemption(to, &job);
            }
        }
    }

    fn ticks(&mut self) {
        for cpu in 0..self.cpus.len() {
            if self.cpus[cpu].next_tick > self.now {
                continue;
            }
            self.cpus[cpu].next_tick = self.now + TICK;
            let Some(current) = self.cpus[cpu].current.clone() else {
                continue;
            };
            let now = self.now;
            if self.cpus[cpu].queue.tick(Some(&current.entity), now) {
                self.switch(cpu, Some(Leave::Preempted));
            }
            if self.cpus[cpu].rhythm.is_due() {
                self.balance(cpu);
                self.kick_idle(cpu);
            }
        }
    }

    /// An idle CPU has no tick; who has too much to do calls one.
    fn kick_idle(&mut self, cpu: usize) {
        let wanted = self.cpus[cpu].queue.wanted() & self.idle();
        if wanted != 0 {
            self.balance(wanted.trailing_zeros() as usize);
        }
    }

    fn idle(&self) -> u64 {
        let idles =
            |cpu: &usize| self.cpus[*cpu].current.is_none() && self.cpus[*cpu].queue.is_empty();
        (0..self.cpus.len())
            .filter(idles)
            .fold(0, |mask, cpu| mask | 1 << cpu)
    }

    fn view(&self, cpu: usize) -> View {
        self.cpus[cpu].queue.view()
    }

    fn balance(&mut self, cpu: usize) {
        let views: Vec<View> = (0..self.cpus.len()).map(|cpu| self.view(cpu)).collect();
        let mut others = ((1_u64 << views.len()) - 1) & !(1 << cpu);
        let idled = self.cpus[cpu].queue.take_idled();
        self.frames
            .bound(cpu, idled, others | 1 << cpu, |cpu| views[cpu]);
        while let Some(pull) = plan(&self.frames, cpu, views[cpu], others, |cpu| views[cpu]) {
            let from = pull.from();
            if let Some(job) = self.cpus[from].queue.give(&pull, cpu) {
                self.arrive(job, from, cpu);
                return;
            }
            others &= !(1 << from);
        }
    }

    fn arrive(&mut self, job: Rc<Job>, from: usize, to: usize) {
        self.moves += 1;
        job.cpu.set(to);
        self.cpus[to]
            .queue
            .receive(job.clone(), self.frames.shift(from, to));
        self.check_preemption(to, &job);
    }

    fn place(&self, job: &Job) -> usize {
        let all = (1 << self.cpus.len()) - 1;
        let wakeup = Wakeup {
            prev: job.cpu.get(),
            waker: 0,
            allowed: job.entity.allowed() & all,
            idle: self.idle(),
            rank: job.entity.params().rank(),
        };
        place(&wakeup, |cpu| self.view(cpu).load)
    }

    fn check_preemption(&mut self, cpu: usize, job: &Job) {
        let now = self.now;
        let current = self.cpus[cpu].current.clone();
        let queue = &mut self.cpus[cpu].queue;
        if current.is_none_or(|current| queue.preempts(&current.entity, &job.entity, now)) {
            self.switch(cpu, Some(Leave::Preempted));
        }
    }

    /// Lets the running task leave, or sleep if there is no reason, and the next one come.
    fn switch(&mut self, cpu: usize, leave: Option<Leave>) {
        let now = self.now;
        let Cpu { queue, current, .. } = &mut self.cpus[cpu];
        if let Some(job) = current.take() {
            queue.charge(&job.entity, now);
            job.waits_since.set(now);
            if let Some(leave) = leave {
                queue.put_back(job, leave);
            }
        }
        let next = queue.pick(now);
        queue.begin(next.as_ref().map(|job| &job.entity), now);
        if let Some(job) = &next {
            job.turns.set(job.turns.get() + 1);
            let waited = now - job.waits_since.get();
            job.longest_wait.set(job.longest_wait.get().max(waited));
        }
        let idles = next.is_none();
        *current = next;
        if idles {
            self.balance(cpu);
        }
    }
}

fn burst(habit: Habit) -> u64 {
    match habit {
        Habit::Hog => u64::MAX,
        Habit::Sleeper(run, _) | Habit::Yielder(run) => run,
    }
}
