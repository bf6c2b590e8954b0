//! How configurations came about, for witnesses; nothing is kept unless one was asked for.

/// An entry of the trail; `Trail::START` has none before it.
pub type Mark = u32;

#[derive(Clone, Copy)]
struct Entry {
    before: Mark,
    call: u32,
    taken: bool,
}

/// A tree of calls in the order in which configurations linearized them or set them free.
#[derive(Default)]
pub struct Trail {
    entries: Vec<Entry>,
    kept: bool,
}

impl Trail {
    /// Before everything.
    pub const START: Mark = u32::MAX;

    /// A trail that is kept, or one that forgets everything.
    #[must_use]
    pub fn new(kept: bool) -> Self {
        Self {
            entries: Vec::new(),
            kept,
        }
    }

    /// Is anything kept?
    #[must_use]
    pub fn kept(&self) -> bool {
        self.kept
    }

    /// Adds a call after a mark: `taken` if it was linearized there, or else it became free there,
    /// which counts only if it is not linearized later.
    pub fn add(&mut self, before: Mark, call: u32, taken: bool) -> Mark {
        if !self.kept {
            return Self::START;
        }
        self.entries.push(Entry {
            before,
            call,
            taken,
        });
        u32::try_from(self.entries.len() - 1).unwrap_or(Self::START)
    }

    /// The calls in the order of their linearization, up to a mark.
    #[must_use]
    pub fn order(&self, mut mark: Mark) -> Vec<u32> {
        let mut entries = Vec::new();
        while mark != Self::START {
            let entry = self.entries[mark as usize];
            entries.push(entry);
            mark = entry.before;
        }
        entries.reverse();
        let mut placed: rustc_hash::FxHashSet<u32> = entries
            .iter()
            .filter(|entry| entry.taken)
            .map(|entry| entry.call)
            .collect();
        let first = |entry: &Entry| entry.taken || placed.insert(entry.call);
        let mut order = Vec::with_capacity(entries.len());
        order.extend(entries.into_iter().filter(first).map(|entry| entry.call));
        order
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}
