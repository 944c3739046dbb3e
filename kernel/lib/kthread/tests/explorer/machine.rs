//! A kernel thread, what the scheduler knows of it, and two owners with a list of things to do.
//!
//! Each step is what one of them does to shared words at once: everything may come between two steps.

use kthread::{Begin, First, ParkRefused, ParkStep, State};

/// What an owner does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Op {
    Start,
    Park,
    Unpark,
    Stop,
    /// Wakes the thread for no reason.
    Stray,
}

/// Who takes a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Thread,
    First,
    Second,
}

/// The rule that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    Nothing,
    /// The body looks for wishes, then marks itself asleep.
    BodyLooksFirst,
    /// The thread looks whether it is to park, then marks itself.
    ParkLooksFirst,
    /// An owner wakes the thread, then says what it wants.
    OwnerWakesFirst,
    /// Stop does not take the wish to park back.
    StopKeepsPark,
    /// Any wake-up reaches a parked thread.
    StrayWakesParked,
    /// Unpark takes the wish back and leaves the thread announced.
    UnparkKeepsParked,
    /// Unpark wakes a thread that nobody wants parked.
    UnparkWakesAnyway,
}

/// What the scheduler thinks of the thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Sched {
    Runnable,
    Blocked,
    /// Blocked, and only start, unpark and stop wake it.
    Parked,
}

/// Where the thread is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum At {
    /// Not switched to yet.
    New,
    Begin,
    ParkMark,
    ParkLook,
    ParkSleep,
    BodyCheck,
    BodyMark,
    BodyTest,
    BodySleep,
    Exit,
    Over,
}

/// How far an owner is with what it does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Owner {
    script: Vec<Op>,
    at: usize,
    /// 0 and 1: change and wake, in some order; 2: wait.
    stage: u8,
    /// Whether it wakes a thread that sleeps for nothing less.
    wakes_parked: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Machine {
    word: State,
    sched: Sched,
    thread: At,
    owners: [Owner; 2],
    /// Whether the function may return by itself.
    ends: bool,
    two_parkers: bool,
    pub(crate) ran: bool,
    pub(crate) refused_busy: bool,
}

impl Machine {
    pub(crate) fn new(first: &[Op], second: &[Op], ends: bool) -> Self {
        let owner = |script: &[Op]| Owner {
            script: script.to_vec(),
            at: 0,
            stage: 0,
            wakes_parked: false,
        };
        Self {
            word: State::CREATED,
            sched: Sched::Parked,
            thread: At::New,
            owners: [owner(first), owner(second)],
            ends,
            two_parkers: false,
            ran: false,
            refused_busy: false,
        }
    }

    /// Lets both owners park: between the two a thread that was just parked may be woken once.
    pub(crate) fn with_two_parkers(self) -> Self {
        Self {
            two_parkers: true,
            ..self
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.thread == At::Over
    }

    /// Says what is wrong, if anything; `stuck` tells that nobody can take a step.
    pub(crate) fn violation(&self, stuck: bool) -> Option<&'static str> {
        let stands = matches!(self.thread, At::ParkSleep) && self.sched == Sched::Parked;
        if self.word.is_parked() && !stands && !self.two_parkers {
            return Some("a parked thread was woken by somebody else than unpark or stop");
        }
        let owners_wait = self
            .owners
            .iter()
            .any(|owner| owner.at < owner.script.len());
        if stuck && owners_wait {
            return Some("somebody waits for ever");
        }
        let unheard = self.word.should_stop() && self.thread != At::Over;
        (stuck && unheard).then_some("a wish was slept through")
    }

    /// Returns every state that one step of `who` leads to.
    pub(crate) fn steps(self, who: Who, broken: Broken) -> Vec<Self> {
        match who {
            Who::Thread => self.thread_steps(broken),
            Who::First => self.owner_step(0, broken).into_iter().collect(),
            Who::Second => self.owner_step(1, broken).into_iter().collect(),
        }
    }

    fn thread_steps(mut self, broken: Broken) -> Vec<Self> {
        let asleep = matches!(self.thread, At::New | At::ParkSleep | At::BodySleep);
        if asleep && self.sched != Sched::Runnable {
            return vec![];
        }
        match self.thread {
            At::New => self.thread = At::Begin,
            At::Begin => {
                let (word, begin) = self.word.begin();
                self.word = word;
                self.thread = match begin {
                    Begin::Run => park_begins(broken),
                    Begin::NeverRun => At::Exit,
                };
            }
            At::ParkMark => {
                self.sched = Sched::Parked;
                self.thread = match broken {
                    Broken::ParkLooksFirst => At::ParkSleep,
                    _ => At::ParkLook,
                };
            }
            At::ParkLook => {
                let (word, step) = self.word.park_step();
                self.word = word;
                self.thread = match (step, broken) {
                    (ParkStep::Sleep, Broken::ParkLooksFirst) => At::ParkMark,
                    (ParkStep::Sleep, _) => At::ParkSleep,
                    (ParkStep::GoOn, _) => {
                        self.sched = Sched::Runnable;
                        At::BodyCheck
                    }
                };
            }
            At::ParkSleep => self.thread = park_begins(broken),
            At::BodyCheck => return self.body_check(broken),
            At::BodyMark => {
                self.sched = Sched::Blocked;
                self.thread = match broken {
                    Broken::BodyLooksFirst => At::BodySleep,
                    _ => At::BodyTest,
                };
            }
            At::BodyTest if self.word.is_called() => {
                self.sched = Sched::Runnable;
                self.thread = At::BodyCheck;
            }
            At::BodyTest => self.thread = At::BodySleep,
            At::BodySleep => self.thread = At::BodyCheck,
            At::Exit => {
                self.word = self.word.exit();
                self.thread = At::Over;
            }
            At::Over => return vec![],
        }
        vec![self]
    }

    fn body_check(mut self, _: Broken) -> Vec<Self> {
        self.ran = true;
        let mut next = Vec::new();
        if self.ends {
            next.push(Self {
                thread: At::Exit,
                ..self.clone()
            });
        }
        self.thread = if self.word.should_stop() {
            At::Exit
        } else if self.word.should_park() {
            At::ParkMark
        } else {
            At::BodyMark
        };
        next.push(self);
        next
    }

    fn owner_step(mut self, number: usize, broken: Broken) -> Option<Self> {
        let owner = &self.owners[number];
        let op = *owner.script.get(owner.at)?;
        let first_wakes = broken == Broken::OwnerWakesFirst;
        match (owner.stage, first_wakes) {
            (0, false) | (1, true) => {
                if !self.change(number, op, broken) {
                    self.finish(number);
                    return Some(self);
                }
            }
            (0, true) | (1, false) => self.wake(number, op, broken),
            _ => {
                if self.waits(op) {
                    return None;
                }
                self.finish(number);
                return Some(self);
            }
        }
        self.owners[number].stage += 1;
        Some(self)
    }

    fn finish(&mut self, number: usize) {
        let owner = &mut self.owners[number];
        (owner.at, owner.stage) = (owner.at + 1, 0);
    }

    /// Changes the word; returns whether there is anything left to do.
    fn change(&mut self, number: usize, op: Op, broken: Broken) -> bool {
        let before = self.word;
        self.owners[number].wakes_parked = match op {
            Op::Start => {
                let (word, First(first)) = before.start();
                self.word = word;
                first
            }
            Op::Stop => {
                self.word = before.stop();
                if broken == Broken::StopKeepsPark {
                    self.word = State::from_bits(self.word.bits() | before.bits());
                }
                true
            }
            Op::Unpark => match before.unpark() {
                Some(word) => {
                    self.word = word;
                    if broken == Broken::UnparkKeepsParked {
                        self.word = State::from_bits(before.bits() & !park_bit());
                    }
                    true
                }
                None => broken == Broken::UnparkWakesAnyway,
            },
            Op::Park => match before.park() {
                Ok((word, First(first))) => {
                    self.word = word;
                    first
                }
                Err(why) => {
                    self.refused_busy |= why == ParkRefused::Busy;
                    return false;
                }
            },
            Op::Stray => false,
        };
        true
    }

    fn wake(&mut self, number: usize, op: Op, broken: Broken) {
        let before_the_change = broken == Broken::OwnerWakesFirst && op != Op::Stray;
        let parked = self.owners[number].wakes_parked || before_the_change;
        match self.sched {
            Sched::Parked if parked || broken == Broken::StrayWakesParked => {
                self.sched = Sched::Runnable;
            }
            Sched::Blocked if op != Op::Unpark => self.sched = Sched::Runnable,
            _ => {}
        }
    }

    fn waits(&self, op: Op) -> bool {
        match op {
            Op::Stop => !self.word.has_exited(),
            Op::Park => self.word.park_answer().is_none(),
            _ => false,
        }
    }
}

/// The bit of the wish alone.
fn park_bit() -> u8 {
    let (parks, _) = State::CREATED.park().expect("nobody else wants anything");
    let (starts, _) = State::CREATED.start();
    parks.bits() & !starts.bits()
}

fn park_begins(broken: Broken) -> At {
    match broken {
        Broken::ParkLooksFirst => At::ParkLook,
        _ => At::ParkMark,
    }
}
