//! The words and strings a new program finds above its stack pointer (ES-2).
//!
//! ```text
//!   sp -> argc | argv... 0 | envp... 0 | auxv pairs | 0 0     (sp is a multiple of 16)
//!         padding | 16 random bytes | "x86_64" | padding
//!         argv strings | environment strings | execfn | 8 zero bytes   <- top
//! ```

use alloc::vec::Vec;

use crate::args::{Strings, TooBig};

/// `AT_RANDOM`: filled in with the address of the random bytes.
pub const AT_RANDOM: u64 = 25;
/// `AT_PLATFORM`: filled in with the address of the platform's name.
pub const AT_PLATFORM: u64 = 15;
/// `AT_EXECFN`: filled in with the address of the program's path.
pub const AT_EXECFN: u64 = 31;

const WORD: u64 = 8;
const ALIGN: u64 = 16;
/// Zero bytes that close the stack.
const END_MARK: u64 = 8;

/// What the stack is to say.
#[derive(Clone, Debug)]
pub struct StackArgs<'a> {
    /// Arguments; an empty list becomes one empty string, as Linux has it since 5.18.
    pub argv: &'a Strings,
    /// Environment.
    pub envp: &'a Strings,
    /// Path the program was started by.
    pub execfn: &'a [u8],
    /// Auxiliary vector without its end; values of the three keys above are filled in.
    pub auxv: &'a [(u64, u64)],
    /// For the program's canaries.
    pub random: [u8; 16],
    /// Name of the platform.
    pub platform: &'a [u8],
    /// First address above the stack, a multiple of 16.
    pub top: u64,
}

/// The top of a stack, ready to be copied to [`InitialStack::sp`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitialStack {
    /// Everything from the stack pointer to the top.
    pub bytes: Vec<u8>,
    /// The stack pointer.
    pub sp: u64,
    /// Where the argument strings begin; those of the environment follow.
    pub arg_start: u64,
    /// Where the argument strings end and the environment begins.
    pub arg_end: u64,
    /// Where the environment ends.
    pub env_end: u64,
}

/// Where the parts of the stack go.
struct Layout {
    sp: u64,
    random: u64,
    platform: u64,
    argv: u64,
    envp: u64,
    execfn: u64,
}

/// Lays out the stack, or finds that it does not fit below `top`.
pub fn build(args: &StackArgs<'_>) -> Result<InitialStack, TooBig> {
    let empty = Strings::of([&b""[..]])?;
    let argv = if args.argv.is_empty() {
        &empty
    } else {
        args.argv
    };
    let layout = Layout::new(args, argv).ok_or(TooBig)?;
    let mut writer = Writer::new(layout.sp, args.top)?;
    write_vectors(&mut writer, args, argv, &layout);
    write_strings(&mut writer, args, argv, &layout);
    Ok(InitialStack {
        bytes: writer.bytes,
        sp: layout.sp,
        arg_start: layout.argv,
        arg_end: layout.envp,
        env_end: layout.execfn,
    })
}

impl Layout {
    /// Places the parts from the top down; `None` if they do not fit.
    fn new(args: &StackArgs<'_>, argv: &Strings) -> Option<Self> {
        let execfn = args
            .top
            .checked_sub(END_MARK + args.execfn.len() as u64 + 1)?;
        let envp = execfn.checked_sub(args.envp.size() as u64)?;
        let argv_start = envp.checked_sub(argv.size() as u64)?;
        let platform = down(argv_start.checked_sub(args.platform.len() as u64 + 1)?);
        let random = platform.checked_sub(args.random.len() as u64)?;
        let words = 1 + (argv.len() + 1) + (args.envp.len() + 1) + 2 * (args.auxv.len() + 1);
        Some(Self {
            sp: down(random.checked_sub(words as u64 * WORD)?),
            random,
            platform,
            argv: argv_start,
            envp,
            execfn,
        })
    }

    fn aux_value(&self, (key, value): (u64, u64)) -> u64 {
        match key {
            AT_RANDOM => self.random,
            AT_PLATFORM => self.platform,
            AT_EXECFN => self.execfn,
            _ => value,
        }
    }
}

fn write_vectors(writer: &mut Writer, args: &StackArgs<'_>, argv: &Strings, layout: &Layout) {
    writer.word(argv.len() as u64);
    writer.pointers(layout.argv, argv);
    writer.pointers(layout.envp, args.envp);
    for pair in args.auxv {
        writer.word(pair.0);
        writer.word(layout.aux_value(*pair));
    }
    writer.word(0);
    writer.word(0);
}

fn write_strings(writer: &mut Writer, args: &StackArgs<'_>, argv: &Strings, layout: &Layout) {
    writer.pass_to(layout.random);
    writer.piece(&args.random);
    writer.string(args.platform);
    writer.pass_to(layout.argv);
    for piece in argv.pieces().chain(args.envp.pieces()) {
        writer.piece(piece);
    }
    writer.string(args.execfn);
}

/// Writes upwards from the stack pointer, over zeros.
struct Writer {
    start: u64,
    bytes: Vec<u8>,
    /// How many bytes are written or passed over.
    at: usize,
}

impl Writer {
    fn new(start: u64, top: u64) -> Result<Self, TooBig> {
        let mut bytes = Vec::new();
        let len = (top - start) as usize;
        bytes.try_reserve_exact(len).map_err(|_| TooBig)?;
        bytes.resize(len, 0);
        Ok(Self {
            start,
            bytes,
            at: 0,
        })
    }

    #[inline]
    fn word(&mut self, word: u64) {
        let place = self.bytes[self.at..].first_chunk_mut();
        *place.expect("the layout has room for every word") = word.to_le_bytes();
        self.at += WORD as usize;
    }

    fn piece(&mut self, bytes: &[u8]) {
        self.bytes[self.at..][..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Writes a string and passes over the zero at its end.
    fn string(&mut self, string: &[u8]) {
        self.piece(string);
        self.at += 1;
    }

    /// Writes the addresses of consecutive strings that begin at `start`, and a null.
    fn pointers(&mut self, start: u64, strings: &Strings) {
        let mut at = start;
        for string in strings.iter() {
            self.word(at);
            at += string.len() as u64 + 1;
        }
        self.word(0);
    }

    fn pass_to(&mut self, address: u64) {
        self.at = (address - self.start) as usize;
    }
}

const fn down(address: u64) -> u64 {
    address / ALIGN * ALIGN
}
