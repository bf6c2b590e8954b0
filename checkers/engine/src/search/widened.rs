//! From masks of 64 bits to wider ones, in the middle of a history.

use super::Search;
use super::frontier::{Config, Frontier, NOTHING, Visited};
use super::mask::Wide;
use crate::models::Model;

impl<M: Model> Search<M, u64> {
    /// The same search with room for more than 64 pending calls; between two events.
    #[must_use]
    pub fn widened(self) -> Search<M, Wide> {
        let mut frontier = Frontier::default();
        frontier.lossy = self.frontier.lossy;
        frontier
            .configs
            .extend(self.frontier.configs.into_iter().map(|c| Config {
                state: c.state,
                mark: c.mark,
                done: Wide::from(c.done),
                free: Wide::from(c.free),
                uses: c.uses,
            }));
        Search {
            model: self.model,
            frontier,
            trail: self.trail,
            foresight: self.foresight,
            looking: self.looking,
            limits: self.limits,
            pending: self.pending.widened(),
            crashed: self.crashed,
            cost: 0,
            least: None,
            lossy: self.lossy,
            target: NOTHING,
            now: self.now,
            survivors: Frontier::default(),
            visited: Visited::default(),
            stack: Vec::new(),
            spending: Vec::new(),
            trouble: self.trouble,
            until_collection: self.until_collection,
            events: self.events,
            heap: 0,
            room: self.room,
            full: self.full,
            looks: self.looks,
            deadline: self.deadline,
            stop: self.stop,
        }
    }
}
