//! Things by number, equal ones by the same number.
//!
//! Rules
//! 1. A lookup borrows: nothing is allocated for a thing that is there already.
//! 2. Numbers of things that were collected are handed out again, so memory follows what is alive.
//! 3. What is pinned is alive: a step names it. Only `unpin` ends that.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::mem;

use hashbrown::{HashSet, HashTable};
use rustc_hash::FxBuildHasher;

/// What a thing holds beside itself.
pub trait Heap {
    /// Bytes.
    fn heap(&self) -> usize {
        0
    }
}

impl Heap for i64 {}
impl Heap for (u32, u32, i64) {}
impl Heap for (u32, Option<i64>) {}

impl<T> Heap for Box<[T]> {
    fn heap(&self) -> usize {
        size_of_val::<[T]>(self)
    }
}

/// Numbers marked by whoever collects.
#[derive(Default)]
pub struct Marks(Vec<bool>);

impl Marks {
    /// For the numbers below `count`.
    pub fn new(count: usize) -> Self {
        Marks(vec![false; count])
    }

    /// Marks it; was it new?
    pub fn add(&mut self, number: u32) -> bool {
        self.0
            .get_mut(number as usize)
            .is_some_and(|mark| !mem::replace(mark, true))
    }

    /// Is it marked?
    pub fn has(&self, number: u32) -> bool {
        self.0.get(number as usize).copied().unwrap_or(false)
    }
}

/// Room from the start: most keys are small, and growing costs more than they do.
const SOME: usize = 50;

/// The pins of the things that steps name.
pub struct Pins(HashSet<u32, FxBuildHasher>);

impl Default for Pins {
    fn default() -> Self {
        Pins(HashSet::with_capacity_and_hasher(SOME, FxBuildHasher))
    }
}

impl Pins {
    /// A step names it.
    pub fn add(&mut self, number: u32) {
        self.0.insert(number);
    }

    /// From now on only these are named.
    pub fn only(&mut self, numbers: impl Iterator<Item = u32>) {
        self.0 = numbers.collect();
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        5 * self.0.capacity()
    }
}

/// See the head of this file.
pub struct Interner<T> {
    items: Vec<T>,
    index: HashTable<u32>,
    vacant: Vec<u32>,
    pins: Pins,
    heap: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner {
            items: Vec::with_capacity(SOME),
            index: HashTable::with_capacity(SOME),
            vacant: Vec::new(),
            pins: Pins::default(),
            heap: 0,
        }
    }
}

fn hash<Q: Hash + ?Sized>(key: &Q) -> u64 {
    FxBuildHasher.hash_one(key)
}

impl<T: Hash + Heap + Default> Interner<T> {
    /// The thing of a number that was handed out and not collected.
    pub fn get(&self, number: u32) -> &T {
        &self.items[number as usize]
    }

    /// The number of a thing; `make` gives it to keep.
    pub fn intern<Q>(&mut self, key: &Q, make: impl FnOnce(&Q) -> T) -> u32
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (items, hashed) = (&self.items, hash(key));
        if let Some(&number) = self
            .index
            .find(hashed, |&n| items[n as usize].borrow() == key)
        {
            return number;
        }
        let item = make(key);
        self.heap += item.heap();
        let number = if let Some(number) = self.vacant.pop() {
            self.items[number as usize] = item;
            number
        } else {
            self.items.push(item);
            number_of(self.items.len() - 1)
        };
        let items = &self.items;
        self.index
            .insert_unique(hashed, number, |&n| hash(items[n as usize].borrow()));
        number
    }

    /// Keeps a thing alive, since a step names it. Returns its number.
    pub fn pin(&mut self, number: u32) -> u32 {
        self.pins.add(number);
        number
    }

    /// From now on steps name these only.
    pub fn unpin(&mut self, but: impl Iterator<Item = u32>) {
        self.pins.only(but);
    }

    /// Forgets what is neither among these nor pinned.
    pub fn collect(&mut self, live: impl Iterator<Item = u32>) {
        let mut marks = Marks::new(self.items.len());
        for number in live.chain(self.pins.iter()) {
            marks.add(number);
        }
        let (items, vacant, heap) = (&mut self.items, &mut self.vacant, &mut self.heap);
        self.index.retain(|&mut number| {
            let alive = marks.has(number);
            if !alive {
                *heap -= mem::take(&mut items[number as usize]).heap();
                vacant.push(number);
            }
            alive
        });
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let own = self.items.capacity() * size_of::<T>();
        own + self.heap + 5 * self.index.capacity() + 4 * self.vacant.capacity() + self.pins.held()
    }
}

/// A position as a number: 2^32 things would take more memory than any limit grants.
pub fn number_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(interner: &mut Interner<Box<[i64]>>, key: &[i64]) -> u32 {
        interner.intern(key, |key| key.into())
    }

    #[test]
    fn equal_things_have_one_number() {
        let mut interner = Interner::default();
        let one = intern(&mut interner, &[1, 2]);
        let other = intern(&mut interner, &[2, 1]);

        assert_ne!(one, other);
        assert_eq!(one, intern(&mut interner, &[1, 2]));
        assert_eq!(&[2, 1], &**interner.get(other));
    }

    #[test]
    fn memory_follows_what_is_alive() {
        let mut interner = Interner::default();
        for round in 0..1000 {
            for n in 0..10 {
                intern(&mut interner, &[round, n]);
            }
            let live = [intern(&mut interner, &[round, 3])];
            interner.collect(live.into_iter());
            assert_eq!(&[round, 3], &**interner.get(live[0]));
        }

        assert!(interner.items.len() < 30);
        assert_eq!(16, interner.heap);
    }

    #[test]
    fn what_is_pinned_stays() {
        let mut interner = Interner::default();
        let pinned = intern(&mut interner, &[7]);
        interner.pin(pinned);
        interner.collect([].into_iter());
        assert_eq!(pinned, intern(&mut interner, &[7]));

        interner.unpin([].into_iter());
        interner.collect([].into_iter());
        assert_eq!(0, interner.heap);
    }
}
