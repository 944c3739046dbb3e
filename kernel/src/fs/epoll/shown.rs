//! What `/proc/PID/fdinfo` tells of an epoll.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::Core;
use crate::fs::inode::Metadata;

/// Writes a line for each file that it watches: by which descriptor, what is asked, what is told with it, and which file it is.
pub(super) fn write(core: &Core, out: &mut dyn Write) -> fmt::Result {
    let watches: Vec<_> = {
        let interests = core.interests.lock();
        let all = interests.iter();
        all.map(|(key, watch, events, data)| (key.1, watch.clone(), events, data))
            .collect()
    };
    for (fd, watch, events, data) in watches {
        if let Some(file) = watch.file.upgrade() {
            let position = file.position();
            let Metadata { ino, dev, .. } = file.file().metadata();
            write!(out, "tfd: {fd:8} events: {events:8x} data: {data:16x} ")?;
            writeln!(out, " pos:{position} ino:{ino:x} sdev:{dev:x}")?;
        }
    }
    Ok(())
}
