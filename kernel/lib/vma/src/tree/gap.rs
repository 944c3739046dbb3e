//! The highest free place that is wide enough.

use core::ops::ControlFlow;

use addr::Page;

use super::Tree;
use super::node::Node;
use super::span::{Span, Spanned};

/// What is looked for, and where.
struct Search {
    pages: u64,
    floor: Page,
    ceiling: Page,
    /// Where a mapping must end, if it goes right above what is looked at next.
    top: Page,
}

/// Ends the search with what was found, which may be nothing.
type Found = ControlFlow<Option<Page>>;

impl<B> Tree<B> {
    /// Returns where `pages` free pages begin that end at or below `ceiling` as high as
    /// possible, and begin at or above `floor`.
    pub(crate) fn find_gap(&self, pages: u64, floor: Page, ceiling: Page) -> Option<Page> {
        let mut search = Search {
            pages,
            floor,
            ceiling,
            top: ceiling,
        };
        if let Some(root) = &self.root
            && let ControlFlow::Break(found) = root.search(&mut search)
        {
            return found;
        }
        search.place_above(floor)
    }
}

impl<B> Node<B> {
    /// Goes through everything below, from above.
    fn search(&self, search: &mut Search) -> Found {
        self.visited();
        match self {
            Self::Leaf(vmas) => {
                let mut vmas = vmas.items().iter().rev();
                vmas.try_for_each(|vma| search.pass(vma.span(), |_| Found::Continue(())))
            }
            Self::Inner(children) => {
                let mut children = children.items().iter().rev();
                children.try_for_each(|child| {
                    search.pass(child.span(), |search| child.node.search(search))
                })
            }
        }
    }
}

impl Search {
    /// Looks at the gap above `span`, then `inside` if that may help, and goes on below.
    fn pass(&mut self, span: Span, inside: impl FnOnce(&mut Self) -> Found) -> Found {
        if let Some(place) = self.place_above(span.end) {
            return Found::Break(Some(place));
        }
        if span.end <= self.floor {
            return Found::Break(None);
        }
        if self.pages <= span.gap && span.start < self.ceiling {
            inside(self)?;
        }
        self.top = span.start.min(self.ceiling);
        Found::Continue(())
    }

    /// Returns the place below `top`, if it lies above `end`.
    fn place_above(&self, end: Page) -> Option<Page> {
        let start = self.top.checked_sub(self.pages)?;
        (end.max(self.floor) <= start).then_some(start)
    }
}
