//! Forgetting values that nobody names any more.

use super::{BIG, FLOAT, INT, Json, LIST, MAP, SET, TEXT, Value, Values};

/// The numbers of each pool that are named.
#[derive(Default)]
struct Named {
    texts: Vec<bool>,
    numbers: Vec<bool>,
    lists: Vec<bool>,
    maps: Vec<bool>,
}

impl Named {
    fn of_kind(&mut self, kind: u32) -> Option<&mut Vec<bool>> {
        match kind {
            TEXT | BIG => Some(&mut self.texts),
            INT | FLOAT => Some(&mut self.numbers),
            LIST | SET => Some(&mut self.lists),
            MAP => Some(&mut self.maps),
            _ => None,
        }
    }
}

impl Values {
    /// How many values are interned.
    #[must_use]
    pub fn interned(&self) -> usize {
        self.texts.len() + self.numbers.len() + self.lists.len() + self.maps.len()
    }

    /// Forgets every interned value but these, and those that are members of these. A number of
    /// another one must not be used any more; it will stand for another value.
    pub fn keep(&mut self, mut values: Vec<Value>) {
        let mut named = Named {
            texts: vec![false; self.texts.numbers()],
            numbers: vec![false; self.numbers.numbers()],
            lists: vec![false; self.lists.numbers()],
            maps: vec![false; self.maps.numbers()],
        };
        while let Some(value) = values.pop() {
            if value.as_small().is_some() {
                continue;
            }
            let number = value.number() as usize;
            let of_kind = named.of_kind(value.kind());
            let Some(seen) = of_kind.and_then(|numbers| numbers.get_mut(number)) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            match self.get(value) {
                Json::List(items) | Json::Set(items) => values.extend_from_slice(items),
                Json::Map(members) => values.extend(members.iter().flat_map(|&(a, b)| [a, b])),
                _ => {}
            }
        }
        self.texts.keep(|number| named.texts[number as usize]);
        self.numbers.keep(|number| named.numbers[number as usize]);
        self.lists.keep(|number| named.lists[number as usize]);
        self.maps.keep(|number| named.maps[number as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(values: &mut Values, text: &str) -> Value {
        let text = values.text(text).expect("room");
        values.list(&[text, Value::NIL]).expect("room")
    }

    #[test]
    fn what_is_named_stays_with_its_members() {
        let mut values = Values::default();
        let kept = pair(&mut values, "kept");
        let float = values.float(0.5).expect("room");
        pair(&mut values, "gone");

        values.keep(vec![kept, Value::TRUE, Value::STRANGER]);

        let Json::List(&[member, nil]) = values.get(kept) else {
            panic!("a list");
        };
        assert_eq!(Value::NIL, nil);
        assert_eq!(Json::Text("kept"), values.get(member));
        assert_eq!(None, values.find(Json::Text("gone")));
        assert_eq!(None, values.find(Json::Float(0.5)));
        assert_eq!(2, values.interned());
        assert_eq!(float, values.float(1.5).expect("room"));
        assert_eq!(kept, pair(&mut values, "kept"));
    }

    #[test]
    fn what_is_forgotten_makes_room_for_as_much() {
        let mut values = Values::default();
        for number in 10_000..11_000 {
            pair(&mut values, &number.to_string());
        }
        let held = values.texts.numbers() + values.lists.numbers();
        for round in 1..10 {
            values.keep(Vec::new());
            for number in 0..1_000 {
                let text = (10_000 + 1_000 * round + number).to_string();
                let pair = pair(&mut values, &text);
                let Json::List(&[member, _]) = values.get(pair) else {
                    panic!("a list");
                };
                assert_eq!(Json::Text(&text), values.get(member));
            }
        }

        assert_eq!(held, values.texts.numbers() + values.lists.numbers());
    }
}
