//! JSON values as numbers.
//!
//! Rules
//! 1. Within one table of values, two numbers are equal exactly where the JSON values are equal:
//!    1 and 1.0 are, true and 1 are not, NaN equals itself, the order of an object's members does
//!    not count. It is the equality of `checkers.history.freeze`.
//! 2. Integers from -2^30 up to 2^30 are held in the number itself; everything else is interned.
//! 3. A list is interned as the numbers of its elements, so what it shares is stored once.
//! 4. Nothing here recurses: a value is made of values that were made before.

mod sweep;

use crate::pool::Pool;

pub use crate::pool::Full;

/// A JSON value of one table of values; `Value::NIL` is null.
///
/// The highest bit marks an integer that is held here, in the 31 bits below it, from `-BIAS`. Of
/// the others, three bits tell the kind and 28 number the value among those of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value(pub u32);

const INLINE: u32 = 1 << 31;
const BIAS: i64 = 1 << 30;
const KIND_SHIFT: u32 = 28;
const NUMBER: u32 = (1 << KIND_SHIFT) - 1;

const PLAIN: u32 = 0; // null, false, true, then the opaque ones
const INT: u32 = 1;
const FLOAT: u32 = 2;
const BIG: u32 = 3;
const TEXT: u32 = 4;
const LIST: u32 = 5;
const MAP: u32 = 6;
const SET: u32 = 7;

const FIRST_OPAQUE: u32 = 3;

impl Value {
    /// JSON's null.
    pub const NIL: Value = Value(0);
    /// JSON's false.
    pub const FALSE: Value = Value(1);
    /// JSON's true.
    pub const TRUE: Value = Value(2);
    /// Equals no value of any table: stands for one that a history does not hold.
    pub const STRANGER: Value = Value(NUMBER);

    /// The integer, if it is a small one: the same number in every table.
    #[must_use]
    pub const fn small(integer: i64) -> Option<Value> {
        if integer < -BIAS || integer >= BIAS {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 31 bits by the guard
        Some(Value(INLINE | (integer + BIAS) as u32))
    }

    /// The small integer that this is.
    #[must_use]
    pub const fn as_small(self) -> Option<i64> {
        if self.0 & INLINE == 0 {
            return None;
        }
        Some((self.0 & !INLINE) as i64 - BIAS)
    }

    /// True and false.
    #[must_use]
    pub const fn truth(truth: bool) -> Value {
        if truth { Value::TRUE } else { Value::FALSE }
    }

    /// A value that only its owner knows, by the owner's number.
    ///
    /// # Errors
    /// `Full`
    pub fn opaque(number: u32) -> Result<Value, Full> {
        if number >= NUMBER - FIRST_OPAQUE {
            return Err(Full);
        }
        Ok(Value::of(PLAIN, FIRST_OPAQUE + number))
    }

    const fn of(kind: u32, number: u32) -> Value {
        Value(kind << KIND_SHIFT | number)
    }

    const fn kind(self) -> u32 {
        self.0 >> KIND_SHIFT
    }

    const fn number(self) -> u32 {
        self.0 & NUMBER
    }
}

/// What a value is. Members of lists, maps and sets are values of the same table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Json<'a> {
    /// null
    Nil,
    /// true, false
    Bool(bool),
    /// An integer, or a float that is one, within 64 bits.
    Int(i64),
    /// A larger one, in canonical decimal digits.
    Big(&'a str),
    /// A float that is no integer; NaN and the infinities among them.
    Float(f64),
    /// A string.
    Text(&'a str),
    /// An array.
    List(&'a [Value]),
    /// An object, as pairs (name, member) sorted by the number of the name.
    Map(&'a [(Value, Value)]),
    /// A set (EDN has them), sorted by number.
    Set(&'a [Value]),
    /// A value of Python that is none of these; only whoever interned it knows which.
    Opaque(u32),
}

/// A table of values.
#[derive(Default)]
pub struct Values {
    /// Strings, and the digits of large integers.
    texts: Pool<u8>,
    /// Integers and floats, as their 64 bits.
    numbers: Pool<u64>,
    /// Lists and sets.
    lists: Pool<Value>,
    maps: Pool<(Value, Value)>,
}

impl Values {
    /// What the value is; `Nil` for a number that this table never handed out.
    #[must_use]
    pub fn get(&self, value: Value) -> Json<'_> {
        if let Some(integer) = value.as_small() {
            return Json::Int(integer);
        }
        let number = value.number();
        match value.kind() {
            PLAIN => match value {
                Value::NIL | Value::STRANGER => Json::Nil,
                Value::FALSE => Json::Bool(false),
                Value::TRUE => Json::Bool(true),
                _ => Json::Opaque(number - FIRST_OPAQUE),
            },
            INT => Json::Int(i64::from_ne_bytes(self.bits(number).to_ne_bytes())),
            FLOAT => Json::Float(f64::from_bits(self.bits(number))),
            BIG => Json::Big(self.text_at(number)),
            TEXT => Json::Text(self.text_at(number)),
            LIST => Json::List(self.lists.get(number)),
            MAP => Json::Map(self.maps.get(number)),
            _ => Json::Set(self.lists.get(number)),
        }
    }

    /// The number of a value, if this table holds it; members must be values of this table, those
    /// of maps and sets sorted.
    #[must_use]
    pub fn find(&self, json: Json<'_>) -> Option<Value> {
        let (kind, number) = match json {
            Json::Nil => return Some(Value::NIL),
            Json::Bool(truth) => return Some(Value::truth(truth)),
            Json::Opaque(number) => (PLAIN, Some(FIRST_OPAQUE + number)),
            Json::Int(integer) => match Value::small(integer) {
                Some(value) => return Some(value),
                None => (INT, self.numbers.find(&[bits_of(integer)])),
            },
            Json::Float(float) => match whole(float) {
                Whole::Int(integer) => return self.find(Json::Int(integer)),
                Whole::Big(digits) => return self.find(Json::Big(&digits)),
                Whole::No(bits) => (FLOAT, self.numbers.find(&[bits])),
            },
            Json::Big(digits) => (BIG, self.texts.find(digits.as_bytes())),
            Json::Text(text) => (TEXT, self.texts.find(text.as_bytes())),
            Json::List(items) => (LIST, self.lists.find(items)),
            Json::Map(members) => (MAP, self.maps.find(members)),
            Json::Set(items) => (SET, self.lists.find(items)),
        };
        number.map(|number| Value::of(kind, number))
    }

    /// An integer.
    ///
    /// # Errors
    /// `Full`, as from every function here that interns.
    pub fn int(&mut self, integer: i64) -> Result<Value, Full> {
        match Value::small(integer) {
            Some(value) => Ok(value),
            None => self.number(INT, bits_of(integer)),
        }
    }

    /// A float, which is an integer if it equals one.
    ///
    /// # Errors
    /// `Full`
    pub fn float(&mut self, float: f64) -> Result<Value, Full> {
        match whole(float) {
            Whole::Int(integer) => self.int(integer),
            Whole::Big(digits) => self.big(&digits),
            Whole::No(bits) => self.number(FLOAT, bits),
        }
    }

    /// An integer in decimal digits: no leading zero, no plus, no minus zero.
    ///
    /// # Errors
    /// `Full`
    pub fn big(&mut self, digits: &str) -> Result<Value, Full> {
        match digits.parse() {
            Ok(integer) => self.int(integer),
            Err(_) => self.bytes_of(BIG, digits.as_bytes()),
        }
    }

    /// A string.
    ///
    /// # Errors
    /// `Full`
    pub fn text(&mut self, text: &str) -> Result<Value, Full> {
        self.bytes_of(TEXT, text.as_bytes())
    }

    /// An array.
    ///
    /// # Errors
    /// `Full`
    pub fn list(&mut self, items: &[Value]) -> Result<Value, Full> {
        let number = self.lists.intern(items, NUMBER)?;
        Ok(Value::of(LIST, number))
    }

    /// An object; its members sorted by `sort_members`.
    ///
    /// # Errors
    /// `Full`
    pub fn map(&mut self, members: &[(Value, Value)]) -> Result<Value, Full> {
        let number = self.maps.intern(members, NUMBER)?;
        Ok(Value::of(MAP, number))
    }

    /// A set; its members sorted by `sort_items`.
    ///
    /// # Errors
    /// `Full`
    pub fn set(&mut self, items: &[Value]) -> Result<Value, Full> {
        let number = self.lists.intern(items, NUMBER)?;
        Ok(Value::of(SET, number))
    }

    /// Any value; see `int`, `float`, `big`, `map` and `set`.
    ///
    /// # Errors
    /// `Full`
    pub fn intern(&mut self, json: Json<'_>) -> Result<Value, Full> {
        match json {
            Json::Nil => Ok(Value::NIL),
            Json::Bool(truth) => Ok(Value::truth(truth)),
            Json::Int(integer) => self.int(integer),
            Json::Big(digits) => self.big(digits),
            Json::Float(float) => self.float(float),
            Json::Text(text) => self.text(text),
            Json::List(items) => self.list(items),
            Json::Map(members) => self.map(members),
            Json::Set(items) => self.set(items),
            Json::Opaque(number) => Value::opaque(number),
        }
    }

    /// Gives back what was reserved for growth.
    pub fn shrink(&mut self) {
        self.texts.shrink();
        self.numbers.shrink();
        self.lists.shrink();
        self.maps.shrink();
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.texts.bytes() + self.numbers.bytes() + self.lists.bytes() + self.maps.bytes()
    }

    fn number(&mut self, kind: u32, bits: u64) -> Result<Value, Full> {
        let number = self.numbers.intern(&[bits], NUMBER)?;
        Ok(Value::of(kind, number))
    }

    /// Text of a string that was already checked to be UTF-8.
    fn bytes_of(&mut self, kind: u32, bytes: &[u8]) -> Result<Value, Full> {
        let number = self.texts.intern(bytes, NUMBER)?;
        Ok(Value::of(kind, number))
    }

    fn bits(&self, number: u32) -> u64 {
        self.numbers.get(number).first().copied().unwrap_or(0)
    }

    /// The bytes of a string; `None` of anything else.
    #[must_use]
    pub fn text_bytes(&self, value: Value) -> Option<&[u8]> {
        let text = value.as_small().is_none() && value.kind() == TEXT;
        text.then(|| self.texts.get(value.number()))
    }

    fn text_at(&self, number: u32) -> &str {
        std::str::from_utf8(self.texts.get(number)).unwrap_or_default() // only text was put in
    }
}

/// Sorts the members of an object; of those with the same name the last one counts.
pub fn sort_members(members: &mut Vec<(Value, Value)>) {
    members.reverse();
    members.sort_by_key(|&(name, _)| name); // stable: the last one written comes first
    members.dedup_by_key(|&mut (name, _)| name);
}

/// Sorts the members of a set, each of which counts once.
pub fn sort_items(items: &mut Vec<Value>) {
    items.sort_unstable();
    items.dedup();
}

fn bits_of(integer: i64) -> u64 {
    u64::from_ne_bytes(integer.to_ne_bytes())
}

enum Whole {
    Int(i64),
    Big(String),
    No(u64),
}

/// The integer that a float equals, or its bits.
fn whole(float: f64) -> Whole {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63
    if float.is_nan() {
        return Whole::No(f64::NAN.to_bits());
    }
    if float.fract() != 0.0 || float.is_infinite() {
        return Whole::No(float.to_bits());
    }
    if (-LIMIT..LIMIT).contains(&float) {
        #[allow(clippy::cast_possible_truncation)] // whole and within 64 bits
        return Whole::Int(float as i64);
    }
    Whole::Big(format!("{float:.0}"))
}

#[cfg(test)]
mod tests;
