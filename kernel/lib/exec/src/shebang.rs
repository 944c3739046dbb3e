//! The first line of a script: `#!interpreter [one argument]`.

/// Linux looks at no more of the file than this.
const LINE_MAX: usize = 256;

/// What a script asks to be run by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shebang<'a> {
    /// Path of the interpreter.
    pub interpreter: &'a [u8],
    /// The rest of the line, as one argument.
    pub argument: Option<&'a [u8]>,
}

/// The file says `#!` and then names no interpreter that can be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadShebang;

/// Reads the first line of `head`; `None` if it is no script.
pub fn parse(head: &[u8]) -> Option<Result<Shebang<'_>, BadShebang>> {
    head.starts_with(b"#!")
        .then(|| first_line(&head[2..head.len().min(LINE_MAX)]))
}

fn first_line(text: &[u8]) -> Result<Shebang<'_>, BadShebang> {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | 0));
    let line = trim(&text[..end.unwrap_or(text.len())]);
    let split = line.iter().position(is_blank);
    // Without its end in sight the name might go on: running a prefix of it would be wrong.
    let cut_off = end.is_none() && text.len() == LINE_MAX - 2;
    if line.is_empty() || cut_off && split.is_none() {
        return Err(BadShebang);
    }
    let (interpreter, rest) = line.split_at(split.unwrap_or(line.len()));
    let argument = Some(trim(rest)).filter(|rest| !rest.is_empty());
    Ok(Shebang {
        interpreter,
        argument,
    })
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let Some((_, rest)) = text.split_first().filter(|(first, _)| is_blank(first)) {
        text = rest;
    }
    while let Some((_, rest)) = text.split_last().filter(|(last, _)| is_blank(last)) {
        text = rest;
    }
    text
}
