//! Whether a file may be moved, and what that does; the order of the checks is Linux's.

/// What a rename is to do where the new name is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The new name's file loses that name.
    Replace,
    /// Nothing is moved.
    NoReplace,
    /// The two files change places.
    Exchange,
}

/// One of the two files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Side {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a directory with names in it.
    pub is_full: bool,
    /// Whether slashes follow its name.
    pub slash: bool,
    /// Whether the directory that the other file is in lies in it, or is it.
    pub contains_other: bool,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Both names stand for one file: nothing.
    Nothing,
    /// Give the file the new name, which is free.
    Move,
    /// Give the file the new name; what had it loses it.
    Replace,
    /// Exchange the two.
    Exchange,
}

/// Why a file is not moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenameError {
    /// The new name exists and must not.
    Exists,
    /// The new name does not exist and must.
    NotFound,
    /// One of the names must be that of a directory.
    NotDirectory,
    /// A file cannot take a directory's place.
    IsDirectory,
    /// The directory in the new place has names in it.
    NotEmpty,
    /// A directory cannot be moved into itself.
    IntoItself,
    /// A directory may not be written.
    Denied,
    /// A sticky directory keeps the name for its owner.
    NotPermitted,
}

/// What the one who asks may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permitted {
    /// Take the old name away, and give the new one.
    pub names: Result<(), RenameError>,
    /// Write what is moved: a directory in another place has another `..`.
    pub contents: Result<(), RenameError>,
}

/// Decides about moving `old` to a name that `new` has; `new_slash` is about that name if it is free.
///
/// `same` says that both names stand for one file: then nothing is done, whoever asks.
pub fn plan(
    old: Side,
    new: Option<Side>,
    new_slash: bool,
    same: bool,
    mode: Mode,
    permitted: Permitted,
) -> Result<Plan, RenameError> {
    match (mode, new) {
        (Mode::NoReplace, Some(_)) => return Err(RenameError::Exists),
        (Mode::Exchange, None) => return Err(RenameError::NotFound),
        (Mode::Exchange, Some(new)) if !new.is_directory && new.slash => {
            return Err(RenameError::NotDirectory);
        }
        _ => {}
    }
    let slash_after_new = mode != Mode::Exchange && new.map_or(new_slash, |new| new.slash);
    if !old.is_directory && (old.slash || slash_after_new) {
        return Err(RenameError::NotDirectory);
    }
    if old.is_directory && old.contains_other {
        return Err(RenameError::IntoItself);
    }
    if let Some(new) = new
        && new.is_directory
        && new.contains_other
    {
        return Err(match mode {
            Mode::Exchange => RenameError::IntoItself,
            _ => RenameError::NotEmpty,
        });
    }
    if same {
        return Ok(Plan::Nothing);
    }
    permitted.names?;
    let Some(new) = new else {
        return permitted.contents.map(|()| Plan::Move);
    };
    match (old.is_directory, new.is_directory) {
        _ if mode == Mode::Exchange => permitted.contents.map(|()| Plan::Exchange),
        (true, false) => Err(RenameError::NotDirectory),
        (false, true) => Err(RenameError::IsDirectory),
        _ => {
            permitted.contents?;
            match new.is_full {
                true => Err(RenameError::NotEmpty),
                false => Ok(Plan::Replace),
            }
        }
    }
}
