//! Walks through every interleaving of two workers, a timer and three who ask, flush and cancel.

use std::collections::{HashSet, VecDeque};

use workq::{Item, Request, Target};

/// What somebody does with the work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Op {
    /// Queues it, on this list if it is free to choose.
    Queue(u32),
    Delay,
    Flush,
    Cancel,
}

/// How far somebody is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Caller {
    script: Vec<Op>,
    at: usize,
    waits: Option<Wait>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Wait {
    /// For a request, and for the runs begun since.
    Flush(Target),
    Cancel,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    item: Item,
    lists: [u8; 2],
    /// Which workers run it; and whether the run began after the last request.
    runs: [bool; 2],
    timer: bool,
    callers: Vec<Caller>,
    /// A request that was accepted and that no run or cancel has come for.
    owed: bool,
}

impl World {
    fn new(scripts: &[&[Op]]) -> Self {
        let caller = |script: &&[Op]| Caller {
            script: script.to_vec(),
            at: 0,
            waits: None,
        };
        Self {
            item: Item::new(),
            lists: [0; 2],
            runs: [false; 2],
            timer: false,
            callers: scripts.iter().map(caller).collect(),
            owed: false,
        }
    }

    fn next(&self, broken: bool) -> Vec<Self> {
        let workers = (0..2).filter_map(|pool| self.clone().work(pool));
        let callers = (0..self.callers.len()).filter_map(|who| self.clone().call(who, broken));
        let timer = self.timer.then(|| self.clone().ring());
        workers.chain(callers).chain(timer).collect()
    }

    fn work(mut self, pool: u32) -> Option<Self> {
        let at = pool as usize;
        if self.runs[at] {
            self.runs[at] = false;
            self.item.done();
            return Some(self);
        }
        self.lists[at] = self.lists[at].checked_sub(1)?;
        if self.item.take(pool) {
            self.runs[at] = true;
            self.owed = false;
        }
        Some(self)
    }

    fn ring(mut self) -> Self {
        self.timer = false;
        if let Some(answer) = self.item.ring() {
            self.enter(answer, 0);
        }
        self
    }

    fn enter(&mut self, answer: Request, free: u32) {
        match answer {
            Request::Enqueue(bound) => self.lists[bound.unwrap_or(free) as usize] += 1,
            Request::SetTimer => self.timer = true,
            Request::Already | Request::Refused => return,
        }
        self.owed = true;
    }

    fn call(mut self, who: usize, broken: bool) -> Option<Self> {
        let caller = self.callers[who].clone();
        if let Some(wait) = caller.waits {
            match wait {
                Wait::Flush(target) if !self.item.is_over(target) => return None,
                Wait::Flush(_) => {}
                Wait::Cancel if self.item.is_running() && !broken => return None,
                Wait::Cancel => {
                    assert!(broken || !self.item.is_pending(), "queued while cancelled");
                    assert!(self.runs == [false; 2], "cancelled while it runs");
                    self.item.cancel_end();
                }
            }
            self.callers[who].waits = None;
            self.callers[who].at += 1;
            return Some(self);
        }
        let wait = match *caller.script.get(caller.at)? {
            Op::Queue(free) => {
                let answer = self.item.queue();
                self.enter(answer, free);
                None
            }
            Op::Delay => {
                let answer = self.item.delay();
                self.enter(answer, 0);
                None
            }
            Op::Flush => self.item.flush().map(Wait::Flush),
            Op::Cancel => {
                if self.item.cancel_begin() {
                    // The timer is disarmed; entries in the lists stay behind.
                    (self.owed, self.timer) = (false, false);
                }
                Some(Wait::Cancel)
            }
        };
        match wait {
            Some(_) => self.callers[who].waits = wait,
            None => self.callers[who].at += 1,
        }
        Some(self)
    }

    fn check(&self, stuck: bool) {
        assert!(
            self.runs != [true; 2],
            "it runs twice at the same time: {self:?}"
        );
        if stuck {
            let all_through = self
                .callers
                .iter()
                .all(|caller| caller.at == caller.script.len());
            assert!(all_through, "somebody waits for ever: {self:?}");
            assert!(!self.owed, "a request was lost: {self:?}");
        }
    }
}

fn explore(start: World, broken: bool) -> usize {
    let mut known = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([start]);
    while let Some(world) = open.pop_front() {
        let next = world.next(broken);
        world.check(next.is_empty());
        for world in next {
            if known.insert(world.clone()) {
                open.push_back(world);
            }
        }
    }
    known.len()
}

const OPS: [Op; 5] = [Op::Queue(0), Op::Queue(1), Op::Delay, Op::Flush, Op::Cancel];

fn scripts() -> Vec<[Op; 2]> {
    let pairs = OPS
        .iter()
        .flat_map(|first| OPS.map(|second| [*first, second]));
    pairs.collect()
}

#[test]
fn every_interleaving_keeps_every_promise() {
    let mut states = 0;
    for first in scripts() {
        for second in scripts() {
            for third in OPS {
                states += explore(World::new(&[&first, &second, &[third]]), false);
            }
        }
    }
    assert!(states > 100_000, "only {states} states were visited");
}

#[test]
#[should_panic(expected = "cancelled while it runs")]
fn a_cancel_that_does_not_wait_for_the_run_is_found() {
    explore(World::new(&[&[Op::Queue(0)], &[Op::Cancel]]), true);
}

#[test]
fn a_second_request_while_one_waits_is_the_same_request() {
    let mut item = Item::new();
    assert_eq!(item.queue(), Request::Enqueue(None));
    assert_eq!(item.queue(), Request::Already);
    assert_eq!(item.delay(), Request::Already);
    assert!(item.take(0) && !item.take(1));
}

#[test]
fn work_that_is_asked_for_while_it_runs_is_run_again_by_the_same_worker() {
    let mut item = Item::new();
    item.queue();
    assert!(item.take(3));
    assert_eq!(item.queue(), Request::Enqueue(Some(3)));
    // An entry left behind in another list must not start it beside the run.
    assert!(!item.take(1));
    item.done();
    assert!(item.take(3));
}

#[test]
fn a_flush_waits_for_what_was_asked_before_and_not_for_more() {
    let mut item = Item::new();
    assert_eq!(item.flush(), None);
    item.queue();
    item.take(0);
    let first = item.flush().expect("it runs");
    item.queue();
    let second = item.flush().expect("it waits");
    item.done();
    assert!(item.is_over(first) && !item.is_over(second));
    item.take(0);
    item.done();
    assert!(item.is_over(second) && item.flush().is_none());
}

#[test]
fn a_flush_of_what_is_cancelled_ends() {
    let mut item = Item::new();
    item.delay();
    let target = item.flush().expect("it waits for its time");
    assert!(item.cancel_begin());
    assert!(item.is_over(target));
    assert_eq!(item.queue(), Request::Refused);
    item.cancel_end();
    assert_eq!(item.ring(), None);
}
