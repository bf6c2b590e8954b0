//! Sets and bags of numbers that share what they have in common: binary tries, hash-consed.
//!
//! Rules
//! 1. A trie's shape follows from its content alone, and equal tries are one trie, so equality is
//!    that of the numbers however the elements came in.
//! 2. A branch splits at the highest bit in which its keys differ, so no path is longer than 32.
//! 3. What two tries share is compared by number and not looked into.
//!
//! Sources: Okasaki and Gill, Fast mergeable integer maps, 1998.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::interner::{Marks, Pins, number_of};

/// The trie of nothing.
pub const EMPTY: u32 = 0;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Empty,
    Leaf {
        key: u32,
        count: u32,
    },
    /// `prefix`: the bits of all keys above `bit`; to the left `bit` is 0.
    Branch {
        prefix: u32,
        bit: u32,
        left: u32,
        right: u32,
    },
}

/// The bits above a bit.
fn above(key: u32, bit: u32) -> u32 {
    key & !(bit | (bit - 1))
}

/// See the head of this file.
pub struct Tries {
    nodes: Vec<Node>,
    index: HashTable<u32>,
    vacant: Vec<u32>,
    pins: Pins,
}

impl Default for Tries {
    fn default() -> Self {
        let (index, vacant, pins) = (HashTable::new(), Vec::new(), Pins::default());
        Tries {
            nodes: vec![Node::Empty],
            index,
            vacant,
            pins,
        }
    }
}

impl Tries {
    fn node(&self, trie: u32) -> Node {
        self.nodes[trie as usize]
    }

    /// How many of a key.
    pub fn count(&self, mut trie: u32, wanted: u32) -> u32 {
        loop {
            match self.node(trie) {
                Node::Empty => return 0,
                Node::Leaf { key, count } => return if key == wanted { count } else { 0 },
                Node::Branch {
                    prefix,
                    bit,
                    left,
                    right,
                } => {
                    if above(wanted, bit) != prefix {
                        return 0;
                    }
                    trie = if wanted & bit == 0 { left } else { right };
                }
            }
        }
    }

    /// The trie with `count` of a key, whatever it had; 0 takes it out.
    pub fn with(&mut self, trie: u32, key: u32, count: u32) -> u32 {
        match self.node(trie) {
            Node::Empty => self.leaf(key, count),
            Node::Leaf { key: held, .. } if held == key => self.leaf(key, count),
            Node::Leaf { key: held, .. } => {
                let leaf = self.leaf(key, count);
                self.join(held, trie, key, leaf)
            }
            Node::Branch {
                prefix,
                bit,
                left,
                right,
            } => {
                if above(key, bit) != prefix {
                    let leaf = self.leaf(key, count);
                    return self.join(prefix, trie, key, leaf);
                }
                let (left, right) = if key & bit == 0 {
                    (self.with(left, key, count), right)
                } else {
                    (left, self.with(right, key, count))
                };
                match (left, right) {
                    (EMPTY, other) | (other, EMPTY) => other,
                    _ => self.intern(Node::Branch {
                        prefix,
                        bit,
                        left,
                        right,
                    }),
                }
            }
        }
    }

    /// The set of these keys, which are sorted and differ; it is pinned: a step names it.
    pub fn pin_all(&mut self, keys: &[u32]) -> u32 {
        let trie = self.of(keys);
        self.pins.add(trie);
        trie
    }

    fn of(&mut self, keys: &[u32]) -> u32 {
        match *keys {
            [] => EMPTY,
            [key] => self.leaf(key, 1),
            [first, .., last] => {
                let bit = highest(first ^ last);
                let at = keys.partition_point(|key| key & bit == 0);
                let (left, right) = (self.of(&keys[..at]), self.of(&keys[at..]));
                self.intern(Node::Branch {
                    prefix: above(first, bit),
                    bit,
                    left,
                    right,
                })
            }
        }
    }

    /// Is every key of one a key of the other?
    pub fn within(&self, trie: u32, other: u32) -> bool {
        if trie == other {
            return true;
        }
        match (self.node(trie), self.node(other)) {
            (Node::Empty, _) => true,
            (Node::Leaf { key, .. }, _) => self.count(other, key) > 0,
            (Node::Branch { .. }, Node::Empty | Node::Leaf { .. }) => false,
            (
                Node::Branch {
                    prefix,
                    bit,
                    left,
                    right,
                },
                Node::Branch {
                    prefix: others,
                    bit: at,
                    left: lower,
                    right: upper,
                },
            ) => {
                if bit == at {
                    return prefix == others
                        && self.within(left, lower)
                        && self.within(right, upper);
                }
                let side = if prefix & at == 0 { lower } else { upper };
                bit < at && above(prefix, at) == others && self.within(trie, side)
            }
        }
    }

    /// Every key with its count, in order.
    pub fn entries(&self, trie: u32, found: &mut Vec<(u32, u32)>) {
        match self.node(trie) {
            Node::Empty => (),
            Node::Leaf { key, count } => found.push((key, count)),
            Node::Branch { left, right, .. } => {
                self.entries(left, found);
                self.entries(right, found);
            }
        }
    }

    /// From now on steps name these only.
    pub fn unpin(&mut self, but: impl Iterator<Item = u32>) {
        self.pins.only(but);
    }

    /// Forgets what is part of none of these, nor of what is pinned.
    pub fn collect(&mut self, live: impl Iterator<Item = u32>) {
        let mut marks = Marks::new(self.nodes.len());
        let mut todo: Vec<u32> = live.chain(self.pins.iter()).collect();
        while let Some(trie) = todo.pop() {
            if marks.add(trie)
                && let Node::Branch { left, right, .. } = self.node(trie)
            {
                todo.extend([left, right]);
            }
        }
        let vacant = &mut self.vacant;
        self.index.retain(|&mut trie| {
            let alive = marks.has(trie);
            if !alive {
                vacant.push(trie);
            }
            alive
        });
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let nodes = self.nodes.capacity() * size_of::<Node>() + 5 * self.index.capacity();
        nodes + 4 * self.vacant.capacity() + self.pins.held()
    }

    fn leaf(&mut self, key: u32, count: u32) -> u32 {
        if count == 0 {
            EMPTY
        } else {
            self.intern(Node::Leaf { key, count })
        }
    }

    /// Of two tries without common keys, each with one of its keys (or its prefix).
    fn join(&mut self, key: u32, trie: u32, other_key: u32, other: u32) -> u32 {
        if other == EMPTY {
            return trie;
        }
        let bit = highest(key ^ other_key);
        let (left, right) = if key & bit == 0 {
            (trie, other)
        } else {
            (other, trie)
        };
        self.intern(Node::Branch {
            prefix: above(key, bit),
            bit,
            left,
            right,
        })
    }

    fn intern(&mut self, node: Node) -> u32 {
        let (nodes, hashed) = (&self.nodes, FxBuildHasher.hash_one(node));
        if let Some(&trie) = self.index.find(hashed, |&n| nodes[n as usize] == node) {
            return trie;
        }
        let trie = if let Some(trie) = self.vacant.pop() {
            self.nodes[trie as usize] = node;
            trie
        } else {
            self.nodes.push(node);
            number_of(self.nodes.len() - 1)
        };
        let nodes = &self.nodes;
        self.index
            .insert_unique(hashed, trie, |&n| FxBuildHasher.hash_one(nodes[n as usize]));
        trie
    }
}

/// The highest bit of a number that is not 0.
fn highest(number: u32) -> u32 {
    1 << number.ilog2()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Numbers that look random, the same in every run; many share their high bits.
    fn scattered(seed: u64) -> impl Iterator<Item = u32> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let [.., a, b, c, d] = state.rotate_left(17).to_be_bytes();
            u32::from_be_bytes([a & 0x80, 0, b & c & 1, d & 31])
        })
    }

    #[test]
    fn the_content_decides_and_not_the_way() {
        let mut tries = Tries::default();
        let (mut trie, mut model) = (EMPTY, BTreeMap::new());
        for (key, count) in scattered(1).zip(scattered(2)).take(3000) {
            let count = count % 3;
            trie = tries.with(trie, key, count);
            model.insert(key, count);
            model.retain(|_, count| *count > 0);

            assert!(
                model
                    .iter()
                    .all(|(&key, &count)| count == tries.count(trie, key))
            );
            let mut entries = Vec::new();
            tries.entries(trie, &mut entries);
            assert_eq!(model.clone().into_iter().collect::<Vec<_>>(), entries);
            let keys: Vec<u32> = model.keys().copied().collect();
            let set = tries.of(&keys);
            let again = keys
                .iter()
                .rev()
                .fold(trie, |trie, &key| tries.with(trie, key, 1));
            assert_eq!(set, again);
        }
    }

    #[test]
    fn one_is_within_another_if_its_keys_are() {
        let mut tries = Tries::default();
        let (mut numbers, mut yes) = (scattered(3), 0);
        for round in 0..2000 {
            let mut large: Vec<u32> = numbers.by_ref().take(round % 9).collect();
            let mut small = large.clone();
            if round % 3 == 0 {
                small.extend(numbers.by_ref().take(1));
            }
            small.drain(..round % 4 % (small.len() + 1));
            for keys in [&mut small, &mut large] {
                keys.sort_unstable();
                keys.dedup();
            }
            let expected = small.iter().all(|key| large.contains(key));
            let (small, large) = (tries.of(&small), tries.of(&large));
            assert_eq!(expected, tries.within(small, large));
            yes += u32::from(expected);
        }

        assert!((500..1900).contains(&yes), "{yes} of 2000");
    }

    #[test]
    fn what_is_part_of_nothing_is_forgotten() {
        let mut tries = Tries::default();
        let mut trie = EMPTY;
        for key in 0..2000_u32 {
            trie = tries.with(trie, key, 1);
            if let Some(old) = key.checked_sub(4) {
                trie = tries.with(trie, old, 0);
            }
            tries.collect([trie].into_iter());
        }

        assert_eq!(tries.of(&[1996, 1997, 1998, 1999]), trie);
        assert!(tries.nodes.len() < 60, "{} nodes", tries.nodes.len());
    }
}
