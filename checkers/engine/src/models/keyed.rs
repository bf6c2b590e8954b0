//! One key of a string store: get, put, append; initially the empty string.
//!
//! A string is a chain of blocks: seven bytes each but for the last, which has at least one. Cut
//! that way from the beginning, equal strings are one chain however they were put together.

use super::chains::{Chains, Piece, ROOT};
use super::interner::Interner;
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{Names, Outcome, Row};
use crate::value::{Value, Values};

const GET: u8 = 0;
const PUT: u8 = 1;
const APPEND: u8 = 2;

/// The model `kv`.
pub struct KeyedString {
    get: Option<u16>,
    put: Option<u16>,
    append: Option<u16>,
    strings: Chains,
    /// What is appended; what is put or read is a string of its own.
    pieces: Interner<Box<[u8]>>,
    scratch: Vec<u8>,
    /// The string that `strings` interned last.
    latest: Vec<u8>,
}

const BLOCK: usize = 7;

/// Up to seven bytes, and how many.
fn block(bytes: &[u8]) -> Piece {
    let mut whole = [0; BLOCK + 1];
    if let Ok(full) = <[u8; BLOCK]>::try_from(bytes) {
        whole[..BLOCK].copy_from_slice(&full); // of a length that the compiler knows
    } else {
        whole[..bytes.len()].copy_from_slice(bytes);
    }
    #[allow(clippy::cast_possible_truncation)] // at most 7
    let count = bytes.len() as u8;
    whole[BLOCK] = count;
    Piece::from_ne_bytes(whole)
}

/// The bytes of a block, and how many of them count.
fn bytes(piece: Piece) -> ([u8; BLOCK + 1], usize) {
    let whole = piece.to_ne_bytes();
    (whole, usize::from(whole[BLOCK]))
}

impl KeyedString {
    /// For a history with these names.
    #[must_use]
    pub fn new(names: &Names) -> Self {
        KeyedString {
            get: names.number("get"),
            put: names.number("put"),
            append: names.number("append"),
            strings: Chains::default(),
            pieces: Interner::default(),
            scratch: Vec::new(),
            latest: Vec::new(),
        }
    }

    fn whole(&mut self, text: &[u8]) -> u32 {
        // Most strings go on where the one before ended: only what differs is cut into blocks.
        let blocks = text
            .chunks_exact(BLOCK)
            .zip(self.latest.chunks_exact(BLOCK));
        let same = blocks.take_while(|(ours, theirs)| ours == theirs).count();
        self.latest.truncate(same * BLOCK);
        let rest = &text[same * BLOCK..];
        self.latest.extend_from_slice(rest);
        self.strings.pin_from(same, rest.chunks(BLOCK).map(block))
    }

    fn appended(&mut self, state: State, piece: u32) -> State {
        let mut string = state;
        self.scratch.clear();
        let (last, count) = bytes(self.strings.piece(state));
        if state != ROOT && count < BLOCK {
            string = self.strings.parent(state);
            self.scratch.extend_from_slice(&last[..count]);
        }
        self.scratch.extend_from_slice(self.pieces.get(piece));
        for chunk in self.scratch.chunks(BLOCK) {
            string = self.strings.push(string, block(chunk));
        }
        string
    }
}

impl Model for KeyedString {
    const FORESEES: bool = true;
    const NO_ANY: bool = true;

    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        let f = Some(row.f);
        let text = |value: Value| values.text_bytes(value).ok_or(Refused);
        if f == self.get {
            if row.outcome != Outcome::Ok {
                return Ok(None);
            }
            let seen = self.whole(text(row.output)?);
            return Ok(Some(Step {
                code: GET,
                effect: Effect::Observes,
                a: seen,
                b: 0,
            }));
        }
        if f != self.put && f != self.append {
            return Err(Refused);
        }
        if row.outcome == Outcome::Fail {
            return Ok(None);
        }
        let text = text(row.input)?;
        if f == self.put {
            let put = self.whole(text);
            return Ok(Some(Step {
                code: PUT,
                effect: Effect::Overwrites,
                a: put,
                b: 0,
            }));
        }
        let piece = self.pieces.intern(text, |bytes| bytes.into());
        let piece = self.pieces.pin(piece);
        Ok(Some(Step {
            code: APPEND,
            effect: Effect::Total,
            a: piece,
            b: 0,
        }))
    }

    fn init(&mut self) -> State {
        ROOT
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        match step.code {
            APPEND => Next::One(self.appended(state, step.a)),
            GET if state != step.a => Next::Illegal,
            _ => Next::One(step.a),
        }
    }

    /// Without a put the string only grows.
    fn leads_to(&mut self, state: State, step: Step) -> bool {
        if state == ROOT {
            return true;
        }
        let strings = &self.strings;
        if strings.depth(state) > strings.depth(step.a) {
            return false;
        }
        let beginning = strings.beginning(step.a, strings.depth(state));
        let ((ours, count), (theirs, at_most)) =
            (bytes(strings.piece(state)), bytes(strings.piece(beginning)));
        beginning == state
            || strings.parent(beginning) == strings.parent(state)
                && count <= at_most
                && ours[..count] == theirs[..count]
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        (step.code == GET).then_some(step.a)
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        (step.code != APPEND).then_some(step.a)
    }

    fn held(&self) -> usize {
        self.strings.held() + self.pieces.held()
    }

    fn collect(&mut self, live: &[State]) {
        self.strings.collect(live.iter().copied());
    }

    fn collect_steps(&mut self, live: &[Step]) {
        let (appends, others) = (live.iter(), live.iter());
        self.strings
            .unpin(others.filter(|step| step.code != APPEND).map(|step| step.a));
        self.pieces.unpin(
            appends
                .filter(|step| step.code == APPEND)
                .map(|step| step.a),
        );
        self.pieces.collect([].into_iter());
    }
}
