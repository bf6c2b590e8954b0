//! How many crashed calls of each class a configuration has used.
//!
//! Rules
//! 1. A crashed call may take effect once, at any time from its invocation on. Crashed calls with
//!    equal steps can be exchanged in every linearization, so a class of them is a count.
//! 2. Of two configurations that are alike otherwise, the one that has used no more of any class
//!    covers the other: whatever the other can still use, it can.

use std::sync::Arc;

/// Counts by class, classes rising, no zeros; none if nothing was used.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Uses(Option<Arc<[(u32, u32)]>>);

impl Uses {
    fn counts(&self) -> &[(u32, u32)] {
        self.0.as_deref().unwrap_or(&[])
    }

    fn from(counts: Vec<(u32, u32)>) -> Self {
        Self((!counts.is_empty()).then(|| Arc::from(counts)))
    }

    /// How many of the class.
    #[must_use]
    pub fn of(&self, class: u32) -> u32 {
        let counts = self.counts();
        counts
            .binary_search_by_key(&class, |c| c.0)
            .map_or(0, |at| counts[at].1)
    }

    /// With one more of the class.
    #[must_use]
    pub fn plus(&self, class: u32) -> Self {
        let mut counts = self.counts().to_vec();
        match counts.binary_search_by_key(&class, |c| c.0) {
            Ok(at) => counts[at].1 += 1,
            Err(at) => counts.insert(at, (class, 1)),
        }
        Self::from(counts)
    }

    /// The same without a class; with `into_grave`, its count is added to that of class 0.
    #[must_use]
    pub fn without(&self, class: u32, into_grave: bool) -> Self {
        let counts = self.counts();
        let Ok(at) = counts.binary_search_by_key(&class, |c| c.0) else {
            return self.clone();
        };
        let mut counts = counts.to_vec();
        let (_, count) = counts.remove(at);
        if into_grave {
            match counts.first_mut() {
                Some((0, buried)) => *buried += count,
                _ => counts.insert(0, (0, count)),
            }
        }
        Self::from(counts)
    }

    /// Has it used no more than the other, of any class?
    #[inline]
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(one), Some(two)) if Arc::ptr_eq(one, two) => true,
            (Some(one), Some(_)) => one.iter().all(|&(class, count)| count <= other.of(class)),
        }
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts()
            .iter()
            .map(|&(_, count)| u64::from(count))
            .sum()
    }

    /// Bytes on the heap, of which others may hold a share.
    #[must_use]
    pub fn heap(&self) -> usize {
        if self.0.is_some() {
            16 + 8 * self.counts().len()
        } else {
            0
        }
    }
}
