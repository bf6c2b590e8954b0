//! history.jsonl, read piece by piece into a table.
//!
//! Rules
//! 1. A file is taken where `checkers.formats.jsonl` takes it, and never where that one does not:
//!    in doubt it is `Unreadable`, and Python reads it.
//! 2. Memory is the table and one piece of the file, or the longest line where that is longer.
//! 3. A last line without a line feed that is no whole object was torn, and is dropped; `torn`
//!    tells, because the user must be told.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};

use crate::builder::{Kind, Operation, TableBuilder, Unreadable};
use crate::json::{Fault, Number, Parts, Reader};
use crate::table::{Outcome, Table};
use crate::value::{Json, Value, Values};

/// Bytes that are read at once; about five milliseconds of work.
const PIECE: usize = 1 << 19;

/// Names of processes that are told; there may be as many as lines.
const UNJUDGED_MAX: usize = 1000;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Unreadable
    }
}

impl From<Fault> for Unreadable {
    fn from(_: Fault) -> Self {
        Unreadable
    }
}

/// A history as it was read.
pub struct Reading {
    /// Its calls.
    pub table: Table,
    /// Number and bytes of a last line that was torn.
    pub torn: Option<(u64, Vec<u8>)>,
    /// Processes with a name, the nemesis apart, that completed something as a client does.
    pub unjudged: BTreeSet<String>,
}

/// Reads a history; `step` again and again, then `finish`.
pub struct Journal<R> {
    file: R,
    /// What was read and not yet taken is `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    lines: u64,
    operations: u64,
    builder: TableBuilder,
    parts: Parts,
    torn: Option<(u64, Vec<u8>)>,
    unjudged: BTreeSet<String>,
}

impl<R: Read> Journal<R> {
    /// Begins at the beginning of `file`.
    pub fn new(file: R) -> Self {
        Journal {
            file,
            buffer: vec![0; PIECE],
            start: 0,
            end: 0,
            lines: 0,
            operations: 0,
            builder: TableBuilder::default(),
            parts: Parts::default(),
            torn: None,
            unjudged: BTreeSet::new(),
        }
    }

    /// Reads the next piece; is there more?
    ///
    /// # Errors
    /// `Unreadable`
    pub fn step(&mut self) -> Result<bool, Unreadable> {
        self.make_room();
        let got = match self.file.read(&mut self.buffer[self.end..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            got => got?,
        };
        let searched = self.end;
        self.end += got;
        if got == 0 {
            self.last_line()?;
            return Ok(false);
        }
        if !self.buffer[searched..self.end].contains(&b'\n') {
            return Ok(true); // a line longer than a piece is looked through once
        }
        let buffer = std::mem::take(&mut self.buffer);
        let taken = self.take_lines(&buffer[..self.end]);
        self.buffer = buffer;
        taken.map(|()| true)
    }

    /// Moves what is left to the front, and makes room for a piece behind it.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < PIECE / 2 {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
    }

    fn take_lines(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        while let Some(length) = bytes[self.start..].iter().position(|&byte| byte == b'\n') {
            let line = &bytes[self.start..self.start + length];
            self.start += length + 1;
            self.lines += 1;
            let line = if self.lines == 1 {
                without_mark(line)
            } else {
                line
            };
            if !is_blank(line) {
                self.line(line)?;
            }
        }
        Ok(())
    }

    fn last_line(&mut self) -> Result<(), Unreadable> {
        let buffer = std::mem::take(&mut self.buffer);
        let line = &buffer[self.start..self.end];
        self.lines += 1;
        let line = if self.lines == 1 {
            without_mark(line)
        } else {
            line
        };
        if is_blank(line) {
            return Ok(());
        }
        let torn = std::str::from_utf8(line).map_or(true, |text| {
            let mut reader = Reader::new(text);
            if !reader.at_object() {
                return true;
            }
            match reader.skip() {
                Ok(()) => !reader.at_end(),
                Err(fault) => fault == Fault::Malformed,
            }
        });
        if !torn {
            return self.line(line);
        }
        self.torn = Some((self.lines, line.to_vec()));
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Unreadable> {
        let text = std::str::from_utf8(line).map_err(|_| Unreadable)?;
        let operation = operation(text, &mut self.builder.values, &mut self.parts)?;
        self.operations += 1;
        self.builder.take(&operation.as_taken())?;
        if let Json::Text(name) = self.builder.values.get(operation.process) {
            let completes = matches!(
                operation.kind,
                Kind::Completion(Outcome::Ok | Outcome::Fail)
            );
            if completes && name != "nemesis" && self.unjudged.len() < UNJUDGED_MAX {
                self.unjudged.insert(name.to_owned());
            }
        }
        Ok(())
    }

    /// The history, once `step` has said that there is no more.
    ///
    /// # Errors
    /// `Unreadable` where there was no operation.
    pub fn finish(self) -> Result<Reading, Unreadable> {
        if self.operations == 0 {
            return Err(Unreadable);
        }
        Ok(Reading {
            table: self.builder.finish(),
            torn: self.torn,
            unjudged: self.unjudged,
        })
    }
}

/// An operation as its line has it.
struct Line<'a> {
    index: i64,
    time: i64,
    process: Value,
    kind: Kind,
    f: Cow<'a, str>,
    value: Value,
    key: Value,
    code: Cow<'a, str>,
}

impl Line<'_> {
    fn as_taken(&self) -> Operation<'_> {
        Operation {
            index: self.index,
            time: self.time,
            process: self.process,
            kind: self.kind,
            f: &self.f,
            value: self.value,
            key: self.key,
            code: &self.code,
        }
    }
}

fn operation<'a>(text: &'a str, values: &mut Values, parts: &mut Parts) -> Result<Line<'a>, Fault> {
    let (mut index, mut time, mut process, mut kind, mut f) = (None, None, None, None, None);
    let (mut value, mut key, mut code) = (Value::NIL, Value::NIL, Cow::Borrowed(""));
    let mut reader = Reader::new(text);
    let mut first = true;
    reader.expect(b'{')?;
    while let Some(member) = reader.member(&mut first)? {
        match &*member {
            "index" => index = Some(integer(&mut reader)?),
            "time" => time = Some(integer(&mut reader)?),
            "process" => process = Some(process_of(&mut reader, values)?),
            "type" => kind = Some(Kind::of(&reader.string()?).ok_or(Fault::Refused)?),
            "f" => f = Some(reader.string()?),
            "value" => value = reader.value(values, parts)?,
            "key" => key = reader.value(values, parts)?,
            "error" => code = code_of(&mut reader)?,
            "node" if reader.takes_null() => {}
            "node" => drop(reader.string()?),
            _ => reader.skip()?,
        }
    }
    if !reader.at_end() {
        return Err(Fault::Malformed);
    }
    Ok(Line {
        index: index.ok_or(Fault::Refused)?,
        time: time.ok_or(Fault::Refused)?,
        process: process.ok_or(Fault::Refused)?,
        kind: kind.ok_or(Fault::Refused)?,
        f: f.ok_or(Fault::Refused)?,
        value,
        key,
        code,
    })
}

fn integer(reader: &mut Reader<'_>) -> Result<i64, Fault> {
    match reader.number()? {
        Number::Int(integer) => Ok(integer),
        _ => Err(Fault::Refused),
    }
}

/// A client by its number, or another process by its name.
fn process_of(reader: &mut Reader<'_>, values: &mut Values) -> Result<Value, Fault> {
    if reader.at_string() {
        return Ok(values.text(&reader.string()?)?);
    }
    match reader.number()? {
        Number::Int(integer) => Ok(values.int(integer)?),
        Number::Big(digits) => Ok(values.big(digits)?),
        Number::Float(_) => Err(Fault::Refused),
    }
}

/// The code of an error; empty where there is none.
fn code_of<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Fault> {
    if reader.takes_null() {
        return Ok(Cow::Borrowed(""));
    }
    let (mut code, mut first) = (None, true);
    reader.expect(b'{')?;
    while let Some(member) = reader.member(&mut first)? {
        match &*member {
            "code" => code = Some(reader.string()?),
            "text" => drop(reader.string()?),
            _ => reader.skip()?,
        }
    }
    code.ok_or(Fault::Refused)
}

fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
}

/// As `bytes.isspace` of Python has it.
fn is_blank(line: &[u8]) -> bool {
    line.iter()
        .all(|&byte| byte.is_ascii_whitespace() || byte == 0x0b)
}
