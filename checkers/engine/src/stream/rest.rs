//! Keys that are not used: what is left of their search.

use super::{Busy, Flow, Width, begin, expect_crashed};
use crate::models::{Model, State, Step};
use crate::search::Search;
use crate::search::frontier::Config;
use crate::search::mask::Mask;
use crate::search::trail::Trail;
use crate::search::uses::Uses;

/// A key that has no open call but such of unknown outcome, and what its search comes down to.
pub(super) struct Rest<M> {
    model: M,
    configs: Box<[(State, Uses)]>,
    pub(super) crashed: Box<[Step]>,
    lossy: bool,
    pub(super) judged: bool,
}

impl<M: Model> Rest<M> {
    /// The states of its configurations.
    pub(super) fn states(&self) -> impl Iterator<Item = State> + '_ {
        self.configs.iter().map(|&(state, _)| state)
    }

    pub(super) fn wake(self) -> Busy<M> {
        let mut search = begin(self.model);
        if !self.crashed.is_empty() {
            expect_crashed(&mut search);
        }
        // In the order in which they came, so that each class has the number it had.
        for &step in &self.crashed {
            search.crash(0, step, 0);
        }
        search.lossy = self.lossy;
        search.frontier.clear();
        let configs = self.configs.into_iter();
        search
            .frontier
            .configs
            .extend(configs.map(|(state, uses)| Config {
                state,
                mark: Trail::START,
                done: u64::none(),
                free: u64::none(),
                uses,
            }));
        let flow = Flow {
            crashed: self.crashed.into_vec(),
            judged: self.judged,
            ..Flow::default()
        };
        let search = Some(Width::Narrow(search));
        Busy { flow, search }
    }
}

/// What a search that has no pending call comes down to.
pub(super) fn at_rest<M: Model, B: Mask>(search: Search<M, B>, flow: Flow) -> Rest<M> {
    let configs = search.frontier.configs.into_iter();
    Rest {
        model: search.model,
        configs: configs.map(|config| (config.state, config.uses)).collect(),
        crashed: flow.crashed.into(),
        lossy: search.lossy || search.frontier.lossy,
        judged: flow.judged,
    }
}
