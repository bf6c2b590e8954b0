//! Sets of pending calls, by the slots that they hold.
//!
//! Rule: two masks are equal exactly where the sets are, whatever widths they were made for.

use std::hash::Hash;

/// A set of slots.
pub trait Mask: Clone + Eq + Hash + Send {
    /// The empty set.
    fn none() -> Self;
    /// Does it hold the slot?
    fn has(&self, slot: u32) -> bool;
    /// Puts the slot in.
    fn insert(&mut self, slot: u32);
    /// Takes the slot out.
    fn remove(&mut self, slot: u32);
    /// Is it empty?
    fn is_none(&self) -> bool;
    /// What is in either.
    #[must_use]
    fn or(&self, other: &Self) -> Self;
    /// What is in this one and not in the other.
    #[must_use]
    fn minus(&self, other: &Self) -> Self;
    /// What is in both.
    #[must_use]
    fn and(&self, other: &Self) -> Self;
    /// How many slots it holds.
    fn count(&self) -> u32;
    /// Is everything in which the two differ, and everything in the third, within the fourth?
    fn differ_within(&self, other: &Self, third: &Self, fourth: &Self) -> bool;
    /// Bytes on the heap.
    fn heap(&self) -> usize;
    /// Takes out the lowest slot; there is none in the words before `word`, which goes along.
    fn pop(&mut self, word: &mut usize) -> Option<u32>;
    /// The slots, rising.
    fn slots(&self) -> Slots<Self> {
        Slots(self.clone(), 0)
    }
}

/// The slots of a mask, rising.
pub struct Slots<B>(B, usize);

impl<B: Mask> Iterator for Slots<B> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.0.pop(&mut self.1)
    }
}

/// Up to 64 slots: no key with fewer calls at a time pays for more.
impl Mask for u64 {
    #[inline]
    fn none() -> Self {
        0
    }
    #[inline]
    fn has(&self, slot: u32) -> bool {
        self >> slot & 1 == 1
    }
    #[inline]
    fn insert(&mut self, slot: u32) {
        *self |= 1 << slot;
    }
    #[inline]
    fn remove(&mut self, slot: u32) {
        *self &= !(1 << slot);
    }
    #[inline]
    fn is_none(&self) -> bool {
        *self == 0
    }
    #[inline]
    fn or(&self, other: &Self) -> Self {
        self | other
    }
    #[inline]
    fn minus(&self, other: &Self) -> Self {
        self & !other
    }
    #[inline]
    fn and(&self, other: &Self) -> Self {
        self & other
    }
    #[inline]
    fn count(&self) -> u32 {
        self.count_ones()
    }
    #[inline]
    fn pop(&mut self, _: &mut usize) -> Option<u32> {
        let slot = (*self != 0).then(|| self.trailing_zeros())?;
        *self &= *self - 1;
        Some(slot)
    }
    #[inline]
    fn differ_within(&self, other: &Self, third: &Self, fourth: &Self) -> bool {
        ((self ^ other) | third) & !fourth == 0
    }
    #[inline]
    fn heap(&self) -> usize {
        0
    }
}

/// Any number of slots; no word after the last one that is not zero.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Wide(Vec<u64>);

impl Wide {
    fn zip(&self, other: &Self, by: impl Fn(u64, u64) -> u64) -> Self {
        let words = self.0.len().max(other.0.len());
        let mut made: Vec<u64> = (0..words)
            .map(|w| by(self.word(w), other.word(w)))
            .collect();
        trim(&mut made);
        Self(made)
    }

    fn word(&self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }
}

impl From<u64> for Wide {
    fn from(mask: u64) -> Self {
        let mut words = vec![mask];
        trim(&mut words);
        Self(words)
    }
}

fn trim(words: &mut Vec<u64>) {
    while words.last() == Some(&0) {
        words.pop();
    }
}

impl Mask for Wide {
    fn none() -> Self {
        Self(Vec::new())
    }
    fn has(&self, slot: u32) -> bool {
        self.word(slot as usize / 64) >> (slot % 64) & 1 == 1
    }
    fn insert(&mut self, slot: u32) {
        let at = slot as usize / 64;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << (slot % 64);
    }
    fn remove(&mut self, slot: u32) {
        if let Some(word) = self.0.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
            trim(&mut self.0);
        }
    }
    fn is_none(&self) -> bool {
        self.0.is_empty()
    }
    fn or(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
    fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }
    fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
    fn pop(&mut self, word: &mut usize) -> Option<u32> {
        while let Some(bits) = self.0.get_mut(*word) {
            if *bits != 0 {
                let slot = bits.trailing_zeros();
                *bits &= *bits - 1;
                let before = u32::try_from(*word).expect("a mask has fewer slots than 2^32");
                return Some(before * 64 + slot);
            }
            *word += 1;
        }
        None
    }
    fn differ_within(&self, other: &Self, third: &Self, fourth: &Self) -> bool {
        let words = self.0.len().max(other.0.len()).max(third.0.len());
        (0..words).all(|w| ((self.word(w) ^ other.word(w)) | third.word(w)) & !fourth.word(w) == 0)
    }
    fn heap(&self) -> usize {
        self.0.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::{Mask, Wide};

    fn laws<B: Mask + std::fmt::Debug>(highest: u32) {
        let mut a = B::none();
        let mut b = B::none();
        for slot in [0, 3, highest] {
            a.insert(slot);
        }
        b.insert(3);
        assert_eq!(vec![0, 3, highest], a.slots().collect::<Vec<_>>());
        assert_eq!(vec![0, highest], a.minus(&b).slots().collect::<Vec<_>>());
        assert_eq!(b, a.and(&b));
        assert_eq!(a, a.or(&b));
        assert_eq!(3, a.count());
        a.remove(highest);
        a.remove(0);
        assert_eq!(b, a);
        a.remove(3);
        assert!(a.is_none() && a == B::none() && a.slots().next().is_none());
        assert!(b.differ_within(&a, &a, &b) && !b.differ_within(&a, &b, &a));
    }

    #[test]
    fn both_kinds_are_sets() {
        laws::<u64>(63);
        laws::<Wide>(63);
        laws::<Wide>(700);
    }
}
