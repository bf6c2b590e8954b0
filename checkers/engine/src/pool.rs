//! Interned slices: each distinct one is stored once, one after the other, and has a number.
//!
//! Rules
//! 1. A slice costs its items and 13 to 19 bytes; nothing is allocated for one alone.
//! 2. Numbers count from 0 in the order of first use. Where they, or the items, pass what 32 bits
//!    hold, the pool is full and says so.
//! 3. What is forgotten (`keep`) leaves its number and its room to a slice of the same length, so a
//!    pool from which is forgotten as much as is added stays as large as it is.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};

/// A history holds more distinct values than 32 bits can number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Slices as numbers.
pub(crate) struct Pool<T> {
    items: Vec<T>,
    /// Where each slice ends in `items`; it begins where the one before ends.
    ends: Vec<u32>,
    /// Kept so that the index can grow without reading every slice again.
    hashes: Vec<u32>,
    index: HashTable<u32>,
    /// Numbers that stand for nothing, by the length of their room.
    vacant: FxHashMap<usize, Vec<u32>>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool {
            items: Vec::new(),
            ends: Vec::new(),
            hashes: Vec::new(),
            index: HashTable::new(),
            vacant: FxHashMap::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Pool<T> {
    /// The slice with that number; empty where there is none.
    pub(crate) fn get(&self, number: u32) -> &[T] {
        slice(&self.items, &self.ends, number)
    }

    /// The number of a slice, if it is held.
    pub(crate) fn find(&self, items: &[T]) -> Option<u32> {
        let hash = hash_of(items);
        self.index
            .find(spread(hash), |&number| self.holds(number, hash, items))
            .copied()
    }

    /// The number of a slice, which is held from now on.
    pub(crate) fn intern(&mut self, items: &[T], numbers_max: u32) -> Result<u32, Full> {
        let hash = hash_of(items);
        let held = self
            .index
            .find(spread(hash), |&number| self.holds(number, hash, items));
        if let Some(&number) = held {
            return Ok(number);
        }
        if let Some(number) = self.vacant.get_mut(&items.len()).and_then(Vec::pop) {
            let (start, end) = bounds(&self.ends, number);
            self.items[start..end].copy_from_slice(items);
            self.hashes[number as usize] = hash;
            self.list(number, hash);
            return Ok(number);
        }
        let number = u32::try_from(self.ends.len()).map_err(|_| Full)?;
        let end = u32::try_from(self.items.len() + items.len()).map_err(|_| Full)?;
        if number >= numbers_max {
            return Err(Full);
        }
        self.items.extend_from_slice(items);
        self.ends.push(end);
        self.hashes.push(hash);
        self.list(number, hash);
        Ok(number)
    }

    fn list(&mut self, number: u32, hash: u32) {
        let hashes = &self.hashes;
        self.index
            .insert_unique(spread(hash), number, |&n| spread(hashes[n as usize]));
    }

    /// Forgets every slice but those with such numbers.
    pub(crate) fn keep(&mut self, keep: impl Fn(u32) -> bool) {
        let Pool {
            ends,
            index,
            vacant,
            ..
        } = self;
        index.retain(|&mut number| {
            let kept = keep(number);
            if !kept {
                let (start, end) = bounds(ends, number);
                vacant.entry(end - start).or_default().push(number);
            }
            kept
        });
    }

    /// How many slices are held.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many numbers were handed out.
    pub(crate) fn numbers(&self) -> usize {
        self.ends.len()
    }

    fn holds(&self, number: u32, hash: u32, items: &[T]) -> bool {
        self.hashes[number as usize] == hash && self.get(number) == items
    }

    /// Gives back what was reserved for growth.
    pub(crate) fn shrink(&mut self) {
        self.items.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.hashes.shrink_to_fit();
        let hashes = &self.hashes;
        self.index.shrink_to_fit(|&n| spread(hashes[n as usize]));
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>()
            + (self.ends.capacity() + self.hashes.capacity()) * size_of::<u32>()
            + self.index.allocation_size()
    }
}

fn slice<'a, T>(items: &'a [T], ends: &[u32], number: u32) -> &'a [T] {
    let (start, end) = bounds(ends, number);
    &items[start..end]
}

fn bounds(ends: &[u32], number: u32) -> (usize, usize) {
    let number = number as usize;
    let start = number
        .checked_sub(1)
        .and_then(|before| ends.get(before))
        .map_or(0, |&end| end as usize);
    let end = ends.get(number).map_or(start, |&end| end as usize);
    (start, end)
}

fn hash_of<T: Hash>(items: &[T]) -> u32 {
    let hash = FxBuildHasher.hash_one(items);
    #[allow(clippy::cast_possible_truncation)] // both halves are folded in before one is dropped
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

/// The table reads the lowest and the seven highest bits of 64.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
