//! Methods of values, and arithmetic.

use super::{
    super::{
        Failure, Outcome,
        number::{self, Decimal, Number},
    },
    item::Item,
    parser::Method,
};

/// A method's value. `size` and `keyvalue` are the walk's.
pub fn apply(method: Method, item: &Item) -> Outcome<Item> {
    let name = method.name();
    match (method, item) {
        (Method::Double, Item::Number(text)) => double(text, true),
        (Method::Double, Item::String(text)) => double(text, false),
        (Method::Double, _) => Err(Failure::new(
            "22036",
            "jsonpath item method .double() can only be applied to a string or numeric value",
        )),
        (_, Item::Number(text)) => {
            let Number::Finite(number) = Number::read(text)? else { return Ok(item.clone()) };
            let text = match method {
                Method::Abs => Number::Finite(if number.mantissa.sign() == num_bigint::Sign::Minus {
                    Decimal::new(-number.mantissa, number.scale)
                } else {
                    number
                })
                .write(),
                Method::Floor => whole(&number, false),
                _ => whole(&number, true),
            };
            Ok(Item::number(text))
        }
        _ => {
            Err(Failure::new("22036", format!("jsonpath item method .{name}() can only be applied to a numeric value")))
        }
    }
}

fn whole(number: &Decimal, up: bool) -> String {
    let zero = Decimal::whole(0);
    let remainder = number.modulo(&Decimal::whole(1));
    let cut = number.minus(&remainder);
    let one = Decimal::whole(1);
    let moved = match remainder.compared(&zero) {
        std::cmp::Ordering::Greater if up => cut.plus(&one),
        std::cmp::Ordering::Less if !up => cut.minus(&one),
        _ => cut,
    };
    // A whole number: its places are zeros.
    let text = Number::Finite(moved).write();
    text.split_once('.').map_or(text.clone(), |(whole, _)| whole.to_owned())
}

fn double(text: &str, number: bool) -> Outcome<Item> {
    let what = if number { "numeric" } else { "string" };
    let invalid = || {
        let message = format!(
            "{what} argument of jsonpath item method .double() is not a valid representation of a double precision number"
        );
        Failure::new("22036", message)
    };
    let value: f64 = text.trim().parse().map_err(|_| invalid())?;
    if !value.is_finite() {
        return Err(
            if text.trim().parse::<f64>().is_ok() && !number && text.to_ascii_lowercase().contains(['n', 'i']) {
                Failure::new(
                    "22036",
                    "string argument of jsonpath item method .double() is not a valid representation of a double precision number",
                )
            } else {
                invalid()
            },
        );
    }
    let shown = format!("{value:?}");
    Ok(Item::number(Number::read(shown.strip_suffix(".0").unwrap_or(&shown))?.write()))
}

/// `a op b` of numbers.
pub fn arithmetic(op: char, a: &str, b: &str) -> Outcome<Item> {
    let (a, b) = (Number::read(a)?, Number::read(b)?);
    let result = match op {
        '+' => number::sum(&a, &b, false)?,
        '-' => number::sum(&a, &b, true)?,
        '*' => number::product(&a, &b)?,
        '/' => number::quotient(&a, &b)?,
        _ => number::modulo(&a, &b)?,
    };
    Ok(Item::number(result.write()))
}

/// `-a`
pub fn negated(a: &str) -> Outcome<Item> {
    Ok(Item::number(match Number::read(a)? {
        Number::Finite(number) => Number::Finite(Decimal::new(-number.mantissa, number.scale)).write(),
        other => other.write(),
    }))
}
