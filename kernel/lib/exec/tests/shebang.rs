//! The first line of a script (EX-4).

use exec::shebang::{BadShebang, Shebang, parse};
use proptest::prelude::*;

fn script<'a>(
    interpreter: &'a str,
    argument: Option<&'a str>,
) -> Option<Result<Shebang<'a>, BadShebang>> {
    Some(Ok(Shebang {
        interpreter: interpreter.as_bytes(),
        argument: argument.map(str::as_bytes),
    }))
}

#[test]
fn a_script_names_its_interpreter_and_at_most_one_argument() {
    assert_eq!(parse(b"#!/bin/sh\necho"), script("/bin/sh", None));
    assert_eq!(parse(b"#! /bin/sh -e\n"), script("/bin/sh", Some("-e")));
    assert_eq!(
        parse(b"#!\t/bin/awk -f  x \t\n"),
        script("/bin/awk", Some("-f  x"))
    );
    assert_eq!(parse(b"#!/bin/sh"), script("/bin/sh", None));
}

#[test]
fn other_files_are_no_scripts() {
    assert_eq!(parse(b""), None);
    assert_eq!(parse(b"#"), None);
    assert_eq!(parse(b"\x7fELF"), None);
    assert_eq!(parse(b" #!/bin/sh\n"), None);
}

#[test]
fn a_script_without_an_interpreter_is_refused() {
    assert_eq!(parse(b"#!"), Some(Err(BadShebang)));
    assert_eq!(parse(b"#!\n/bin/sh"), Some(Err(BadShebang)));
    assert_eq!(parse(b"#!  \t \n"), Some(Err(BadShebang)));
}

#[test]
fn only_256_bytes_of_the_line_are_seen() {
    let long_name = format!("#!/{}\n", "x".repeat(300));
    assert_eq!(parse(long_name.as_bytes()), Some(Err(BadShebang)));
    let long_argument = format!("#!/bin/sh {}\n", "x".repeat(300));
    let argument = "x".repeat(256 - "#!/bin/sh ".len());
    assert_eq!(
        parse(long_argument.as_bytes()),
        script("/bin/sh", Some(&argument))
    );
}

proptest! {
    #[test]
    fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&[b"#!", &line[..]].concat());
    }
}
