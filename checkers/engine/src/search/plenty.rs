//! Plenty: many crashed calls of the same few steps make nearly everything possible, and trying it
//! all in every order would never end.
//!
//! Rules, for a search in which classes of crashed calls are without end
//! 1. A state is *rich* if a crashed call overwrites it. A configuration is rich if all states are
//!    that it, its rivals and the pending calls name, what they require or produce; and if for a
//!    call that tells what the state is not, a crashed call makes it another one.
//! 2. A rich configuration A covers every other one, B. Let s be a completion of B. A linearizes
//!    now, out of sight, every call that s does without and that is open in A: a crashed call makes
//!    the state that it requires, and the call follows. Then a crashed call makes the state of B,
//!    and s goes on; where s linearizes a call that is done in A, a crashed call that produces the
//!    same state stands in for it. A class that has died by then leads to `Model::OTHER`, which
//!    nothing to come tells from the state it produced.

use super::Search;
use super::frontier::Config;
use super::mask::Mask;
use crate::models::{Effect, Model, Next, State};
use crate::search::frontier::Node;

impl<M: Model, B: Mask> Search<M, B> {
    /// Is the configuration rich, as far as it and the pending calls go?
    pub(super) fn rich(&mut self, config: &Config<B>) -> bool {
        if !self.rich_in(config.state) {
            return false;
        }
        let pending = self.pending.observing.or(&self.pending.moving);
        pending.slots().all(|slot| {
            let step = self.pending.step(slot);
            let required = self.model.requires(step);
            if required.is_none() && step.effect != Effect::Overwrites {
                // It tells what the state is not: any other state will do.
                let told = self.model.tells(step);
                return step.effect == Effect::Observes
                    && told.is_some_and(|state| self.other_than(state).is_some());
            }
            let produced = self.model.produces(step);
            if produced.is_none() && step.effect != Effect::Observes {
                return false; // it leaves a choice
            }
            [required, produced]
                .into_iter()
                .flatten()
                .all(|state| self.rich_in(state))
        })
    }

    fn rich_in(&self, state: State) -> bool {
        let overwrites = |&c: &u32| self.crashed.class(c).step.effect == Effect::Overwrites;
        self.crashed.producing(state).iter().any(overwrites)
    }

    /// A class that overwrites with another state than this one.
    fn other_than(&self, state: State) -> Option<u32> {
        self.crashed.living().find(|&c| {
            let class = self.crashed.class(c);
            class.step.effect == Effect::Overwrites
                && class.produces.is_some_and(|produced| produced != state)
        })
    }

    /// Can a chain that ends in a free target be spared? The configuration in which the target
    /// counts as linearized already does as well.
    pub(super) fn spare(&mut self, config: &Config<B>) -> bool {
        M::TELLS && self.crashed.any() && self.rich(config)
    }

    /// The shortest chain to the target from a rich node: it covers all others.
    pub(super) fn visit_rich(&mut self, node: &Node<B>) {
        let step = self.pending.step(self.target);
        let state = node.config.state;
        if step.effect != Effect::Observes && self.after(state, step) != Next::Illegal {
            self.try_move(node, self.target, step);
            return;
        }
        let Some(required) = self.model.requires(step) else {
            if let Some(class) = self.other_than(state) {
                self.use_crashed(node, class);
            }
            return;
        };
        let overwrites = |&&c: &&u32| self.crashed.class(c).step.effect == Effect::Overwrites;
        if let Some(&class) = self.crashed.producing(required).iter().find(overwrites) {
            self.use_crashed(node, class);
        }
    }

    /// Keeps one rich configuration of the frontier, if there is one, instead of all.
    pub(super) fn keep_one(&mut self) {
        if !M::TELLS || !self.crashed.any() || self.frontier.configs.len() < 2 {
            return;
        }
        let configs = std::mem::take(&mut self.frontier.configs);
        let all = configs.iter().all(|c| self.rich_in(c.state));
        let first = configs.first().cloned();
        self.frontier.configs = configs;
        if let Some(first) = first.filter(|first| all && self.rich(first)) {
            self.frontier.clear();
            self.frontier.configs.push(first);
        }
    }
}
