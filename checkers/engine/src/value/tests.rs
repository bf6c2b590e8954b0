use super::{Full, Json, Value, Values, sort_members};

#[test]
fn numbers_are_equal_where_json_says_so() {
    let mut values = Values::default();

    assert_eq!(values.int(1), values.float(1.0));
    assert_eq!(values.int(0), values.float(-0.0));
    assert_eq!(
        values.big("100000000000000000000"),
        values.float(1e20),
        "a float beyond 64 bits is its exact integer"
    );
    assert_eq!(
        values.int(i64::MIN),
        values.float(-9_223_372_036_854_775_808.0)
    );
    assert_ne!(
        values.int(i64::MAX),
        values.float(9_223_372_036_854_775_807.0)
    );
    assert_eq!(values.float(f64::NAN), values.float(-f64::NAN));
    assert_ne!(values.int(1), Ok(Value::TRUE));
    assert_ne!(values.int(0), Ok(Value::FALSE));
    assert_ne!(values.text("1"), values.int(1));
    assert_ne!(values.text("100000000000000000000"), values.float(1e20));
}

#[test]
fn what_goes_in_comes_out() -> Result<(), Full> {
    let mut values = Values::default();
    for integer in [
        0,
        -1,
        (1 << 30) - 1,
        1 << 30,
        -(1 << 30),
        -(1 << 30) - 1,
        i64::MIN,
    ] {
        let value = values.int(integer)?;
        assert_eq!(values.get(value), Json::Int(integer));
        assert_eq!(values.find(Json::Int(integer)), Some(value));
    }
    for text in ["", "a", "\u{1F600}\0"] {
        let value = values.text(text)?;
        assert_eq!(values.get(value), Json::Text(text));
    }
    for float in [0.5, 1e-300, f64::INFINITY, f64::NEG_INFINITY] {
        let value = values.float(float)?;
        assert_eq!(values.get(value), Json::Float(float));
    }
    assert_eq!(values.get(Value::opaque(7)?), Json::Opaque(7));
    Ok(())
}

#[test]
fn the_order_of_members_does_not_count() {
    let members = |mut members: Vec<(u32, u32)>| {
        let mut members = members
            .drain(..)
            .map(|(a, b)| (Value(a), Value(b)))
            .collect();
        sort_members(&mut members);
        members
    };
    let straight = members(vec![(1, 5), (2, 6)]);

    assert_eq!(members(vec![(2, 6), (1, 5)]), straight);
    assert_eq!(
        members(vec![(2, 5), (1, 5), (2, 6)]),
        straight,
        "the last one counts"
    );
    assert_ne!(members(vec![(1, 6), (2, 5)]), straight);
}

#[test]
fn collections_of_different_kinds_differ() -> Result<(), Full> {
    let mut values = Values::default();
    let a = values.text("a")?;

    assert_ne!(values.set(&[a])?, values.list(&[a])?);
    assert_ne!(values.list(&[])?, values.map(&[])?);
    assert_ne!(values.list(&[])?, Value::NIL);
    assert_eq!(values.list(&[a, a])?, values.list(&[a, a])?);
    Ok(())
}

#[test]
fn what_is_not_held_is_not_found() -> Result<(), Full> {
    let mut values = Values::default();
    let a = values.text("a")?;

    assert_eq!(values.find(Json::Text("a")), Some(a));
    assert_eq!(values.find(Json::Text("b")), None);
    assert_eq!(values.find(Json::Float(3.0)), Value::small(3));
    assert_ne!(values.find(Json::Nil), Some(Value::STRANGER));
    Ok(())
}
