//! The return of a call: the rules are those of the search (`search/mod.rs`).

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::frontier::{Config, NOTHING, Node};
use super::mask::Mask;
use super::{Progress, Search};
use crate::models::Model;

impl<M: Model, B: Mask> Search<M, B> {
    /// The call in a slot returns. `work` goes down by one for each node.
    #[inline]
    pub fn ret(&mut self, slot: u32, index: u64, work: &mut i64) -> Progress {
        self.now = index;
        let observes = self.pending.observing.has(slot);
        let settled = |c: &Config<B>| if observes { &c.free } else { &c.done }.has(slot);
        if self.frontier.configs.iter().all(settled) {
            // Nothing to try, and configurations that differ still do.
            for config in &mut self.frontier.configs {
                config.free.remove(slot);
                config.done.remove(slot);
            }
            self.pending.remove(slot);
            if self.looking {
                self.foresight.returned(index);
            }
            return Progress::Done;
        }
        self.begin(slot, observes);
        self.go_on(work)
    }

    fn begin(&mut self, slot: u32, observes: bool) {
        self.target = slot;
        self.bury();
        (self.heap, self.cost, self.least) = (0, 0, None);
        let mut frontier = std::mem::take(&mut self.frontier.configs);
        for config in frontier.drain(..) {
            let free = config.free.has(slot);
            let settled = free || config.done.has(slot);
            if !settled || (free && !observes && !(self.limits.endless && self.spare(&config))) {
                let (config, origin) = (config.clone(), config.state);
                self.put(Node {
                    config,
                    last: NOTHING,
                    origin,
                    cost: 0,
                });
            }
            if settled {
                self.survive(config);
            }
        }
        self.frontier.configs = frontier;
        self.frontier.clear();
    }

    /// Goes on with a return.
    pub fn go_on(&mut self, work: &mut i64) -> Progress {
        while let Some((node, crashed)) = self.next_node() {
            // What a node costs grows with the number of calls that may follow.
            let moves = self.pending.width() + self.crashed.moves();
            *work -= 1 + i64::try_from(moves / 8).unwrap_or(i64::MAX);
            self.heap = self.heap.saturating_sub(node.held());
            self.look();
            if crashed {
                self.visit_crashed(&node);
            } else {
                self.visit(&node);
            }
            if self.visited.count() > self.limits.nodes && self.crashed.any() {
                return Progress::Undecided;
            }
            if self.full || self.trouble || self.stop.load(Ordering::Relaxed) {
                break;
            }
            if *work <= 0 {
                return Progress::More;
            }
        }
        if self.trouble {
            return Progress::Trouble;
        }
        if self.full {
            return Progress::Full;
        }
        if self.stop.load(Ordering::Relaxed) {
            return Progress::Stopped; // a visit may have been cut short
        }
        self.pending.remove(self.target);
        if self.looking {
            self.foresight.returned(self.now); // not earlier: its own chains lead to it
        }
        self.visited.clear();
        std::mem::swap(&mut self.frontier, &mut self.survivors);
        self.lossy |= self.frontier.lossy || self.visited.lossy;
        self.survivors.clear();
        if self.limits.endless {
            self.keep_one();
        }
        self.frontier.thin();
        *work -= i64::try_from(self.frontier.configs.len() / 8).unwrap_or(i64::MAX);
        if self.frontier.configs.len() > self.limits.nodes / 4 && self.crashed.any() {
            return Progress::Undecided;
        }
        if self.frontier.configs.is_empty() {
            return if self.lossy {
                Progress::Undecided
            } else {
                Progress::Refuted
            };
        }
        Progress::Done
    }

    /// Looks now and then at the clock and at what the model holds.
    fn look(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        if !self.looks.is_multiple_of(64) && M::COST == 1 {
            return;
        }
        self.full |= self.heap + self.model.held() + self.trail.held() > self.room;
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// The next node, and whether its crashed calls are to be tried or the pending ones: of the
    /// chains that use fewest crashed calls, and of those that use more only while nothing leads on.
    fn next_node(&mut self) -> Option<(Node<B>, bool)> {
        loop {
            if let Some(node) = self.stack.pop() {
                return Some((node, false));
            }
            if let Some(node) = self.spending.pop() {
                return Some((node, true));
            }
            if !self.crashed.any() || self.limits.slack == usize::MAX {
                return None; // those that use crashed calls were tried with the others
            }
            if !self.survivors.configs.is_empty() {
                let least = *self.least.get_or_insert(self.cost);
                if self.cost >= least.saturating_add(self.limits.slack) {
                    self.lossy = true;
                    return None;
                }
            }
            self.spending = self.visited.of_cost(self.cost);
            if self.spending.is_empty() {
                return None;
            }
            self.cost += 1;
        }
    }

    /// Rule 2 of crashed.rs.
    fn bury(&mut self) {
        while let Some((class, into_grave)) = self.crashed.bury(self.now) {
            for config in &mut self.frontier.configs {
                config.uses = config.uses.without(class, into_grave);
            }
        }
    }
}
