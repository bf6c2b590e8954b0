//! Sequences that share their beginnings: a chain is its last piece and the chain before it.
//!
//! Rules
//! 1. Chains of equal pieces are one chain (hash-consing), so equality is that of the numbers.
//! 2. Every chain knows one far ancestor, so the beginning of any length is found in logarithmic
//!    time; whether a chain begins another needs no look at the pieces.
//! 3. A long sequence that is interned again and again, a little longer each time, as reads of a
//!    growing list are, is compared piece by piece with the one before, and only what differs is
//!    looked up.
//!
//! Sources: Myers, An applicative random-access stack, 1983 (the far ancestors).

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::interner::{Marks, Pins, number_of};

/// What a chain is made of.
pub type Piece = u64;

/// Room from the start: most keys are small, and growing costs more than they do.
const SOME: usize = 100;

/// The chain of nothing.
pub const ROOT: u32 = 0;

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    /// An ancestor, far away at most depths; the root's is itself.
    far: u32,
    depth: u32,
    piece: Piece,
}

/// See the head of this file.
pub struct Chains {
    nodes: Vec<Node>,
    index: HashTable<u32>,
    vacant: Vec<u32>,
    pins: Pins,
    /// The sequence interned last: its pieces, and the chain that ends with each.
    latest: Vec<(Piece, u32)>,
}

impl Default for Chains {
    fn default() -> Self {
        let root = Node {
            parent: ROOT,
            far: ROOT,
            depth: 0,
            piece: 0,
        };
        let mut nodes = Vec::with_capacity(SOME);
        nodes.push(root);
        Chains {
            nodes,
            index: HashTable::with_capacity(SOME),
            vacant: Vec::new(),
            pins: Pins::default(),
            latest: Vec::with_capacity(SOME),
        }
    }
}

fn hash(parent: u32, piece: Piece) -> u64 {
    FxBuildHasher.hash_one((parent, piece))
}

impl Chains {
    /// How many pieces.
    pub fn depth(&self, chain: u32) -> u32 {
        self.nodes[chain as usize].depth
    }

    /// The chain without its last piece; the root's is the root.
    pub fn parent(&self, chain: u32) -> u32 {
        self.nodes[chain as usize].parent
    }

    /// The last piece.
    pub fn piece(&self, chain: u32) -> Piece {
        self.nodes[chain as usize].piece
    }

    /// The chain with one piece more.
    pub fn push(&mut self, parent: u32, piece: Piece) -> u32 {
        let (nodes, hashed) = (&self.nodes, hash(parent, piece));
        let same =
            |n: &u32| nodes[*n as usize].parent == parent && nodes[*n as usize].piece == piece;
        if let Some(&chain) = self.index.find(hashed, same) {
            return chain;
        }
        let below = self.nodes[parent as usize];
        let far = self.nodes[below.far as usize];
        let even = below.depth - far.depth == far.depth - self.depth(far.far);
        let far = if even && parent != ROOT {
            far.far
        } else {
            parent
        };
        let node = Node {
            parent,
            far,
            depth: below.depth + 1,
            piece,
        };
        let chain = if let Some(chain) = self.vacant.pop() {
            self.nodes[chain as usize] = node;
            chain
        } else {
            self.nodes.push(node);
            number_of(self.nodes.len() - 1)
        };
        let nodes = &self.nodes;
        let rehash = |n: &u32| hash(nodes[*n as usize].parent, nodes[*n as usize].piece);
        self.index.insert_unique(hashed, chain, rehash);
        chain
    }

    /// The chain of all these pieces, which is pinned: a step names it.
    pub fn pin_all(&mut self, pieces: impl Iterator<Item = Piece>) -> u32 {
        self.pin_from(0, pieces)
    }

    /// The same, where the first `same` pieces are known to be those of the latest, and `pieces`
    /// are what follows them.
    pub fn pin_from(&mut self, same: usize, pieces: impl Iterator<Item = Piece>) -> u32 {
        let mut chain = if same == 0 {
            ROOT
        } else {
            self.latest[same - 1].1
        };
        let mut agreed = true;
        for (at, piece) in (same..).zip(pieces) {
            agreed = agreed && self.latest.get(at).is_some_and(|known| known.0 == piece);
            if agreed {
                chain = self.latest[at].1;
            } else {
                chain = self.push(chain, piece);
                self.latest.truncate(at);
                self.latest.push((piece, chain));
            }
        }
        self.pins.add(chain);
        chain
    }

    /// The first `depth` pieces of a chain that has at least so many.
    pub fn beginning(&self, mut chain: u32, depth: u32) -> u32 {
        loop {
            let node = self.nodes[chain as usize];
            if node.depth <= depth {
                return chain;
            }
            chain = if self.depth(node.far) >= depth {
                node.far
            } else {
                node.parent
            };
        }
    }

    /// From now on steps name these only.
    pub fn unpin(&mut self, but: impl Iterator<Item = u32>) {
        self.pins.only(but);
    }

    /// Forgets what begins none of these, nor what is pinned.
    pub fn collect(&mut self, live: impl Iterator<Item = u32>) {
        let mut marks = Marks::new(self.nodes.len());
        let latest = self.latest.last().map(|&(_, chain)| chain);
        for mut chain in live.chain(self.pins.iter()).chain(latest) {
            while marks.add(chain) {
                chain = self.nodes[chain as usize].parent;
            }
        }
        let vacant = &mut self.vacant;
        self.index.retain(|&mut chain| {
            let alive = marks.has(chain);
            if !alive {
                vacant.push(chain);
            }
            alive
        });
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let nodes = self.nodes.capacity() * size_of::<Node>() + 5 * self.index.capacity();
        nodes + 4 * self.vacant.capacity() + 12 * self.latest.capacity() + self.pins.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sequences_are_one_chain() {
        let mut chains = Chains::default();
        let whole = chains.pin_all(0..9);
        let other = chains.pin_all((0..4).chain(7..9));
        let mut pushed = ROOT;
        for n in 0..9 {
            pushed = chains.push(pushed, n);
        }

        assert_eq!(whole, pushed);
        assert_ne!(whole, other);
        assert_eq!(whole, chains.pin_all(0..9));
        assert_eq!(ROOT, chains.pin_all(0..0));
    }

    #[test]
    fn every_beginning_is_found() {
        let mut chains = Chains::default();
        let mut all = vec![ROOT];
        for n in 0..200 {
            all.push(chains.push(all[all.len() - 1], n));
        }

        for (depth, &expected) in (0..).zip(&all) {
            assert_eq!(expected, chains.beginning(all[200], depth));
        }
    }

    #[test]
    fn far_ancestors_make_the_way_short() {
        let mut chains = Chains::default();
        let chain = chains.pin_all(0..100_000);
        let (mut at, mut steps) = (chain, 0);
        while at != ROOT {
            at = chains.nodes[at as usize].far;
            steps += 1;
        }

        assert!(steps < 40, "{steps} steps");
    }

    #[test]
    fn what_nothing_begins_with_is_forgotten() {
        let mut chains = Chains::default();
        for n in 0..1000 {
            let chain = chains.push(ROOT, n);
            let kept = chains.push(chain, 0);
            chains.push(chain, 1);
            chains.collect([kept].into_iter());
            assert_eq!(kept, chains.push(chain, 0));
        }

        assert!(chains.nodes.len() < 10);
    }
}
