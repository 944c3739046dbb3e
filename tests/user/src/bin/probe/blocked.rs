//! Processes blocked at different depths of the kernel, woken in any order: each needs a kernel stack of its own (003-3).

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, must, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "blocked",
    about: "many processes wait inside the kernel and return their own values",
    cases: &[
        ("readers_woken_backwards", || {
            readers((0..READERS).rev().collect())
        }),
        ("readers_woken_crosswise", || {
            readers((0..READERS).map(|at| at * 7 % READERS).collect())
        }),
        ("sleepers", sleepers),
        ("waiters_on_waiters", waiters_on_waiters),
        ("writers_on_full_pipes", writers_on_full_pipes),
        ("mixed_depths", mixed_depths),
    ],
};

const READERS: usize = 24;

/// What kind of waiting a process does.
#[derive(Clone, Copy)]
enum Depth {
    Read,
    ReadVector,
    Poll,
    WaitForReader,
}

/// Starts a process that blocks in the kernel until a byte comes, and exits with that byte.
fn blocked(depth: Depth, reader: i32) -> Result<i32, String> {
    must("fork", child::start(move || wait_for_byte(depth, reader)))
}

fn wait_for_byte(depth: Depth, reader: i32) -> i32 {
    let mut byte = [0_u8];
    match depth {
        Depth::Read => {}
        Depth::ReadVector => {
            let mut vector = [sys::at(&mut byte), 1];
            let read = sys::call(libc::SYS_readv, [reader as u64, sys::at(&mut vector), 1]);
            return read.map_or(0, |_| i32::from(byte[0]));
        }
        Depth::Poll => {
            let mut asked = [reader as u64 | 1 << 32];
            let _ = sys::call(libc::SYS_poll, [sys::at(&mut asked), 1, u64::MAX]);
        }
        Depth::WaitForReader => {
            let inner = child::run(|| wait_for_byte(Depth::Read, reader));
            return match inner {
                Ok(Ended::Exited(code)) => code,
                _ => 0,
            };
        }
    }
    sys::read(reader, sys::at(&mut byte), 1).map_or(0, |_| i32::from(byte[0]))
}

fn send(writer: i32, value: u8) -> Verdict {
    let mut byte = [value];
    same("write", sys::write(writer, sys::at(&mut byte), 1), Ok(1))
}

/// Starts one blocked process per pipe and wakes them in `order`; each must come back with its own byte.
fn wake_in_order(depths: &[Depth], order: &[usize]) -> Verdict {
    let mut started = Vec::new();
    for depth in depths {
        let [reader, writer] = must("pipe", sys::pipe())?;
        started.push((blocked(*depth, reader)?, writer));
    }
    must("letting them block", sys::sleep_ms(30))?;
    for (turn, index) in order.iter().enumerate() {
        let (pid, writer) = started[*index];
        same(
            "nobody has ended early",
            sys::wait4(-1, libc::WNOHANG),
            Ok((0, 0)),
        )?;
        let value = (100 + turn) as u8;
        send(writer, value)?;
        same(
            "the one that was woken",
            must("wait", child::wait(pid))?,
            Ended::Exited(i32::from(value)),
        )?;
    }
    Ok(())
}

fn readers(order: Vec<usize>) -> Verdict {
    wake_in_order(&[Depth::Read; READERS], &order)
}

fn mixed_depths() -> Verdict {
    let kinds = [
        Depth::Read,
        Depth::ReadVector,
        Depth::Poll,
        Depth::WaitForReader,
    ];
    let depths: Vec<Depth> = kinds.into_iter().cycle().take(16).collect();
    let order: Vec<usize> = (0..16).map(|at| at * 5 % 16).collect();
    wake_in_order(&depths, &order)
}

fn sleepers() -> Verdict {
    let sleeper = |index: i32| {
        must(
            "fork",
            child::start(move || {
                let ms = (index * 37 % 100 + 10) as u64;
                sys::sleep_ms(ms).map_or(0, |_| 100 + index)
            }),
        )
    };
    let pids: Vec<i32> = (0..16).map(sleeper).collect::<Result<_, _>>()?;
    for (index, pid) in (0..).zip(pids) {
        same(
            "a sleeper",
            must("wait", child::wait(pid))?,
            Ended::Exited(100 + index),
        )?;
    }
    Ok(())
}

/// A tower of processes, each waiting for the next: the value comes up through all of them.
fn waiters_on_waiters() -> Verdict {
    fn tower(height: i32) -> i32 {
        if height == 0 {
            let _ = sys::sleep_ms(30);
            return 5;
        }
        match child::run(|| tower(height - 1)) {
            Ok(Ended::Exited(code)) => code + 1,
            _ => 0,
        }
    }
    same(
        "the tower's value",
        must("fork", child::run(|| tower(20)))?,
        Ended::Exited(25),
    )
}

fn writers_on_full_pipes() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let writer_of = |index: u8| {
        must(
            "fork",
            child::start(move || {
                let mut block = vec![index; 40_000];
                sys::write(writer, sys::at(&mut block[..]), 40_000)
                    .map_or(0, |sent| i32::from(sent == 40_000))
            }),
        )
    };
    let pids: Vec<i32> = (1..=4).map(writer_of).collect::<Result<_, _>>()?;
    must("close", sys::close(writer))?;
    let (mut room, mut counts) = ([0_u8; 1000], [0_u32; 5]);
    loop {
        let count = must("read", sys::read(reader, sys::at(&mut room), 1000))? as usize;
        if count == 0 {
            break;
        }
        room[..count]
            .iter()
            .for_each(|byte| counts[usize::from(*byte)] += 1);
    }
    same(
        "bytes of each writer",
        counts,
        [0, 40_000, 40_000, 40_000, 40_000],
    )?;
    for pid in pids {
        same(
            "a writer",
            must("wait", child::wait(pid))?,
            Ended::Exited(1),
        )?;
    }
    Ok(())
}
