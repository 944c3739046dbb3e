//! Small system calls: what they answer, what they refuse, what they leave alone (SY-2, SY-3).

use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "calls",
    about: "small calls, unknown numbers, clocks, limits",
    cases: &[
        ("unknown_numbers", unknown_numbers),
        ("number_is_32_bits", number_is_32_bits),
        ("ids_agree", ids_agree),
        ("uname_is_x86_64", uname_is_x86_64),
        ("monotonic_clock_runs", monotonic_clock_runs),
        ("sleep_is_long_enough", sleep_is_long_enough),
        ("sleep_refuses_nonsense", sleep_refuses_nonsense),
        ("real_time_is_this_century", real_time_is_this_century),
        ("random_bytes_differ", random_bytes_differ),
        ("yield_succeeds", || {
            same("sched_yield", sys::call(libc::SYS_sched_yield, []), Ok(0))
        }),
        ("file_limits", file_limits),
        ("fs_base_is_checked", fs_base_is_checked),
        ("fstat_of_standard_output", fstat_of_standard_output),
    ],
};

/// Some of these numbers the kernel has never had, some are another ABI's.
fn unknown_numbers() -> Verdict {
    for number in [
        -1,
        -4095,
        600,
        1000,
        0x7fff_ffff,
        0x4000_0001,
        i64::from(i32::MIN),
    ] {
        refused(
            &format!("call {number:#x}"),
            sys::call(number, []),
            libc::ENOSYS,
        )?;
    }
    Ok(())
}

fn number_is_32_bits() -> Verdict {
    let long = 0x7_0000_0000 | libc::SYS_getpid;
    same(
        "getpid with bits above",
        sys::call(long, []),
        Ok(sys::getpid() as u64),
    )
}

fn ids_agree() -> Verdict {
    let get = |number| sys::call(number, []);
    same("tid", get(libc::SYS_gettid), get(libc::SYS_getpid))?;
    same("uid", get(libc::SYS_getuid), get(libc::SYS_geteuid))?;
    same("gid", get(libc::SYS_getgid), get(libc::SYS_getegid))?;
    same(
        "pid, as std sees it",
        std::process::id(),
        sys::getpid() as u32,
    )
}

fn uname_is_x86_64() -> Verdict {
    let mut room = [0xff_u8; 65 * 6];
    must("uname", sys::call(libc::SYS_uname, [sys::at(&mut room)]))?;
    let field = |index: usize| {
        let bytes = &room[index * 65..][..65];
        String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
            .into_owned()
    };
    same("machine", field(4).as_str(), "x86_64")?;
    holds(
        "a release that starts with a number",
        field(2).starts_with(|first: char| first.is_ascii_digit()),
    )
}

fn monotonic_clock_runs() -> Verdict {
    let clock = || {
        let mut time = [0_u64; 2];
        let _ = sys::call(
            libc::SYS_clock_gettime,
            [libc::CLOCK_MONOTONIC as u64, sys::at(&mut time)],
        );
        time[0] * 1_000_000_000 + time[1]
    };
    let mut last = clock();
    for _ in 0..2000 {
        let now = clock();
        holds("it never goes back", now >= last)?;
        last = now;
    }
    let start = sys::now_ms();
    while sys::now_ms() < start + 20 {}
    let mut unknown = [0_u64; 2];
    refused(
        "an unknown clock",
        sys::call(libc::SYS_clock_gettime, [77, sys::at(&mut unknown)]),
        libc::EINVAL,
    )
}

fn sleep_is_long_enough() -> Verdict {
    for ms in [1, 5, 30, 100] {
        let start = sys::now_ms();
        must("nanosleep", sys::sleep_ms(ms))?;
        let slept = sys::now_ms() - start;
        holds(
            &format!("{slept} ms for {ms}"),
            slept + 1 >= ms && slept < ms + 2000,
        )?;
    }
    Ok(())
}

fn sleep_refuses_nonsense() -> Verdict {
    for mut time in [[0, 1_000_000_000], [u64::MAX, 0], [0, u64::MAX]] {
        refused(
            "nanosleep",
            sys::call(libc::SYS_nanosleep, [sys::at(&mut time), 0]),
            libc::EINVAL,
        )?;
    }
    let mut none = [0_u64; 2];
    same(
        "no time at all",
        sys::call(libc::SYS_nanosleep, [sys::at(&mut none), 0]),
        Ok(0),
    )
}

fn real_time_is_this_century() -> Verdict {
    let mut time = [0_u64; 2];
    must(
        "clock_gettime",
        sys::call(
            libc::SYS_clock_gettime,
            [libc::CLOCK_REALTIME as u64, sys::at(&mut time)],
        ),
    )?;
    holds(
        "after 2023 and before 2100",
        (1_672_531_200..4_102_444_800).contains(&time[0]) && time[1] < 1_000_000_000,
    )
}

fn random_bytes_differ() -> Verdict {
    let mut rooms = [[0_u64; 4]; 8];
    for room in &mut rooms {
        same(
            "bytes",
            sys::call(libc::SYS_getrandom, [sys::at(room), 32, 0]),
            Ok(32),
        )?;
    }
    let mut sorted = rooms.concat();
    sorted.sort_unstable();
    sorted.dedup();
    same("different words of 32", sorted.len(), 32)?;
    refused(
        "unknown flags",
        sys::call(libc::SYS_getrandom, [sys::at(&mut rooms[0]), 8, 0x80]),
        libc::EINVAL,
    )
}

fn file_limits() -> Verdict {
    let mut limit = [0_u64; 2];
    must(
        "prlimit64",
        sys::call(
            libc::SYS_prlimit64,
            [0, u64::from(libc::RLIMIT_STACK), 0, sys::at(&mut limit)],
        ),
    )?;
    same(
        "the stack's soft limit, as set at the start",
        limit[0],
        8 << 20,
    )?;
    let unknown = [0, 99, 0, sys::at(&mut limit)];
    refused(
        "an unknown limit",
        sys::call(libc::SYS_prlimit64, unknown),
        libc::EINVAL,
    )?;
    let mut upside_down = [10_u64, 5];
    let args = [
        0,
        u64::from(libc::RLIMIT_STACK),
        sys::at(&mut upside_down),
        0,
    ];
    refused(
        "soft above hard",
        sys::call(libc::SYS_prlimit64, args),
        libc::EINVAL,
    )
}

/// AB-9.
fn fs_base_is_checked() -> Verdict {
    const SET_FS: u64 = 0x1002;
    const GET_FS: u64 = 0x1003;
    let of = |code, value| sys::call(libc::SYS_arch_prctl, [code, value]);
    refused(
        "a non-canonical base",
        of(SET_FS, 0x8000_0000_0000),
        libc::EPERM,
    )?;
    refused(
        "a kernel base",
        of(SET_FS, 0xffff_8880_0000_0000),
        libc::EPERM,
    )?;
    refused("an unknown code", of(0x9999, 0), libc::EINVAL)?;
    let mut base = [0_u64];
    must("reading it", of(GET_FS, sys::at(&mut base)))?;
    holds("it is this program's", base[0] != 0)
}

fn fstat_of_standard_output() -> Verdict {
    let mut stat = [0_u8; 144];
    must("fstat", sys::call(libc::SYS_fstat, [1, sys::at(&mut stat)]))?;
    refused(
        "fstat of nothing",
        sys::call(libc::SYS_fstat, [99, sys::at(&mut stat)]),
        libc::EBADF,
    )
}
