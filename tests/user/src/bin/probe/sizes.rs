//! What `/proc` says of memory in sums: `status`, `statm` and `smaps_rollup` of a process, `meminfo`, `vmstat` and
//! `buddyinfo` of the machine.

use user::figures::{figures, in_order, keys, status_figure, text, words};
use user::map::{self, Map};
use user::probe::{Topic, Verdict, holds, must, same};
use user::{lodger, sys};

pub(crate) const TOPIC: Topic = Topic {
    name: "sizes",
    about: "status, statm, smaps_rollup and meminfo tell the truth in Linux's words",
    cases: &[
        ("rollup_is_the_sum", rollup_is_the_sum),
        ("status_words", status_words),
        ("status_sizes", status_sizes),
        ("status_signals", status_signals),
        ("most_ever", most_ever),
        ("statm_agrees", statm_agrees),
        ("machine_words", machine_words),
        ("free_blocks", free_blocks),
    ],
};

const ROLLUP: &str = "Rss Pss Pss_Dirty Pss_Anon Pss_File Pss_Shmem Shared_Clean Shared_Dirty Private_Clean \
    Private_Dirty Referenced Anonymous KSM LazyFree AnonHugePages ShmemPmdMapped FilePmdMapped Shared_Hugetlb \
    Private_Hugetlb Swap SwapPss Locked";
const STATUS: &str = "Name Umask State Tgid Ngid Pid PPid TracerPid Uid Gid FDSize Groups NStgid NSpid NSpgid NSsid \
    Kthread VmPeak VmSize VmLck VmPin VmHWM VmRSS RssAnon RssFile RssShmem VmData VmStk VmExe VmLib VmPTE VmSwap \
    HugetlbPages CoreDumping THP_enabled untag_mask Threads SigQ SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm \
    CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters Cpus_allowed Cpus_allowed_list";
const MEMINFO: &str = "MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon) \
    Inactive(anon) Active(file) Inactive(file) SwapTotal SwapFree Dirty Writeback AnonPages Mapped Shmem KReclaimable \
    Slab SReclaimable SUnreclaim KernelStack PageTables CommitLimit Committed_AS";

fn rollup_is_the_sum() -> Verdict {
    let first = text("/proc/self/smaps_rollup")?;
    same(
        "the words",
        keys(&first[first.find('\n').unwrap_or(0)..]).join(" "),
        words(ROLLUP),
    )?;
    holds(
        "its name",
        first
            .lines()
            .next()
            .is_some_and(|line| line.ends_with(" [rollup]") && line.find('[') == Some(73)),
    )?;
    let all = text("/proc/self/smaps")?;
    let second = text("/proc/self/smaps_rollup")?;
    let sum = |key: &str| {
        let lines = all.lines().filter(|line| line.starts_with(key));
        lines
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
            .sum::<u64>()
    };
    // Reading takes memory, and what it took is kept: the sum lies between the two.
    let (first, second) = (figures(first.lines()), figures(second.lines()));
    for key in ["Rss:", "Private_Dirty:", "Anonymous:"] {
        let name = key.trim_end_matches(':');
        holds(key, (first[name]..=second[name]).contains(&sum(key)))?;
    }
    holds("something is there", first["Rss"] > 100)
}

fn status_words() -> Verdict {
    let text = text("/proc/self/status")?;
    in_order(&text, STATUS)?;
    let line = |key: &str| {
        text.lines()
            .find(|line| line.starts_with(key))
            .unwrap_or("")
            .to_owned()
    };
    let pid = std::process::id();
    same("Name", line("Name:"), "Name:\tprobe".into())?;
    same("State", line("State:"), "State:\tR (running)".into())?;
    same("Pid", line("Pid:"), format!("Pid:\t{pid}"))?;
    same("Threads", line("Threads:"), "Threads:\t1".into())?;
    same("Uid", line("Uid:"), "Uid:\t0\t0\t0\t0".into())?;
    let size = line("VmSize:");
    holds(
        "the column",
        size.len() >= "VmSize:\t".len() + 8 + 3 && size.ends_with(" kB"),
    )
}

fn status_sizes() -> Verdict {
    // The first round brings in what looking needs.
    let _ = sizes_around_a_mapping()?;
    let [before, mapped, touched, unmapped] = sizes_around_a_mapping()?;
    // Reading takes some pages of its own.
    let grows = |what: &str, from: &[u64], to: &[u64], wanted: [u64; 4]| {
        for (at, key) in SIZES.iter().enumerate() {
            let grown = to[at].wrapping_sub(from[at]) as i64;
            let slack = if at == 0 || at == 3 { 0 } else { 64 };
            let is_right = grown.abs_diff(wanted[at] as i64) <= slack;
            holds(&format!("{what}: {key} grew by {grown}"), is_right)?;
        }
        Ok::<_, String>(())
    };
    grows("mapped", &before, &mapped, [4000, 0, 0, 4000])?;
    grows("touched", &mapped, &touched, [0, 2000, 2000, 0])?;
    grows("unmapped", &before, &unmapped, [0, 0, 0, 0])
}

const SIZES: [&str; 4] = ["VmSize", "VmRSS", "RssAnon", "VmData"];

fn sizes_around_a_mapping() -> Result<[Vec<u64>; 4], String> {
    let take = || -> Result<Vec<u64>, String> {
        let found = figures(text("/proc/self/status")?.lines());
        Ok(SIZES.iter().map(|key| found[*key]).collect())
    };
    let before = take()?;
    let map = must("map", Map::anon(1000, map::RW))?;
    let mapped = take()?;
    map.part(0, 500).fill(1);
    let touched = take()?;
    must("munmap", sys::munmap(map.start, map.bytes()))?;
    Ok([before, mapped, touched, take()?])
}

fn status_signals() -> Verdict {
    let mut set = 1_u64 << (libc::SIGUSR1 - 1);
    let args = [libc::SIG_BLOCK as u64, sys::at(&mut set), 0, 8];
    must("block", sys::call(libc::SYS_rt_sigprocmask, args))?;
    let pid = u64::from(std::process::id());
    must(
        "kill",
        sys::call(libc::SYS_kill, [pid, libc::SIGUSR1 as u64]),
    )?;
    let text = text("/proc/self/status")?;
    for (key, set) in [("ShdPnd", set), ("SigBlk", set), ("SigPnd", 0)] {
        holds(key, text.contains(&format!("\n{key}:\t{set:016x}\n")))?;
    }
    Ok(())
}

fn most_ever() -> Verdict {
    let map = must("map", Map::anon(1000, map::RW))?;
    map.fill(1);
    let (size, rss) = (status_figure("VmSize")?, status_figure("VmRSS")?);
    must("munmap", sys::munmap(map.start, map.bytes()))?;
    holds("VmPeak", status_figure("VmPeak")? >= size)?;
    // Linux sums up in batches.
    holds("VmHWM", status_figure("VmHWM")? + 600 >= rss)?;
    holds(
        "VmSize is less again",
        status_figure("VmSize")? <= size - 4000,
    )?;
    holds("VmRSS is less again", status_figure("VmRSS")? < rss - 3000)
}

fn statm_agrees() -> Verdict {
    let numbers = |text: String| -> Vec<u64> {
        text.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let first = numbers(text("/proc/self/statm")?);
    let status = figures(text("/proc/self/status")?.lines());
    let second = numbers(text("/proc/self/statm")?);
    same("words", first.len(), 7)?;
    for (at, pages) in [
        (0, status["VmSize"] / 4),
        (1, status["VmRSS"] / 4),
        (2, (status["RssFile"] + status["RssShmem"]) / 4),
        (5, (status["VmData"] + status["VmStk"]) / 4),
    ] {
        holds(
            &format!("number {at}"),
            (first[at]..=second[at]).contains(&pages),
        )?;
    }
    same("those that are always 0", (first[4], first[6]), (0, 0))?;
    holds("code", first[3] > 0 && first[3] * 4 == status["VmExe"])
}

fn machine_words() -> Verdict {
    let now = text("/proc/meminfo")?;
    in_order(&now, MEMINFO)?;
    let found = figures(now.lines());
    let at_most = |small: &str, large: &str| {
        holds(&format!("{small} <= {large}"), found[small] <= found[large])
    };
    at_most("MemFree", "MemTotal")?;
    at_most("MemAvailable", "MemTotal")?;
    at_most("AnonPages", "MemTotal")?;
    holds("page tables", found["PageTables"] > 0)?;
    holds(
        "the column",
        now.starts_with("MemTotal:") && now.lines().next().is_some_and(|line| line.len() == 27),
    )?;
    for word in [
        "nr_free_pages ",
        "nr_anon_pages ",
        "pgfault ",
        "pgmajfault ",
        "oom_kill ",
    ] {
        holds(
            word,
            text("/proc/vmstat")?
                .lines()
                .any(|line| line.starts_with(word)),
        )?;
    }
    Ok(())
}

/// The free blocks of all zones are the free memory, as far as that stands still.
fn free_blocks() -> Verdict {
    let blocks = text("/proc/buddyinfo")?;
    let mut pages = 0_u64;
    for line in blocks.lines() {
        holds(
            "the head",
            line.starts_with("Node 0, zone ") && line.ends_with(' '),
        )?;
        let blocks: Vec<u64> = line
            .split_whitespace()
            .skip(4)
            .filter_map(|word| word.parse().ok())
            .collect();
        same("orders", blocks.len(), 11)?;
        pages += blocks
            .iter()
            .enumerate()
            .map(|(order, blocks)| blocks << order)
            .sum::<u64>();
    }
    holds("there are some", pages > 0)?;
    let free = figures(text("/proc/meminfo")?.lines())["MemFree"] / 4;
    holds(
        "nearly MemFree",
        pages.abs_diff(free) < 64 || !lodger::here(),
    )
}
