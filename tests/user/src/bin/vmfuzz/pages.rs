//! Single pages: reads, writes, jumps, residence, and the map of them all.

use crate::model::{Access, Back, Known, Model, PAGES, READ, WRITE};
use crate::ops::Op;
use crate::plan::{Act, EFAULT, ENOMEM, Plan, Want};

/// Plans a `mincore`.
pub(crate) fn core(model: &Model, op: &Op) -> Plan {
    let (page, count) = (op.page, op.count);
    let mut bits = 0;
    let mut known = 0;
    for (index, slot) in model.pages[page..page + count].iter().enumerate() {
        let Some(slot) = slot else {
            return vec![(Act::Core { page, count }, Want::Is(ENOMEM))];
        };
        let present = match slot.back {
            Back::Anon if !model.is_child => slot.present,
            Back::Shared(object, index) => match model.objects[object].pages.get(index) {
                Some((_, resident)) => *resident,
                None => Known::No,
            },
            _ => Known::Unsure,
        };
        bits |= u64::from(present == Known::Yes) << index;
        known |= u64::from(present != Known::Unsure) << index;
    }
    vec![(Act::Core { page, count }, Want::Bits(bits, known))]
}

/// Plans a read of a page's first and last word.
pub(crate) fn read(model: &mut Model, page: usize, by_call: bool) -> Plan {
    let raises = model.raises(page, Access::Read);
    if raises.is_none() {
        model.touch(page);
    }
    let [one, other] = match raises {
        Some(_) => [(0, 0); 2],
        None => model.words(page),
    };
    let want = |one, other| match raises {
        Some(_) if by_call => Want::Is(EFAULT),
        Some(signal) => Want::Is(signal),
        None if one == other => Want::Is(one),
        None => Want::Either(one, other),
    };
    let load = |last| Act::Load {
        page,
        last,
        by_call,
    };
    vec![
        (load(false), want(one.0, other.0)),
        (load(true), want(one.1, other.1)),
    ]
}

/// Plans a write of a page's first and last word.
pub(crate) fn write(model: &mut Model, page: usize, dice: u64) -> Plan {
    let by_call = dice & 3 == 0;
    // The lowest byte is a `ret`, so that the page may be jumped to.
    let value = (dice ^ (page as u64 * 0x0101_0101_0100)) & !0xff | 0xc3;
    let want = match model.raises(page, Access::Write) {
        Some(_) if by_call => EFAULT,
        Some(signal) => signal,
        None => 0,
    };
    if want == 0 {
        model.write(page, value);
    }
    let store = |last, value| Act::Store {
        page,
        last,
        value,
        by_call,
    };
    vec![
        (store(false, value), Want::Is(want)),
        (store(true, !value), Want::Is(want)),
    ]
}

/// Plans a jump to a page that holds a `ret`, or that may not be executed.
pub(crate) fn fetch(model: &mut Model, page: usize) -> Plan {
    let want = match model.raises(page, Access::Fetch) {
        Some(signal) => signal,
        None => {
            let [one, other] = model.words(page);
            let is_code = one.0 & 0xff == 0xc3 && other.0 & 0xff == 0xc3;
            if !is_code
                || model.pages[page]
                    .is_some_and(|page| !matches!(page.back, Back::Anon | Back::Shared(..)))
            {
                return Vec::new();
            }
            0
        }
    };
    // A fetch that is refused for the protection has found the page before.
    if model.raises(page, Access::Read).is_none() {
        model.touch(page);
    }
    vec![(Act::Fetch(page), Want::Is(want))]
}

/// Plans a look at the map: neighbours that look alike count as one.
pub(crate) fn look(model: &Model) -> (Act, Want) {
    let mut text = String::new();
    let mut at = 0;
    while at < PAGES {
        let Some(first) = model.pages[at] else {
            at += 1;
            continue;
        };
        let mut end = at + 1;
        while let Some(next) = model.pages.get(end).copied().flatten()
            && let Some(last) = model.pages[end - 1]
            && last.prot == next.prot
            && last.continues(&next)
        {
            end += 1;
        }
        let bit = |bit, letter| if first.prot & bit != 0 { letter } else { '-' };
        let (offset, name) = match first.back {
            Back::Anon => (0, "-"),
            Back::Shared(_, index) => (index as u64, "zero"),
            Back::File { page, .. } => (model.file.first + page as u64, "exe"),
        };
        let kind = if first.is_private() { 'p' } else { 's' };
        let (r, w, x) = (bit(READ, 'r'), bit(WRITE, 'w'), bit(4, 'x'));
        text += &format!("{at}-{end} {r}{w}{x}{kind} {offset} {name}; ");
        at = end;
    }
    (Act::Look, Want::Shape(text))
}
