//! The kernel command line.

use bootinfo::CommandLine;
use bootinfo::command_line::{Borrowing, FailAlloc, LargePages, MAX_LEN, Problem};
use proptest::prelude::*;

fn parse(text: &str) -> CommandLine {
    CommandLine::parse(text.as_bytes())
}

#[test]
fn every_known_key_is_understood() {
    let line = parse("init=/bin/sh loglevel=debug test=cow trace=mm,fault lazy=eager timeout=30");
    assert_eq!(line.init.as_deref(), Some("/bin/sh"));
    assert_eq!(line.loglevel, Some(4));
    assert_eq!(line.test.as_deref(), Some("cow"));
    assert_eq!(line.trace, ["mm", "fault"]);
    assert_eq!(line.borrowing, Borrowing::Eager);
    assert_eq!(parse("lazy=shoot").borrowing, Borrowing::Shot);
    assert_eq!(line.timeout, Some(30));
    assert_eq!(line.problems(), []);
}

#[test]
fn an_allocation_that_fails_has_a_number_and_perhaps_a_place() {
    let failing = |text| {
        let line = parse(text);
        (line.fail_alloc.clone(), line.problems().len())
    };
    let wanted = |nth, site: Option<&str>| FailAlloc {
        nth,
        site: site.map(String::from),
    };
    assert_eq!(failing("failalloc=7"), (Some(wanted(7, None)), 0));
    assert_eq!(
        failing("failalloc=1,page_table"),
        (Some(wanted(1, Some("page_table"))), 0)
    );
    for bad in [
        "failalloc=0",
        "failalloc=",
        "failalloc=x,heap",
        "failalloc=-1",
    ] {
        assert_eq!(failing(bad), (None, 1), "{bad}");
    }
}

#[test]
fn an_empty_line_says_nothing() {
    assert_eq!(parse(""), CommandLine::default());
    assert_eq!(parse(" \t\r\n "), CommandLine::default());
}

#[test]
fn levels_are_numbers_or_names() {
    let level = |value: &str| parse(&format!("loglevel={value}")).loglevel;
    let names = ["error", "warn", "info", "debug", "trace"];
    for (number, name) in (1..).zip(names) {
        assert_eq!(level(name), Some(number));
        assert_eq!(level(&number.to_string()), Some(number));
    }
    for bad in ["0", "6", "-1", "256", "Info", ""] {
        assert_eq!(level(bad), None, "{bad}");
    }
}

#[test]
fn the_last_setting_of_a_key_counts() {
    let line = parse("init=/a init=/b init");
    assert_eq!(line.init.as_deref(), Some("/b"));
}

#[test]
fn everything_after_two_dashes_is_for_init() {
    let line = parse("init=/sh -- -c \"echo hi there\" -- loglevel=9 a=b");
    assert_eq!(
        line.init_args,
        ["-c", "echo hi there", "--", "loglevel=9", "a=b"]
    );
    assert_eq!(line.loglevel, None);
    assert_eq!(line.problems(), []);
}

#[test]
fn quotes_keep_white_space_and_may_be_empty() {
    let line = parse(r#"init="/my program" test="" -- "" a"b c"d"#);
    assert_eq!(line.init.as_deref(), Some("/my program"));
    assert_eq!(line.test.as_deref(), Some(""));
    assert_eq!(line.init_args, ["", "ab cd"]);
}

#[test]
fn an_open_quote_ends_at_the_end_and_is_reported() {
    let line = parse(r#"test="a b"#);
    assert_eq!(line.test.as_deref(), Some("a b"));
    assert_eq!(line.problems(), [Problem::OpenQuote]);
}

#[test]
fn flags_and_settings_of_any_key_can_be_asked_for() {
    let line = parse("quiet speed=7 speed");
    assert!(line.has("quiet") && line.has("speed") && !line.has("qui"));
    assert_eq!(line.get("speed"), Some("7"));
    assert_eq!(line.get("quiet"), None);
}

#[test]
fn addresses_are_the_same_only_if_that_is_asked_for() {
    let line = parse("nopcid nox2apic -- noinvpcid");
    assert_eq!(
        (line.no_pcid, line.no_invpcid, line.no_x2apic),
        (true, false, true)
    );
    assert!(parse("noinvpcid").no_invpcid);
    assert!(!parse("init=/sh -- norandmaps").same_addresses);
    let line = parse("norandmaps init=/sh");
    assert!(line.same_addresses);
    assert_eq!(line.problems(), []);
}

#[test]
fn large_pages_are_asked_for_by_the_names_of_their_modes() {
    assert_eq!(parse("init=/sh").large_pages, None);
    let modes = [
        ("always", LargePages::Always),
        ("madvise", LargePages::Advised),
        ("never", LargePages::Never),
    ];
    for (name, mode) in modes {
        let line = parse(&format!("thp={name}"));
        assert_eq!(line.large_pages, Some(mode));
        assert_eq!(line.problems(), []);
    }
    let line = parse("thp=often");
    assert_eq!((line.large_pages, line.problems().len()), (None, 1));
}

#[test]
fn unknown_keys_are_listed() {
    let line = parse("root=/dev/sda init=/a quiet");
    assert_eq!(line.unknown().collect::<Vec<_>>(), ["root", "quiet"]);
    assert_eq!(line.problems()[0].to_string(), "unknown key `root`");
}

#[test]
fn a_value_that_does_not_suit_its_key_is_reported_and_left_out() {
    let line = parse("timeout=soon lazy=perhaps");
    assert_eq!((line.timeout, line.borrowing), (None, Borrowing::Counted));
    let said: Vec<String> = line.problems().iter().map(Problem::to_string).collect();
    assert_eq!(
        said,
        ["`timeout` cannot be `soon`", "`lazy` cannot be `perhaps`"]
    );
}

#[test]
fn a_line_that_is_too_long_is_cut_off_and_says_so() {
    let line = parse(&format!("init=/a {} init=/b", "x".repeat(MAX_LEN)));
    assert!(line.truncated());
    assert_eq!(line.init.as_deref(), Some("/a"));
    assert!(!parse(&" ".repeat(MAX_LEN)).truncated());
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_and_reported() {
    let line = CommandLine::parse(b"test=\xff\xfe init=/a");
    assert!(line.lossy());
    assert_eq!(line.test.as_deref(), Some("\u{fffd}\u{fffd}"));
    assert_eq!(line.init.as_deref(), Some("/a"));
}

#[test]
fn the_line_ends_at_the_first_nul() {
    let line = CommandLine::parse(b"init=/a\0 init=/b");
    assert_eq!(line.init.as_deref(), Some("/a"));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        CommandLine::parse(&bytes);
    }

    #[test]
    fn any_text_of_awkward_characters_is_read(text in r#"[ "=\-a,\t\x00é]{0,60}"#) {
        CommandLine::parse(text.as_bytes());
    }

    #[test]
    fn quoted_arguments_reach_init_unchanged(
        args in prop::collection::vec("[^\"\0]{0,12}", 0..8),
    ) {
        let quoted: Vec<String> = args.iter().map(|arg| format!("\"{arg}\"")).collect();
        let line = parse(&format!("init=/i -- {}", quoted.join(" ")));
        prop_assert_eq!(line.init_args, args);
    }
}
