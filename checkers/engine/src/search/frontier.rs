//! Configurations, and the sets of them that a search keeps.
//!
//! Rules
//! 1. `free` covers `done` and covers `open` (see the rules of the search): of two configurations
//!    with the same state, one covers the other if they differ only in calls that are free in the
//!    first, everything free in the second is free in the first, and the first has used no more
//!    crashed calls (`uses`). What is covered is dropped.
//! 2. To drop what is not covered would hide linearizations. A frontier does so only within its
//!    limits, and tells (`lossy`): then it may still find a linearization, but refute no more.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::mask::Mask;
use super::trail::Mark;
use super::uses::Uses;
use crate::models::State;

/// What a linearization so far comes down to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config<B> {
    /// The model's state.
    pub state: State,
    /// How it came about.
    pub mark: Mark,
    /// Pending calls that have been linearized.
    pub done: B,
    /// Pending calls that may count as linearized, and may be linearized still.
    pub free: B,
    /// The crashed calls that have been linearized.
    pub uses: Uses,
}

impl<B: Mask> Config<B> {
    fn same_place(&self, other: &Self) -> bool {
        self.state == other.state && self.done == other.done && self.free == other.free
    }

    fn covers_place(&self, other: &Self) -> bool {
        self.state == other.state
            && self
                .done
                .differ_within(&other.done, &other.free, &self.free)
    }

    /// Bytes on the heap.
    pub fn heap(&self) -> usize {
        self.done.heap() + self.free.heap() + self.uses.heap()
    }
}

/// How much of what crashed calls make possible a search tries. A search with limits may prove a
/// history linearizable; that it is not, only if it has dropped nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Configurations kept that differ in nothing but their uses.
    pub alike: usize,
    /// Chains that use more crashed calls are tried only while none of those with fewer leads
    /// on, and so many uses more.
    pub slack: usize,
    /// Classes are taken to be without limit: that such a search refutes a history is certain,
    /// that it finds it linearizable is nothing.
    pub endless: bool,
    /// Nodes that one return may take and configurations that it may leave; beyond, the search
    /// gives up.
    pub nodes: usize,
}

impl Limits {
    /// Nothing is dropped but what is covered.
    pub const NONE: Limits = Limits {
        alike: usize::MAX,
        slack: usize::MAX,
        endless: false,
        nodes: usize::MAX,
    };
    /// The same, for as long as it takes little.
    pub const EASY: Limits = Limits {
        nodes: 256,
        ..Limits::NONE
    };
    /// A certain refutation or nothing.
    pub const ENDLESS: Limits = Limits {
        endless: true,
        ..Limits::NONE
    };
    /// A linearization that uses crashed calls only where nothing else leads on, or nothing.
    pub const SPARING: Limits = Limits {
        alike: 1,
        slack: 0,
        ..Limits::NONE
    };
    /// The same, not quite as sparing.
    pub const CAREFUL: Limits = Limits {
        slack: 1,
        ..Limits::SPARING
    };
    /// The same, and not sparing at all.
    pub const SPENDING: Limits = Limits {
        alike: 8,
        slack: 2,
        ..Limits::NONE
    };
}

/// Among so many configurations, or fewer, every pair is compared.
const FEW: usize = 24;
/// In a larger frontier a configuration is compared with so many of its state: dropping what is
/// covered is a saving, and comparing all pairs would not be.
const COMPARED_MAX: usize = 64;

/// Configurations, none of which covers another as far as was compared.
pub struct Frontier<B> {
    /// In the order in which they were kept.
    pub configs: Vec<Config<B>>,
    index: HashTable<u32>,
    /// Was anything dropped that nothing covers?
    pub lossy: bool,
}

impl<B: Mask> Default for Frontier<B> {
    fn default() -> Self {
        Self {
            configs: Vec::new(),
            index: HashTable::new(),
            lossy: false,
        }
    }
}

impl<B: Mask> Frontier<B> {
    /// Empties it; `lossy` stays.
    #[inline]
    pub fn clear(&mut self) {
        self.configs.clear();
        if !self.index.is_empty() {
            self.index.clear();
        }
    }

    /// Keeps a configuration unless one that is kept covers it. Was it kept?
    #[inline]
    pub fn push(&mut self, new: Config<B>, limits: Limits) -> bool {
        if self.configs.len() < FEW {
            return self.push_few(new, limits);
        }
        self.push_many(new, limits)
    }

    #[inline]
    fn push_few(&mut self, new: Config<B>, limits: Limits) -> bool {
        let mut alike = 0;
        let mut at = 0;
        while at < self.configs.len() {
            let old = &self.configs[at];
            if old.state != new.state {
                at += 1;
                continue;
            }
            if old.covers_place(&new) && old.uses.covers(&new.uses) {
                return false;
            }
            if new.covers_place(old) && new.uses.covers(&old.uses) {
                self.configs.swap_remove(at);
                continue;
            }
            alike += usize::from(old.same_place(&new));
            at += 1;
        }
        if alike >= limits.alike {
            self.lossy = true;
            return false;
        }
        self.configs.push(new);
        true
    }

    #[cold]
    fn push_many(&mut self, new: Config<B>, limits: Limits) -> bool {
        if self.index.is_empty() {
            for at in 0..self.configs.len() {
                insert(&mut self.index, &self.configs, at);
            }
        }
        let hash = hash(&new);
        let mut alike = 0;
        for &at in self.index.iter_hash(hash) {
            let old = &self.configs[at as usize];
            if !old.same_place(&new) {
                continue;
            }
            if old.uses.covers(&new.uses) {
                return false;
            }
            alike += 1;
        }
        if alike >= limits.alike {
            self.lossy = true;
            return false;
        }
        self.configs.push(new);
        insert(&mut self.index, &self.configs, self.configs.len() - 1);
        true
    }

    /// Drops what is covered in a frontier too large for that to be done on the way.
    pub fn thin(&mut self) {
        if self.configs.len() < FEW {
            return;
        }
        self.index.clear();
        // What covers is free in more.
        self.configs
            .sort_by_key(|c| (c.state, std::cmp::Reverse(c.free.count())));
        let mut kept: Vec<Config<B>> = Vec::with_capacity(self.configs.len());
        let mut first = 0; // of the same state
        for config in self.configs.drain(..) {
            if kept.get(first).is_some_and(|c| c.state != config.state) {
                first = kept.len();
            }
            let covered = kept[first..]
                .iter()
                .take(COMPARED_MAX)
                .any(|old| old.covers_place(&config) && old.uses.covers(&config.uses));
            if !covered {
                kept.push(config);
            }
        }
        self.configs = kept;
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let heap = self.configs.first().map_or(0, Config::heap);
        self.configs.capacity() * size_of::<Config<B>>()
            + self.configs.len() * heap
            + self.index.capacity() * 5
    }
}

fn hash<B: Mask>(config: &Config<B>) -> u64 {
    FxBuildHasher.hash_one((config.state, &config.done, &config.free))
}

fn insert<B: Mask>(index: &mut HashTable<u32>, configs: &[Config<B>], at: usize) {
    let number = u32::try_from(at).expect("memory ends long before 2^32 configurations");
    index.insert_unique(hash(&configs[at]), number, |&other| {
        hash(&configs[other as usize])
    });
}

/// No call: of `Node::last`.
pub const NOTHING: u32 = u32::MAX;

/// A configuration inside a chain. `last` is the move before it if nothing has observed its effect
/// (or `NOTHING`), `origin` the state from which that was taken.
#[derive(Clone, Debug)]
pub struct Node<B> {
    /// Where the chain has come to.
    pub config: Config<B>,
    /// See above.
    pub last: u32,
    /// See above.
    pub origin: State,
    /// How many crashed calls the chain has used.
    pub cost: usize,
}

impl<B: Mask> Node<B> {
    /// Bytes held.
    pub fn held(&self) -> usize {
        size_of::<Self>() + self.config.heap()
    }
}

/// The nodes that were expanded for one return.
pub struct Visited<B> {
    nodes: Vec<Node<B>>,
    index: HashTable<u32>,
    /// Was a node rejected that nothing covers?
    pub lossy: bool,
}

impl<B: Mask> Default for Visited<B> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            index: HashTable::new(),
            lossy: false,
        }
    }
}

impl<B: Mask> Visited<B> {
    /// Empties it; `lossy` stays.
    #[inline]
    pub fn clear(&mut self) {
        self.nodes.clear();
        if !self.index.is_empty() {
            self.index.clear();
        }
    }

    /// Adds a node, unless one like it is there that has used no more. Was it added?
    #[inline]
    pub fn insert(&mut self, node: &Node<B>, limits: Limits) -> bool {
        let few = self.nodes.len() < FEW;
        let mut alike = 0;
        let mut covers = |old: &Node<B>| -> bool {
            let same = old.last == node.last
                && old.origin == node.origin
                && old.config.same_place(&node.config);
            if !same {
                return false;
            }
            alike += 1;
            old.config.uses.covers(&node.config.uses)
        };
        let covered = if few {
            self.nodes.iter().any(&mut covers)
        } else {
            if self.index.is_empty() {
                for at in 0..self.nodes.len() {
                    insert_node(&mut self.index, &self.nodes, at);
                }
            }
            let hash = hash_node(node);
            self.index
                .iter_hash(hash)
                .any(|&at| covers(&self.nodes[at as usize]))
        };
        if covered {
            return false;
        }
        if alike >= limits.alike {
            self.lossy = true;
            return false;
        }
        self.nodes.push(node.clone());
        if !few {
            insert_node(&mut self.index, &self.nodes, self.nodes.len() - 1);
        }
        true
    }

    /// Those that have used so many crashed calls.
    #[must_use]
    pub fn of_cost(&self, cost: usize) -> Vec<Node<B>> {
        self.nodes
            .iter()
            .filter(|node| node.cost == cost)
            .cloned()
            .collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        let heap = self.nodes.first().map_or(0, |node| node.config.heap());
        self.nodes.capacity() * size_of::<Node<B>>()
            + self.nodes.len() * heap
            + self.index.capacity() * 5
    }
}

fn hash_node<B: Mask>(node: &Node<B>) -> u64 {
    let c = &node.config;
    FxBuildHasher.hash_one((c.state, &c.done, &c.free, node.last, node.origin))
}

fn insert_node<B: Mask>(index: &mut HashTable<u32>, nodes: &[Node<B>], at: usize) {
    let number = u32::try_from(at).expect("memory ends long before 2^32 nodes");
    index.insert_unique(hash_node(&nodes[at]), number, |&other| {
        hash_node(&nodes[other as usize])
    });
}
