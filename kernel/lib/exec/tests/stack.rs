//! The initial stack, word by word (ES-1 to ES-4).

use std::collections::HashMap;

use exec::args::{ArgBudget, MAX_STRING, Strings, TooBig};
use exec::stack::{AT_EXECFN, AT_PLATFORM, AT_RANDOM, InitialStack, StackArgs, build};
use proptest::prelude::*;

const TOP: u64 = 0x7fff_ffff_e000;
const AT_PAGESZ: u64 = 6;

fn strings(texts: &[&str]) -> Strings {
    Strings::of(texts.iter().map(|text| text.as_bytes())).unwrap()
}

fn args<'a>(argv: &'a Strings, envp: &'a Strings) -> StackArgs<'a> {
    StackArgs {
        argv,
        envp,
        execfn: b"/bin/sh",
        auxv: &[
            (AT_PAGESZ, 4096),
            (AT_RANDOM, 0),
            (AT_EXECFN, 0),
            (AT_PLATFORM, 0),
        ],
        random: *b"0123456789abcdef",
        platform: b"x86_64",
        top: TOP,
    }
}

/// Reads a stack as a program would.
struct Reader<'a>(&'a InitialStack);

impl Reader<'_> {
    fn word(&self, address: u64) -> u64 {
        let at = (address - self.0.sp) as usize;
        u64::from_le_bytes(self.0.bytes[at..at + 8].try_into().unwrap())
    }

    fn string(&self, address: u64) -> Vec<u8> {
        let from = &self.0.bytes[(address - self.0.sp) as usize..];
        from.iter().copied().take_while(|byte| *byte != 0).collect()
    }

    /// Reads pointers up to a null; returns their strings and the address above the null.
    fn list(&self, mut at: u64) -> (Vec<Vec<u8>>, u64) {
        let mut list = Vec::new();
        while self.word(at) != 0 {
            list.push(self.string(self.word(at)));
            at += 8;
        }
        (list, at + 8)
    }

    fn auxv(&self, mut at: u64) -> HashMap<u64, u64> {
        let mut auxv = HashMap::new();
        while self.word(at) != 0 {
            assert_eq!(auxv.insert(self.word(at), self.word(at + 8)), None);
            at += 16;
        }
        assert_eq!(self.word(at + 8), 0, "AT_NULL's value");
        auxv
    }
}

fn check(argv: &Strings, envp: &Strings) {
    let stack = build(&args(argv, envp)).unwrap();
    let reader = Reader(&stack);
    assert_eq!(stack.sp % 16, 0);
    assert_eq!(stack.sp + stack.bytes.len() as u64, TOP);
    let (found_argv, at) = reader.list(stack.sp + 8);
    assert_eq!(reader.word(stack.sp), found_argv.len() as u64, "argc");
    let (found_envp, at) = reader.list(at);
    let auxv = reader.auxv(at);
    let expected = argv.iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(
        found_argv,
        if expected.is_empty() {
            vec![vec![]]
        } else {
            expected
        }
    );
    assert_eq!(
        found_envp,
        envp.iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
    );
    assert_eq!(auxv[&AT_PAGESZ], 4096);
    assert_eq!(reader.string(auxv[&AT_EXECFN]), b"/bin/sh");
    assert_eq!(reader.string(auxv[&AT_PLATFORM]), b"x86_64");
    let random = (auxv[&AT_RANDOM] - stack.sp) as usize;
    assert_eq!(&stack.bytes[random..random + 16], b"0123456789abcdef");
}

#[test]
fn es_2_every_word_is_where_a_program_looks_for_it() {
    let argv = strings(&["sh", "-c", ""]);
    let envp = strings(&["HOME=/", "PATH=/bin"]);
    check(&argv, &envp);
    let stack = build(&args(&argv, &envp)).unwrap();
    let reader = Reader(&stack);
    // argc, 3 + null, 2 + null, 4 pairs + the closing pair.
    let argv_0 = reader.word(stack.sp + 8);
    assert_eq!(argv_0, stack.arg_start);
    assert_eq!(
        reader.word(stack.sp + 16),
        argv_0 + 3,
        "strings are consecutive"
    );
    assert_eq!(reader.word(stack.sp + 32), 0);
    assert_eq!(reader.word(stack.sp + 40), stack.arg_end);
    assert_eq!(reader.word(stack.sp + 56), 0);
    assert_eq!(reader.word(stack.sp + 64), AT_PAGESZ);
}

#[test]
fn es_2_the_stack_ends_in_execfn_and_eight_zero_bytes() {
    let stack = build(&args(&strings(&["a"]), &strings(&["B=1"]))).unwrap();
    let end = &stack.bytes[stack.bytes.len() - 22..];
    assert_eq!(end, b"a\0B=1\0/bin/sh\0\0\0\0\0\0\0\0\0");
    assert_eq!(stack.env_end, TOP - 16);
}

#[test]
fn ex_4_an_empty_argv_becomes_one_empty_string() {
    check(&Strings::new(), &Strings::new());
}

#[test]
fn a_stack_that_does_not_fit_is_refused() {
    let argv = strings(&["sh"]);
    for top in [0, 16, 144] {
        assert_eq!(
            build(&StackArgs {
                top,
                ..args(&argv, &Strings::new())
            }),
            Err(TooBig)
        );
    }
}

#[test]
fn ex_4_one_string_may_take_128_kib_with_its_nul() {
    let mut budget = ArgBudget::new(8 << 20);
    assert_eq!(budget.take(MAX_STRING - 1), Ok(()));
    assert_eq!(budget.take(MAX_STRING), Err(TooBig));
    assert_eq!(budget.take(u64::MAX), Err(TooBig));
}

#[test]
fn ex_4_the_total_follows_the_stack_limit_between_its_bounds() {
    for (stack, total) in [
        (0, 128 << 10),
        (1 << 20, 256 << 10),
        (8 << 20, 2 << 20),
        (u64::MAX, 6 << 20),
    ] {
        let mut budget = ArgBudget::new(stack);
        let taken = (0..).take_while(|_| budget.take(1015).is_ok()).count();
        assert_eq!(taken, total / 1024, "stack limit {stack}");
    }
}

proptest! {
    #[test]
    fn es_2_any_arguments_are_found_again(
        argv in prop::collection::vec(prop::collection::vec(1_u8.., 0..40), 0..20),
        envp in prop::collection::vec(prop::collection::vec(1_u8.., 0..40), 0..20),
    ) {
        let list = |strings: &Vec<Vec<u8>>| Strings::of(strings.iter().map(Vec::as_slice)).unwrap();
        check(&list(&argv), &list(&envp));
    }
}
