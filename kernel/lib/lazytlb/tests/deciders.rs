//! Each decision over all of its (small) inputs.

use addr::{Page, PageRange};
use lazytlb::{
    CpuTlb, FULL_FLUSH_CEILING, Flush, FlushRequest, Load, MmId, MmSwitch, Standing, enter_lazy,
    needs_ipi, plan_flush, plan_load, receive,
};

const MM: MmId = MmId::new(1);
const OTHER: MmId = MmId::new(2);

fn cpus() -> impl Iterator<Item = CpuTlb> {
    let mms = [MmId::INIT, MM, OTHER];
    let of = |loaded| {
        (0..4).flat_map(move |seen_gen| {
            [false, true].map(|lazy| CpuTlb {
                loaded,
                seen_gen,
                lazy,
            })
        })
    };
    mms.into_iter().flat_map(of)
}

fn pages(count: u64) -> PageRange {
    PageRange::from_len(Page::new(16), count).unwrap()
}

fn request(generation: u64, range: Option<PageRange>, freed_tables: bool) -> FlushRequest {
    FlushRequest {
        mm: MM,
        generation,
        range,
        freed_tables,
    }
}

#[test]
fn lz_1_each_row_of_the_table_does_what_it_says() {
    // prev has an mm, next has an mm: lazy, grabs, transfers, drops later, switches
    let table = [
        (false, false, [true, false, true, false, false]),
        (true, false, [true, true, false, false, false]),
        (false, true, [false, false, false, true, true]),
        (true, true, [false, false, false, false, true]),
    ];
    for (prev, next, expected) in table {
        let row = MmSwitch::plan(prev, next);
        let does = [
            row.enters_lazy(),
            row.grabs(),
            row.transfers(),
            row.drops_later(),
            row.switches(),
        ];
        assert_eq!(does, expected, "{row:?}");
    }
}

#[test]
fn lz_12_lz_13_only_a_lazy_cpu_on_the_same_mm_compares_generations() {
    for (cpu, next_gen) in cpus().flat_map(|cpu| (0..4).map(move |next_gen| (cpu, next_gen))) {
        let expected = match (cpu.loaded == MM, cpu.lazy, cpu.seen_gen == next_gen) {
            (false, _, _) => Load::Switch,
            (true, false, _) => Load::Keep,
            (true, true, true) => Load::LeaveLazy,
            (true, true, false) => Load::Reload,
        };
        assert_eq!(
            plan_load(&cpu, MM, next_gen),
            expected,
            "{cpu:?} {next_gen}"
        );
    }
}

#[test]
fn lz_9_on_init_mm_there_is_nothing_to_be_lazy_about() {
    for cpu in cpus() {
        assert_eq!(enter_lazy(&cpu), cpu.loaded != MmId::INIT);
    }
}

#[test]
fn tlb_2_lazy_cpus_are_passed_by_unless_tables_are_freed() {
    for cpu in cpus() {
        let is_on = cpu.loaded == MM;
        let asked = |freed| needs_ipi(&Standing::On(cpu), &request(3, None, freed));
        assert_eq!(asked(false), is_on && !cpu.lazy, "{cpu:?}");
        assert_eq!(asked(true), is_on, "{cpu:?}");
    }
}

#[test]
fn lz_15_a_cpu_that_switches_is_always_interrupted() {
    for freed in [false, true] {
        assert!(needs_ipi(&Standing::Switching, &request(1, None, freed)));
    }
}

#[test]
fn tlb_3_a_cpu_that_is_not_on_the_mm_leaves_its_mask() {
    for cpu in cpus().filter(|cpu| cpu.loaded != MM) {
        let request = request(3, Some(pages(1)), true);
        assert_eq!(receive(&cpu, &request, 3), Flush::Elsewhere);
    }
}

#[test]
fn tlb_3_a_request_for_init_mm_concerns_nobody() {
    let on_init = CpuTlb {
        loaded: MmId::INIT,
        seen_gen: 0,
        lazy: false,
    };
    let mm = MmId::INIT;
    let request = FlushRequest {
        mm,
        ..request(3, None, true)
    };
    assert_eq!(receive(&on_init, &request, 3), Flush::Nothing);
}

#[test]
fn tlb_3_a_lazy_cpu_gets_off_the_mm() {
    for cpu in cpus().filter(|cpu| cpu.loaded == MM && cpu.lazy) {
        for generation in 0..4 {
            let request = request(generation, Some(pages(1)), false);
            assert_eq!(receive(&cpu, &request, 3), Flush::LoadInit);
        }
    }
}

#[test]
fn tlb_3_a_selective_flush_goes_from_one_generation_to_the_very_next_and_newest() {
    let range = pages(1);
    for cpu in cpus().filter(|cpu| cpu.loaded == MM && !cpu.lazy) {
        for (generation, current) in (0..5).flat_map(|g| (g..6).map(move |c| (g, c))) {
            let got = receive(&cpu, &request(generation, Some(range), false), current);
            let expected = if cpu.seen_gen >= generation {
                Flush::Nothing
            } else if cpu.seen_gen + 1 == generation && generation == current {
                Flush::Pages(range)
            } else {
                Flush::All
            };
            assert_eq!(got, expected, "{cpu:?} {generation} {current}");
        }
    }
}

#[test]
fn tlb_3_a_request_for_everything_flushes_everything() {
    let cpu = CpuTlb {
        loaded: MM,
        seen_gen: 2,
        lazy: false,
    };
    assert_eq!(receive(&cpu, &request(3, None, false), 3), Flush::All);
    let long = Some(pages(FULL_FLUSH_CEILING + 1));
    assert_eq!(receive(&cpu, &request(3, long, false), 3), Flush::All);
}

#[test]
fn tlb_4_up_to_33_pages_are_flushed_one_by_one() {
    for count in 0..100 {
        let expected = match count {
            0..=33 => Flush::Pages(pages(count)),
            _ => Flush::All,
        };
        assert_eq!(plan_flush(pages(count)), expected);
    }
}
