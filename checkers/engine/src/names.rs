//! Names of operations and of errors as small numbers.

use rustc_hash::FxHashMap;

/// Names (of operations, of error codes) as small numbers; 0 is the empty name.
#[derive(Default)]
pub struct Names {
    /// Of the numbers from 1.
    names: Vec<Box<str>>,
    numbers: FxHashMap<Box<str>, u16>,
}

impl Names {
    /// The number of a name, if the history has it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u16> {
        if name.is_empty() {
            return Some(0);
        }
        self.numbers.get(name).copied()
    }

    /// The name with that number; empty where there is none.
    #[must_use]
    pub fn name(&self, number: u16) -> &str {
        let place = usize::from(number).checked_sub(1);
        place
            .and_then(|place| self.names.get(place))
            .map_or("", |name| name)
    }

    /// The number of a name, which is held from now on; `None` where there are too many.
    pub fn intern(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.number(name) {
            return Some(number);
        }
        let number = u16::try_from(self.names.len() + 1).ok()?;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        Some(number)
    }

    /// Bytes held, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text: usize = self.names.iter().map(|name| name.len()).sum();
        2 * text + self.names.capacity() * 16 + self.numbers.capacity() * 25
    }
}
