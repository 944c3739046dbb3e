//! One seed from beginning to end: request after request, children among them.

use std::io;

use user::{child, sys};

use crate::act::{self, Hands, mix};
use crate::advice;
use crate::model::{Back, Model, PAGES};
use crate::ops::{self, Kind, Op, Random};
use crate::pages;
use crate::plan::{self, Plan, Want};

/// Is how a run is asked for.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Large pages are asked for: what counts or shows small ones is left out.
    pub(crate) large: bool,
    /// Every access goes through a system call.
    pub(crate) by_calls: bool,
    /// Only these requests.
    pub(crate) only: Option<Vec<usize>>,
    /// None of these kinds.
    pub(crate) without: Vec<String>,
    /// Each request and its answers are printed.
    pub(crate) trace: bool,
    /// Not even differences are printed.
    pub(crate) quiet: bool,
}

/// Is a run under way.
pub(crate) struct Run {
    seed: u64,
    hands: Hands,
    model: Model,
    hash: u64,
    step: usize,
    in_child: bool,
    options: Options,
    /// Whether an answer was not what the model says.
    pub(crate) differs: bool,
}

impl Run {
    /// Does a seed's requests; gives the hash of all answers and whether the model agreed.
    pub(crate) fn seed(seed: u64, steps: usize, options: Options) -> io::Result<(u64, bool)> {
        user::touch::install();
        let hands = Hands::new(seed, options.by_calls)?;
        let model = Model::new(hands.file()?);
        hands.clear();
        let mut run = Self {
            seed,
            hands,
            model,
            hash: 1,
            step: 0,
            in_child: false,
            options,
            differs: false,
        };
        for (index, op) in ops::make(seed, steps, PAGES).iter().enumerate() {
            if run
                .options
                .only
                .as_ref()
                .is_some_and(|only| !only.contains(&index))
            {
                continue;
            }
            run.step = index;
            run.request(op);
        }
        run.step = steps;
        run.verify();
        Ok((run.hash, run.differs))
    }

    fn request(&mut self, op: &Op) {
        if is_left_out(&self.options, op) {
            return;
        }
        if op.kind == Kind::Fork {
            return self.fork(op);
        }
        let plan = plan::plan(&mut self.model, op);
        self.carry_out(&plan, &format!("{op:?}"));
    }

    fn carry_out(&mut self, plan: &Plan, what: &str) {
        if self.options.trace && !plan.is_empty() {
            println!(
                "# {}step {} {what}",
                if self.in_child { "child, " } else { "" },
                self.step
            );
        }
        for (act, want) in plan {
            let by_call = |want: &Want| match want {
                Want::Is(value) if self.options.by_calls && value >> 48 == 0xfa17 => {
                    Want::Is(plan::EFAULT)
                }
                other => other.clone(),
            };
            let want = by_call(want);
            let got = self.hands.perform(act);
            let (right, folded) = act::judge(&got, &want);
            self.hash = mix(self.hash, folded.unwrap_or(0));
            if self.options.trace {
                println!("#    {act:?} -> {}", act::show(&got));
            }
            if !right && !self.differs {
                self.differs = true;
                self.tell(what, act, &act::show(&got), &want);
            }
        }
    }

    fn tell(&self, what: &str, act: &plan::Act, got: &str, want: &Want) {
        if self.options.quiet {
            return;
        }
        let want = match want {
            Want::Is(value) => act::number(*value),
            other => format!("{other:?}"),
        };
        println!(
            "# seed {} step {}{}: {what}",
            self.seed,
            self.step,
            if self.in_child { ", in a child" } else { "" }
        );
        println!("#    {act:?} gave {got}, the model says {want}");
    }

    /// Reads every page and looks at the map.
    fn verify(&mut self) {
        let plan = whole(&mut self.model);
        self.carry_out(&plan, "at last");
    }

    /// Lets a child do some requests and report, while the parent may write to its own pages first.
    fn fork(&mut self, op: &Op) {
        let nested = nested(op);
        let mut child_model = self.model.fork();
        let (Ok(go), Ok(report)) = (sys::pipe(), sys::pipe()) else {
            self.hash = mix(self.hash, 0xbad);
            return;
        };
        match sys::fork() {
            Ok(0) => self.be_child(&nested, go, report),
            Ok(pid) => {
                if op.dice & 1 == 1 {
                    self.write_own(op);
                }
                let mut byte = [1_u8];
                let _ = sys::write(go[1], sys::at(&mut byte), 1);
                let _ = sys::close(report[1]);
                let mut words = [0_u64; 2];
                let _ = sys::read(report[0], sys::at(&mut words), 16);
                let ended = child::wait(pid);
                self.hash = mix(
                    mix(self.hash, words[0]),
                    u64::from(ended == Ok(child::Ended::Exited(0))),
                );
                if self.options.trace {
                    println!(
                        "# step {} a child ended with {ended:?}, hash {:x}",
                        self.step, words[0]
                    );
                }
                self.differs |= words[1] != 0;
                if ended != Ok(child::Ended::Exited(0)) && !self.differs {
                    self.differs = true;
                    if !self.options.quiet {
                        println!(
                            "# seed {} step {}: a child ended with {ended:?}",
                            self.seed, self.step
                        );
                    }
                }
                for end in [go[0], go[1], report[0]] {
                    let _ = sys::close(end);
                }
            }
            Err(error) => self.hash = mix(self.hash, error.0 as u64),
        }
        for op in nested.iter().filter(|op| !is_left_out(&self.options, op)) {
            let _ = plan::plan(&mut child_model, op);
        }
        let _ = whole(&mut child_model);
        let count = self.model.objects.len();
        self.model
            .objects
            .clone_from_slice(&child_model.objects[..count]);
    }

    fn be_child(&mut self, nested: &[Op], go: [i32; 2], report: [i32; 2]) -> ! {
        self.model = self.model.fork();
        self.in_child = true;
        self.hash = 1;
        let mut byte = [0_u8];
        let _ = sys::read(go[0], sys::at(&mut byte), 1);
        for op in nested {
            self.request(op);
        }
        self.verify();
        let mut words = [self.hash, u64::from(self.differs)];
        let _ = sys::write(report[1], sys::at(&mut words), 16);
        std::process::exit(0)
    }

    /// Writes to some private pages while the child sleeps.
    fn write_own(&mut self, op: &Op) {
        for page in op.page..op.page + op.count {
            let is_private =
                self.model.pages[page].is_some_and(|page| !matches!(page.back, Back::Shared(..)));
            if is_private {
                let plan = pages::write(&mut self.model, page, op.dice >> 3);
                self.carry_out(&plan, "the parent writes");
            }
        }
    }
}

fn is_left_out(options: &Options, op: &Op) -> bool {
    let name = |text: String| options.without.contains(&text);
    // A call cannot jump.
    options.by_calls && op.kind == Kind::Fetch
        || options.large && matches!(op.kind, Kind::MapFile | Kind::Core)
        || name(format!("{:?}", op.kind))
        || op.kind == Kind::Advise && name(format!("Advise{}", advice::pick(op)))
}

/// Gives what a child does.
fn nested(op: &Op) -> Vec<Op> {
    let mut random = Random::new(op.dice);
    let count = random.below(6);
    let all = (0..count).map(|_| ops::one(&mut random, PAGES));
    all.filter(|op| op.kind != Kind::Fork).collect()
}

/// Reads every page and looks at the map.
fn whole(model: &mut Model) -> Plan {
    let mut plan: Plan = (0..PAGES)
        .flat_map(|page| pages::read(model, page, page % 3 == 0))
        .collect();
    plan.push(pages::look(model));
    plan
}
