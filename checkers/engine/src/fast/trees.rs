//! Trees over numbered places: the greatest of a range, limits set to ranges, and how often places
//! are covered.

/// The greatest of a range of places. 0 stands for an empty place.
pub(super) struct Greatest {
    leaves: usize,
    nodes: Vec<u32>,
}

impl Greatest {
    /// A tree with these values at the places 0, 1, 2 ...
    pub fn of(values: impl ExactSizeIterator<Item = u32>) -> Self {
        let leaves = values.len().next_power_of_two();
        let mut nodes = vec![0; 2 * leaves];
        for (node, value) in nodes[leaves..].iter_mut().zip(values) {
            *node = value;
        }
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node].max(nodes[2 * node + 1]);
        }
        Self { leaves, nodes }
    }

    pub fn set(&mut self, place: u32, value: u32) {
        let mut node = self.leaves + place as usize;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
        }
    }

    /// The greatest of the places `from..until`, and a place that has it.
    pub fn within(&self, from: u32, until: u32) -> (u32, u32) {
        let (mut low, mut high) = (self.leaves + from as usize, self.leaves + until as usize);
        let mut best = (0, self.leaves);
        while low < high {
            if low % 2 == 1 {
                best = best.max((self.nodes[low], low));
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                best = best.max((self.nodes[high], high));
            }
            (low, high) = (low / 2, high / 2);
        }
        let (value, mut node) = best;
        while node < self.leaves {
            node = if self.nodes[2 * node] == value {
                2 * node
            } else {
                2 * node + 1
            };
        }
        (value, super::lives::number(node - self.leaves))
    }
}

/// The least limit that was set to each place.
pub(super) struct Limits {
    leaves: usize,
    nodes: Vec<u32>,
}

impl Limits {
    /// No limits.
    pub fn new(places: usize) -> Self {
        Self {
            leaves: places,
            nodes: vec![u32::MAX; 2 * places],
        }
    }

    /// Sets a limit to the places `from..until`.
    pub fn set(&mut self, from: u32, until: u32, limit: u32) {
        let (mut low, mut high) = (self.leaves + from as usize, self.leaves + until as usize);
        while low < high {
            if low % 2 == 1 {
                self.nodes[low] = self.nodes[low].min(limit);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.nodes[high] = self.nodes[high].min(limit);
            }
            (low, high) = (low / 2, high / 2);
        }
    }

    /// The least that was set to a place.
    pub fn get(&self, place: u32) -> u32 {
        let mut node = self.leaves + place as usize;
        let mut least = self.nodes[node];
        while node > 1 {
            node /= 2;
            least = least.min(self.nodes[node]);
        }
        least
    }
}

/// How often each slot is covered; a slot that is found uncovered is found once.
pub(super) struct Cover {
    leaves: usize,
    /// The least of the slots below, what was added above not counted.
    least: Vec<i32>,
    /// What was added to all slots below.
    added: Vec<i32>,
}

/// Stands for a slot that is gone: no number of zones brings it down to 0.
const GONE: i32 = i32::MAX / 2;

impl Cover {
    /// A tree of slots that are covered so often.
    pub fn of(counts: &[i32]) -> Self {
        let leaves = counts.len().next_power_of_two();
        let mut least = vec![GONE; 2 * leaves];
        least[leaves..leaves + counts.len()].copy_from_slice(counts);
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Self {
            leaves,
            least,
            added: vec![0; leaves],
        }
    }

    /// Takes one away from the slots `from..until`, and appends those that are now uncovered, in
    /// order, to `gaps`.
    pub fn uncover(&mut self, from: u32, until: u32, gaps: &mut Vec<u32>) {
        let range = [from as usize, until as usize];
        self.subtract(1, [0, self.leaves], range);
        self.find(1, [0, self.leaves], range, 0, gaps);
    }

    fn subtract(&mut self, node: usize, [low, high]: [usize; 2], range: [usize; 2]) {
        if range[1] <= low || high <= range[0] {
            return;
        }
        let inside = range[0] <= low && high <= range[1];
        if inside {
            self.least[node] -= 1;
            if node < self.leaves {
                self.added[node] -= 1;
            }
            return;
        }
        let middle = low.midpoint(high);
        self.subtract(2 * node, [low, middle], range);
        self.subtract(2 * node + 1, [middle, high], range);
        self.pull(node);
    }

    fn find(
        &mut self,
        node: usize,
        [low, high]: [usize; 2],
        range: [usize; 2],
        above: i32,
        gaps: &mut Vec<u32>,
    ) {
        if range[1] <= low || high <= range[0] || self.least[node] + above > 0 {
            return;
        }
        if node >= self.leaves {
            gaps.push(super::lives::number(low));
            self.least[node] = GONE;
            return;
        }
        let middle = low.midpoint(high);
        let above = above + self.added[node];
        self.find(2 * node, [low, middle], range, above, gaps);
        self.find(2 * node + 1, [middle, high], range, above, gaps);
        self.pull(node);
    }

    fn pull(&mut self, node: usize) {
        let below = self.least[2 * node].min(self.least[2 * node + 1]);
        self.least[node] = below + self.added[node];
    }
}
