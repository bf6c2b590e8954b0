//! Chains: the calls up to a returning one, in every order that matters (rules 1 to 9 of the
//! search, `search/mod.rs`).

use std::sync::atomic::Ordering;

use super::Search;
use super::crashed::GRAVE;
use super::foresight::LOST;
use super::frontier::{Config, NOTHING, Node};
use super::mask::Mask;
use crate::models::{Effect, Model, Next, State, Step};
use crate::table::NEVER;

/// Moves are numbered: pending calls by their slots, crashed ones by their class and this bit.
const CRASHED: u32 = 1 << 31;

impl<M: Model, B: Mask> Search<M, B> {
    /// Tries every move from a node, unless one like it was there before.
    pub(super) fn visit(&mut self, node: &Node<B>) {
        if !self.visited.insert(node, self.limits) {
            return;
        }
        self.heap += node.held();
        if self.limits.endless && M::TELLS && self.crashed.any() && self.rich(&node.config) {
            self.visit_rich(node);
            return;
        }
        self.visit_pending(node);
        if self.crashed.any() && self.limits.slack == usize::MAX {
            self.visit_crashed(node);
        }
    }

    /// Tries the pending calls from a node.
    fn visit_pending(&mut self, node: &Node<B>) {
        let mut alike = None;
        let (mut open_tried, mut free_tried) = (false, false);
        for at in 0..self.pending.ordered.len() {
            if self.full || self.stop.load(Ordering::Relaxed) {
                return;
            }
            let slot = self.pending.ordered[at];
            let step = self.pending.step(slot);
            if alike != Some(step) {
                alike = Some(step);
                (open_tried, free_tried) = (false, false);
            }
            if node.config.done.has(slot) {
                continue;
            }
            let free = node.config.free.has(slot);
            let tried = if free {
                &mut free_tried
            } else {
                &mut open_tried
            };
            if std::mem::replace(tried, true) {
                continue; // rule 7: one that returns earlier was tried
            }
            let overwrites = step.effect == Effect::Overwrites;
            if overwrites && node.last != NOTHING {
                continue; // rule 7
            }
            if overwrites || node.config.state != LOST || slot == self.target {
                self.try_move(node, slot, step); // or else rule 3: it is free already
            }
        }
    }

    /// Tries the crashed calls from a node.
    pub(super) fn visit_crashed(&mut self, node: &Node<B>) {
        if M::TELLS {
            self.try_wanted(node);
            return;
        }
        let living: Vec<u32> = self.crashed.living().collect();
        for class in living {
            if self.full || self.stop.load(Ordering::Relaxed) {
                return;
            }
            let effect = self.crashed.class(class).step.effect;
            if node.config.state != LOST || effect == Effect::Overwrites {
                self.try_crashed(node, class);
            }
        }
    }

    pub(super) fn try_move(&mut self, node: &Node<B>, number: u32, step: Step) {
        match self.after(node.config.state, step) {
            Next::Illegal => {}
            Next::Trouble => self.trouble = true,
            Next::One(state) => {
                if node.last == NOTHING || !self.commutes(node, number, step, state) {
                    self.take(node, number, step, state);
                }
            }
            Next::Many => {
                for state in self.model.choices().to_vec() {
                    self.take(node, number, step, state);
                }
            }
        }
    }

    /// Rule 7: does another chain do as well as this one with `step` at its end?
    fn commutes(&mut self, node: &Node<B>, number: u32, step: Step, reached: State) -> bool {
        // Two crashed calls of one class have the same number and only one order.
        if number == node.last
            || (number != self.target && self.rank(number) > self.rank(node.last))
        {
            return false;
        }
        let Next::One(first) = self.after(node.origin, step) else {
            return false;
        };
        let last = if node.last & CRASHED == 0 {
            self.pending.step(node.last)
        } else {
            self.crashed.class(node.last & !CRASHED).step
        };
        self.after(first, last) == Next::One(reached)
    }

    /// The order in which calls that commute are tried: by their returns, crashed ones last.
    fn rank(&self, number: u32) -> (u64, u32) {
        if number & CRASHED == 0 {
            (self.pending.returned(number), 0)
        } else {
            (NEVER, number)
        }
    }

    /// A crashed call, if there is no pending one like it.
    fn try_crashed(&mut self, node: &Node<B>, class: u32) {
        let step = self.crashed.class(class).step;
        if !self.pending.alike(step, &node.config.done) {
            self.use_crashed(node, class); // or else rule 7
        }
    }

    /// A crashed call, if one of the class is left.
    pub(super) fn use_crashed(&mut self, node: &Node<B>, class: u32) {
        let of = self.crashed.class(class);
        let step = of.step;
        if node.last != NOTHING && step.effect == Effect::Overwrites {
            return; // rule 7
        }
        if !self.limits.endless && node.config.uses.of(class) >= of.available {
            return;
        }
        self.try_move(node, class | CRASHED, step);
    }

    /// Rule 3 of crashed.rs.
    fn try_wanted(&mut self, node: &Node<B>) {
        let state = node.config.state;
        let settled = node.config.done.or(&node.config.free);
        let moves = self.pending.moving.minus(&self.pending.overwriting);
        let open = self
            .pending
            .observing
            .minus(&settled)
            .or(&moves.minus(&node.config.done));
        let mut wanted: Vec<State> = Vec::new();
        let mut another = false;
        for slot in open.slots() {
            let step = self.pending.step(slot);
            match self.model.requires(step) {
                Some(required) => want(&mut wanted, required),
                None => another = true,
            }
        }
        if another {
            let living: Vec<u32> = self.crashed.living().collect();
            for class in living {
                self.try_crashed(node, class);
            }
            if self.crashed.haunted() {
                self.try_crashed(node, GRAVE);
            }
            return;
        }
        let mut at = 0;
        while at < wanted.len() {
            let producing = self.crashed.producing(wanted[at]).to_vec();
            for class in producing {
                let required = self.crashed.class(class).requires;
                // Wanted even where it is the state already: what overwrites also hides.
                if let Some(required) = required {
                    want(&mut wanted, required);
                }
                if required.is_none_or(|required| required == state) {
                    self.try_crashed(node, class);
                }
            }
            at += 1;
        }
    }

    /// Linearizes a call in a chain.
    #[inline]
    fn take(&mut self, node: &Node<B>, number: u32, step: Step, state: State) {
        let mut config = Config {
            state,
            ..node.config.clone()
        };
        let crashed = number & CRASHED != 0;
        if self.trail.kept() {
            config.mark = self.record(&node.config, number, step);
        }
        let mut cost = node.cost;
        if crashed {
            cost += 1;
            if !self.limits.endless {
                config.uses = config.uses.plus(number & !CRASHED);
            }
        } else {
            config.done.insert(number);
            config.free.remove(number);
        }
        if step.effect == Effect::Overwrites {
            let hidden = self.pending.total.minus(&config.done);
            config.free = config.free.or(&hidden);
        }
        let seen = self.seen(state, &config);
        let observed = !seen.is_none();
        if observed {
            config.mark = self.mark_free(config.mark, &seen);
            config.free = config.free.or(&seen);
        }
        if number == self.target || seen.has(self.target) {
            self.survive(config);
            return;
        }
        let Some(config) = self.foresee(config, false) else {
            return;
        };
        let omissible = crashed || matches!(step.effect, Effect::Overwrites | Effect::Total);
        let last = if omissible && !observed {
            number
        } else {
            NOTHING
        };
        if last == NOTHING || self.chainable(&config) {
            self.put(Node {
                config,
                last,
                origin: node.config.state,
                cost,
            });
        }
    }

    /// Puts a node on the stack, if there is room.
    #[inline]
    pub(super) fn put(&mut self, node: Node<B>) {
        self.heap += node.held();
        self.full |= self.heap > self.room;
        self.stack.push(node);
    }

    /// May anything follow a move that nothing has observed? By rule 7 nothing that overwrites.
    fn chainable(&self, config: &Config<B>) -> bool {
        self.crashed.chainable
            || !self
                .pending
                .moving
                .minus(&config.done)
                .minus(&self.pending.overwriting)
                .is_none()
    }

    /// The trail with the move at its end, and what it hides before it.
    fn record(&mut self, before: &Config<B>, number: u32, step: Step) -> u32 {
        let mut mark = before.mark;
        if step.effect == Effect::Overwrites {
            let mut hidden = self.pending.total.minus(&before.done).minus(&before.free);
            if number & CRASHED == 0 {
                hidden.remove(number);
            }
            mark = self.mark_free(mark, &hidden);
        }
        let call = if number & CRASHED == 0 {
            self.pending.call(number)
        } else {
            // The oldest that was not used.
            let class = number & !CRASHED;
            let used = before.uses.of(class) as usize;
            self.crashed
                .class(class)
                .calls
                .get(used)
                .copied()
                .unwrap_or(0)
        };
        self.trail.add(mark, call, true)
    }

    /// Keeps a configuration without its target, unless it is hopeless.
    #[inline]
    pub(super) fn survive(&mut self, config: Config<B>) {
        let Some(mut config) = self.foresee(config, true) else {
            return;
        };
        config.done.remove(self.target);
        config.free.remove(self.target);
        self.survivors.push(config, self.limits);
    }

    /// None if it is hopeless; else the configuration, its state `LOST` if it is.
    #[inline]
    fn foresee(&mut self, mut config: Config<B>, survives: bool) -> Option<Config<B>> {
        if !self.looking {
            return Some(config);
        }
        let mut overwriting = self.pending.overwriting.minus(&config.done);
        if survives {
            overwriting.remove(self.target);
        }
        if overwriting.is_none() && !self.crashed_overwrite() {
            let settled = config.done.or(&config.free);
            let settled = |slot| settled.has(slot);
            if self
                .foresight
                .hopeless(&mut self.model, config.state, settled)
            {
                return None;
            }
        }
        if config.state != LOST && self.foresight.lost(&mut self.model, config.state, self.now) {
            config.state = LOST;
            let freed = self.seen(LOST, &config);
            config.mark = self.mark_free(config.mark, &freed);
            config.free = config.free.or(&freed);
        }
        Some(config)
    }

    /// May a crashed call overwrite the state?
    fn crashed_overwrite(&self) -> bool {
        self.crashed
            .living()
            .any(|c| self.crashed.class(c).step.effect == Effect::Overwrites)
    }

    /// The pending calls that become free because they leave this state as it is.
    #[inline]
    fn seen(&mut self, state: State, config: &Config<B>) -> B {
        let mut seen = B::none();
        if M::FORESEES && state == LOST {
            return self
                .pending
                .total
                .minus(&self.pending.overwriting)
                .minus(&config.done)
                .minus(&config.free);
        }
        for slot in self.pending.observing.minus(&config.free).slots() {
            let step = self.pending.step(slot);
            if self.legal(state, step) {
                seen.insert(slot);
            }
        }
        seen
    }
}

fn want(wanted: &mut Vec<State>, state: State) {
    if !wanted.contains(&state) {
        wanted.push(state);
    }
}
