//! The vDSO: time and CPU without a system call, and the same answers.

use user::probe::{Topic, Verdict, holds, must, same};
use user::sys;
use user::vdso::{self, Function};

pub(crate) const TOPIC: Topic = Topic {
    name: "vdso",
    about: "time and CPU without a system call",
    cases: &[
        ("it_is_mapped_and_told", it_is_mapped_and_told),
        ("its_functions_have_names", its_functions_have_names),
        ("clocks_agree_with_the_kernel", clocks_agree_with_the_kernel),
        (
            "what_it_cannot_do_the_kernel_does",
            what_it_cannot_do_the_kernel_does,
        ),
        ("other_forms_agree", other_forms_agree),
        ("it_knows_the_cpu", it_knows_the_cpu),
        ("time_goes_on_across_cpus", time_goes_on_across_cpus),
    ],
};

const NAMES: [&str; 5] = [
    "__vdso_clock_gettime",
    "__vdso_gettimeofday",
    "__vdso_time",
    "__vdso_clock_getres",
    "__vdso_getcpu",
];

fn function(name: &str) -> Result<Function, String> {
    vdso::find(name).ok_or_else(|| format!("there is no {name}"))
}

fn it_is_mapped_and_told() -> Verdict {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let line = line.ok_or("no line of /proc/self/maps names it")?;
    let start = line.split('-').next().unwrap_or_default();
    same(
        "its place",
        u64::from_str_radix(start, 16),
        Ok(vdso::base()),
    )?;
    holds("read and executed", line.contains("r-xp"))
}

fn its_functions_have_names() -> Verdict {
    for name in NAMES {
        function(name)?;
    }
    holds("no others", vdso::find("__vdso_nothing").is_none())
}

fn kernel(clock: u64) -> Result<u64, String> {
    let mut time = [0_u64; 2];
    must(
        "clock_gettime",
        sys::call(libc::SYS_clock_gettime, [clock, sys::at(&mut time)]),
    )?;
    Ok(time[0] * 1_000_000_000 + time[1])
}

fn own(gettime: Function, clock: u64) -> Result<u64, String> {
    let mut time = [u64::MAX; 2];
    same("result", gettime.call(clock, sys::at(&mut time)), 0)?;
    holds("nanoseconds", time[1] < 1_000_000_000)?;
    Ok(time[0] * 1_000_000_000 + time[1])
}

fn clocks_agree_with_the_kernel() -> Verdict {
    let gettime = function(NAMES[0])?;
    for clock in [0, 1, 4, 7, 11] {
        for _ in 0..2000 {
            let (before, here, after) = (kernel(clock)?, own(gettime, clock)?, kernel(clock)?);
            holds(
                &format!("clock {clock}: {before} {here} {after}"),
                before <= here && here <= after,
            )?;
        }
    }
    Ok(())
}

fn what_it_cannot_do_the_kernel_does() -> Verdict {
    let gettime = function(NAMES[0])?;
    let mut time = [0_u64; 2];
    let invalid = -i64::from(libc::EINVAL);
    for clock in [10, 12, 99, 1 << 31] {
        same("no clock", gettime.call(clock, sys::at(&mut time)), invalid)?;
    }
    let (before, here) = (kernel(3)?, own(gettime, 3)?);
    holds("CPU time", before <= here && here <= kernel(3)?)?;
    let getres = function(NAMES[3])?;
    same("resolution", getres.call(1, sys::at(&mut time)), 0)?;
    same("of a nanosecond", time, [0, 1])
}

fn other_forms_agree() -> Verdict {
    let (of_day, seconds) = (function(NAMES[1])?, function(NAMES[2])?);
    for _ in 0..1000 {
        let before = kernel(0)?;
        let mut value = [0_u64; 2];
        let mut zone = [7_u32; 2];
        same(
            "result",
            of_day.call(sys::at(&mut value), sys::at(&mut zone)),
            0,
        )?;
        let after = kernel(0)?;
        let micros = value[0] * 1_000_000 + value[1];
        holds(
            "in between",
            before / 1000 <= micros && micros <= after / 1000,
        )?;
        same("Greenwich", zone, [0, 0])?;
    }
    same("nothing asked", of_day.call(0, 0), 0)?;
    let mut stored = [0_i64];
    let now = seconds.call(sys::at(&mut stored), 0);
    same("stored as well", stored[0], now)?;
    holds("seconds", now.unsigned_abs() <= kernel(0)? / 1_000_000_000)
}

fn cpus() -> Result<Vec<u64>, String> {
    let mut mask = [0_u64; 16];
    must(
        "affinity",
        sys::call(libc::SYS_sched_getaffinity, [0, 128, sys::at(&mut mask)]),
    )?;
    Ok((0..64).filter(|cpu| mask[0] & 1 << cpu != 0).collect())
}

fn go_to(cpu: u64) -> Verdict {
    let mut mask = [1_u64 << cpu];
    let args = [0, 8, sys::at(&mut mask)];
    must("affinity", sys::call(libc::SYS_sched_setaffinity, args)).map(|_| ())
}

fn it_knows_the_cpu() -> Verdict {
    let getcpu = function(NAMES[4])?;
    for cpu in cpus()? {
        go_to(cpu)?;
        let (mut here, mut node) = ([99_u32], [99_u32]);
        same(
            "result",
            getcpu.call(sys::at(&mut here), sys::at(&mut node)),
            0,
        )?;
        same("the CPU", here[0], cpu as u32)?;
        let mut told = [99_u32, 99];
        let args = [sys::at(&mut told), sys::at(&mut told) + 4, 0];
        must("getcpu", sys::call(libc::SYS_getcpu, args))?;
        same("as the kernel says", [here[0], node[0]], told)?;
    }
    same("nothing asked", getcpu.call(0, 0), 0)
}

fn time_goes_on_across_cpus() -> Verdict {
    let gettime = function(NAMES[0])?;
    let cpus = cpus()?;
    let mut last = own(gettime, 1)?;
    for turn in 0..200 {
        go_to(cpus[turn % cpus.len()])?;
        let now = own(gettime, 1)?;
        holds("forwards", now >= last)?;
        last = now;
    }
    Ok(())
}
