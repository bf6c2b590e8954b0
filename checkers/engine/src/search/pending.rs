//! The calls that are invoked and have not returned.

use super::mask::{Mask, Wide};
use crate::models::{Effect, Step};

/// A pending call.
#[derive(Clone, Copy, Debug)]
struct Slot {
    call: u32,
    step: Step,
    returned: u64,
}

/// Pending calls by slot; slots are used again.
pub struct Pending<B> {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    /// Those that do not observe: equal steps beside one another, what returns first before.
    pub ordered: Vec<u32>,
    /// Those that observe.
    pub observing: B,
    /// Those that do not.
    pub moving: B,
    /// Those that overwrite.
    pub overwriting: B,
    /// Those that are legal in every state, the overwriting ones among them.
    pub total: B,
}

impl<B: Mask> Default for Pending<B> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            ordered: Vec::new(),
            observing: B::none(),
            moving: B::none(),
            overwriting: B::none(),
            total: B::none(),
        }
    }
}

impl<B: Mask> Pending<B> {
    /// Gives a call the slot that it holds until its return, at the index `returned`.
    #[inline]
    pub fn add(&mut self, call: u32, step: Step, returned: u64) -> u32 {
        let held = Slot {
            call,
            step,
            returned,
        };
        let slot = if let Some(slot) = self.vacant.pop() {
            self.slots[slot as usize] = held;
            slot
        } else {
            self.slots.push(held);
            u32::try_from(self.slots.len() - 1).expect("a history has fewer calls than 2^32")
        };
        if step.effect != Effect::Observes {
            let at = self.place(step, returned);
            self.ordered.insert(at, slot);
        }
        match step.effect {
            Effect::Observes => self.observing.insert(slot),
            Effect::Overwrites => {
                self.moving.insert(slot);
                self.overwriting.insert(slot);
                self.total.insert(slot);
            }
            Effect::Total => {
                self.moving.insert(slot);
                self.total.insert(slot);
            }
            Effect::Any => self.moving.insert(slot),
        }
        slot
    }

    /// Makes a slot vacant.
    #[inline]
    pub fn remove(&mut self, slot: u32) {
        if self.moving.has(slot) {
            let Slot { step, returned, .. } = self.slots[slot as usize];
            let at = self.place(step, returned);
            self.ordered.remove(at);
        }
        self.observing.remove(slot);
        self.moving.remove(slot);
        self.overwriting.remove(slot);
        self.total.remove(slot);
        self.vacant.push(slot);
    }

    #[inline]
    fn place(&self, step: Step, returned: u64) -> usize {
        self.ordered.partition_point(|&slot| {
            let other = &self.slots[slot as usize];
            (other.step, other.returned) < (step, returned)
        })
    }

    /// Is there a call with this step that is not among the done ones?
    pub fn alike(&self, step: Step, done: &B) -> bool {
        let first = self.place(step, 0);
        let mut alike = self.ordered[first..].iter();
        let mut alike = alike.by_ref().take_while(|&&slot| self.step(slot) == step);
        alike.any(|&slot| !done.has(slot))
    }

    /// The index at which the call in a slot returns.
    #[inline]
    pub fn returned(&self, slot: u32) -> u64 {
        self.slots[slot as usize].returned
    }

    /// What the call in a slot does.
    #[inline]
    pub fn step(&self, slot: u32) -> Step {
        self.slots[slot as usize].step
    }

    /// The call in a slot.
    pub fn call(&self, slot: u32) -> u32 {
        self.slots[slot as usize].call
    }

    /// The steps of all pending calls.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let pending = self.observing.or(&self.moving);
        pending.slots().map(|slot| self.step(slot))
    }

    /// Are 64 slots taken?
    #[inline]
    pub fn crowded(&self) -> bool {
        self.vacant.is_empty() && self.slots.len() >= 64
    }

    /// How many slots there are, vacant ones included.
    pub fn width(&self) -> usize {
        self.slots.len()
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + (self.vacant.capacity() + self.ordered.capacity()) * 4
    }
}

impl Pending<u64> {
    /// The same with room for more.
    pub fn widened(self) -> Pending<Wide> {
        Pending {
            slots: self.slots,
            vacant: self.vacant,
            ordered: self.ordered,
            observing: Wide::from(self.observing),
            moving: Wide::from(self.moving),
            overwriting: Wide::from(self.overwriting),
            total: Wide::from(self.total),
        }
    }
}
