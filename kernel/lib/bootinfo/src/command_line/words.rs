//! Splitting at white space, except inside double quotes.

use alloc::string::String;
use core::iter::Peekable;
use core::str::Chars;

/// The words of a text; quotes are taken out.
pub(super) struct Words<'a> {
    chars: Peekable<Chars<'a>>,
    quoted: bool,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            chars: text.chars().peekable(),
            quoted: false,
        }
    }

    /// Says whether a quote was opened and not closed so far.
    pub(super) fn quote_is_open(&self) -> bool {
        self.quoted
    }

    /// Returns the next character of this word.
    fn next_inside(&mut self) -> Option<char> {
        loop {
            let quoted = self.quoted;
            let inside = |c: &char| quoted || !c.is_ascii_whitespace();
            match self.chars.next_if(inside)? {
                '"' => self.quoted = !self.quoted,
                other => return Some(other),
            }
        }
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        while self.chars.next_if(char::is_ascii_whitespace).is_some() {}
        // A pair of quotes with nothing inside is a word too.
        self.chars.peek()?;
        let mut word = String::new();
        while let Some(next) = self.next_inside() {
            word.push(next);
        }
        Some(word)
    }
}
