//! JSON text to values, without anything in between.
//!
//! Rules
//! 1. What msgspec refuses is refused here: control characters in strings, lone surrogates, numbers
//!    beyond a float, integers of more than `INTEGER_MAX` characters.
//! 2. Recursion is as deep as the text nests, at most `DEPTH_MAX`, as in `checkers.formats`.
//! 3. A string without an escape is never copied but into the table of values.
//!
//! Sources: RFC 8259.

use std::borrow::Cow;

use crate::value::{Full, Value, Values, sort_members};

/// As `checkers.formats.edn_reader.DEPTH_MAX`.
pub const DEPTH_MAX: u32 = 100;

/// Characters of an integer, as msgspec has it.
const INTEGER_MAX: usize = 4300;

/// Why a text was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is no JSON.
    Malformed,
    /// It may be, and passes a limit or is not what was asked for.
    Refused,
}

impl From<Full> for Fault {
    fn from(_: Full) -> Self {
        Fault::Refused
    }
}

/// A number as it is written.
pub enum Number<'a> {
    /// An integer.
    Int(i64),
    /// A longer one, in canonical digits.
    Big(&'a str),
    /// One with a fraction or an exponent.
    Float(f64),
}

/// Reads one text from its beginning to its end.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// Room for the parts of values that are not complete yet; kept from one text to the next.
#[derive(Default)]
pub struct Parts {
    items: Vec<Value>,
    /// Members of objects; an object is rare enough to copy its own out.
    members: Vec<(Value, Value)>,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Reader { text, at: 0 }
    }

    /// The next byte that is no white space; it is not taken.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes a byte if it is the next one after white space.
    pub fn takes(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    /// Takes a byte, which must be the next one after white space.
    ///
    /// # Errors
    /// `Malformed`
    pub fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(Fault::Malformed)
        }
    }

    /// Is the whole text taken, white space apart?
    pub fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes the name of the next member of an object and its colon, `None` at the end of the
    /// object. Before the first, the opening brace was taken.
    ///
    /// # Errors
    /// `Malformed`
    pub fn member(&mut self, first: &mut bool) -> Result<Option<Cow<'a, str>>, Fault> {
        if !self.another(first, b'}')? {
            return Ok(None);
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(Some(name))
    }

    /// Is there another element before `close`? Takes the comma, or `close`.
    fn another(&mut self, first: &mut bool, close: u8) -> Result<bool, Fault> {
        if self.takes(close) {
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Takes a string.
    ///
    /// # Errors
    /// `Malformed`
    pub fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.expect(b'"')?;
        let plain = self.plain()?;
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            let byte = self.text.as_bytes().get(self.at);
            self.at += 1;
            match byte {
                Some(b'"') => return Ok(Cow::Owned(text)),
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(Fault::Malformed),
            }
            text.push_str(self.plain()?);
        }
    }

    /// Takes what stands before the next quote, backslash or control character.
    fn plain(&mut self) -> Result<&'a str, Fault> {
        let rest = &self.text.as_bytes()[self.at.min(self.text.len())..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
            .ok_or(Fault::Malformed)?;
        let plain = self.text.get(self.at..self.at + length);
        self.at += length;
        plain.ok_or(Fault::Malformed)
    }

    /// Takes what follows a backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let byte = *self.text.as_bytes().get(self.at).ok_or(Fault::Malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            _ => return Err(Fault::Malformed),
        })
    }

    fn code_point(&mut self) -> Result<char, Fault> {
        let mut code = self.four_digits()?;
        if (0xD800..0xDC00).contains(&code) {
            if self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") {
                return Err(Fault::Malformed);
            }
            self.at += 2;
            let low = self.four_digits()?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(Fault::Malformed);
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        char::from_u32(code).ok_or(Fault::Malformed)
    }

    fn four_digits(&mut self) -> Result<u32, Fault> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or(Fault::Malformed)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Fault::Malformed); // from_str_radix would take a sign
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Fault::Malformed)
    }

    /// Takes a number.
    ///
    /// # Errors
    /// `Malformed`; `Refused` where it is too large.
    pub fn number(&mut self) -> Result<Number<'a>, Fault> {
        let negative = self.takes(b'-');
        let start = self.at - usize::from(negative);
        let digits = self.digits()?;
        let bytes = self.text.as_bytes();
        if digits > 1 && bytes.get(self.at - digits) == Some(&b'0') {
            return Err(Fault::Malformed);
        }
        if matches!(bytes.get(self.at), Some(b'.' | b'e' | b'E')) {
            return self.float(start);
        }
        let text = self.text.get(start..self.at).ok_or(Fault::Malformed)?;
        match text.parse() {
            Ok(integer) => Ok(Number::Int(integer)),
            Err(_) if text.len() > INTEGER_MAX => Err(Fault::Refused),
            Err(_) => Ok(Number::Big(text)),
        }
    }

    /// Takes the rest of a number whose integer part was taken.
    fn float(&mut self, start: usize) -> Result<Number<'a>, Fault> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = self.text.get(start..self.at).ok_or(Fault::Malformed)?;
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Number::Float(float)),
            _ => Err(Fault::Refused),
        }
    }

    /// Takes digits, at least one; how many?
    fn digits(&mut self) -> Result<usize, Fault> {
        let rest = &self.text.as_bytes()[self.at.min(self.text.len())..];
        let others = rest.iter().position(|byte| !byte.is_ascii_digit());
        let count = others.unwrap_or(rest.len());
        self.at += count;
        if count == 0 {
            return Err(Fault::Malformed);
        }
        Ok(count)
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Fault::Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes null if it is next.
    pub fn takes_null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.word("null").is_ok()
    }

    /// Is a string next?
    pub fn at_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Is an object next?
    pub fn at_object(&mut self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Takes any value.
    ///
    /// # Errors
    /// `Malformed`; `Refused` where it passes a limit.
    pub fn value(&mut self, values: &mut Values, parts: &mut Parts) -> Result<Value, Fault> {
        parts.items.clear();
        parts.members.clear();
        self.nested(values, parts, 0)
    }

    fn nested(
        &mut self,
        values: &mut Values,
        parts: &mut Parts,
        depth: u32,
    ) -> Result<Value, Fault> {
        match self.peek().ok_or(Fault::Malformed)? {
            b'n' => self.word("null").map(|()| Value::NIL),
            b't' => self.word("true").map(|()| Value::TRUE),
            b'f' => self.word("false").map(|()| Value::FALSE),
            b'"' => Ok(values.text(&self.string()?)?),
            b'[' | b'{' if depth == DEPTH_MAX => Err(Fault::Refused),
            b'[' => self.list(values, parts, depth),
            b'{' => self.map(values, parts, depth),
            _ => Ok(match self.number()? {
                Number::Int(integer) => values.int(integer)?,
                Number::Big(digits) => values.big(digits)?,
                Number::Float(float) => values.float(float)?,
            }),
        }
    }

    fn list(&mut self, values: &mut Values, parts: &mut Parts, depth: u32) -> Result<Value, Fault> {
        self.expect(b'[')?;
        let (start, mut first) = (parts.items.len(), true);
        while self.another(&mut first, b']')? {
            let item = self.nested(values, parts, depth + 1)?;
            parts.items.push(item);
        }
        let list = values.list(&parts.items[start..])?;
        parts.items.truncate(start);
        Ok(list)
    }

    fn map(&mut self, values: &mut Values, parts: &mut Parts, depth: u32) -> Result<Value, Fault> {
        self.expect(b'{')?;
        let (start, mut first) = (parts.members.len(), true);
        while let Some(name) = self.member(&mut first)? {
            let name = values.text(&name)?;
            let member = self.nested(values, parts, depth + 1)?;
            parts.members.push((name, member));
        }
        let mut members = parts.members.split_off(start);
        sort_members(&mut members);
        Ok(values.map(&members)?)
    }

    /// Takes any value and forgets it.
    ///
    /// # Errors
    /// `Malformed`; `Refused` where it passes a limit.
    pub fn skip(&mut self) -> Result<(), Fault> {
        self.skip_nested(0)
    }

    fn skip_nested(&mut self, depth: u32) -> Result<(), Fault> {
        let mut first = true;
        match self.peek().ok_or(Fault::Malformed)? {
            b'n' => self.word("null")?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'"' => drop(self.string()?),
            b'[' | b'{' if depth == DEPTH_MAX => return Err(Fault::Refused),
            b'[' => {
                self.expect(b'[')?;
                while self.another(&mut first, b']')? {
                    self.skip_nested(depth + 1)?;
                }
            }
            b'{' => {
                self.expect(b'{')?;
                while self.member(&mut first)?.is_some() {
                    self.skip_nested(depth + 1)?;
                }
            }
            _ => {
                self.number()?;
            }
        }
        Ok(())
    }
}
