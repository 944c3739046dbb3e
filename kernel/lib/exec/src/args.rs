//! How much a program may be told: the limits on arguments and environment (EX-4).

/// The longest single string, with its NUL.
pub const MAX_STRING: u64 = 128 * 1024;
/// What is allowed whatever the stack limit says.
const MIN_TOTAL: u64 = 128 * 1024;
/// What is not exceeded whatever the stack limit says.
const MAX_TOTAL: u64 = 6 * 1024 * 1024;
/// Bytes of a pointer to a string.
const POINTER: u64 = 8;

/// The argument list is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooBig;

/// What is left to say of arguments and environment together.
#[derive(Clone, Debug)]
pub struct ArgBudget {
    left: u64,
}

impl ArgBudget {
    /// Starts with what a stack limit of `stack_limit` bytes allows.
    pub fn new(stack_limit: u64) -> Self {
        Self {
            left: (stack_limit / 4).clamp(MIN_TOTAL, MAX_TOTAL),
        }
    }

    /// Takes one string of `len` bytes, its NUL not counted, and its pointer.
    pub fn take(&mut self, len: u64) -> Result<(), TooBig> {
        let with_nul = len
            .checked_add(1)
            .filter(|len| *len <= MAX_STRING)
            .ok_or(TooBig)?;
        self.left = self.left.checked_sub(with_nul + POINTER).ok_or(TooBig)?;
        Ok(())
    }
}
