//! Nothing a client sends may panic: every type's input with text and bytes that nearly make sense.

use duckmesh_catalog::types::{ColumnType, oid};
use proptest::prelude::*;

use super::*;

fn types() -> Vec<ColumnType> {
    let list = |ty: ColumnType| ColumnType::Array(Box::new(ty));
    vec![
        ColumnType::Bool,
        ColumnType::Int2,
        ColumnType::Int4,
        ColumnType::Int8,
        ColumnType::Float4,
        ColumnType::Float8,
        ColumnType::Numeric(10, 2),
        ColumnType::Numeric(38, 38),
        ColumnType::Varchar(Some(2)),
        ColumnType::Char(2),
        ColumnType::Bytea,
        ColumnType::Date,
        ColumnType::Time,
        ColumnType::Timestamp,
        ColumnType::Timestamptz,
        ColumnType::Interval,
        ColumnType::Uuid,
        ColumnType::Json,
        ColumnType::Jsonb,
        list(ColumnType::Timestamptz),
        list(ColumnType::Text),
    ]
}

fn take(text: &[u8], order: DateOrder, zone: &str, style: DateStyle) {
    let mut ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
    ctx.date_order = order;
    ctx.date_style = style;
    ctx.time_zone = TimeZone::parse(zone).unwrap_or(TimeZone::UTC);
    let ctx = std::sync::Arc::new(ctx);
    for ty in types() {
        for binary in [false, true] {
            let Ok(mut column) = ColumnBuilder::new(&ty, 1) else {
                continue;
            };
            let taken = if binary { column.append_binary(text, &ctx) } else { column.append_text(text, &ctx) };
            if taken.is_err() {
                continue;
            }
            let array = column.finish();
            let encoder = Encoder::new(array.data_type(), "", Some(&ty), &ctx).unwrap();
            let bound = encoder.bind(&array).unwrap();
            let mut out = bytes::BytesMut::new();
            bound.encode_text(0, &mut out).unwrap();
            bound.encode_binary(0, &mut out).unwrap();
            sql_literal(&ty, &array, 0).unwrap();
            let text = lake_text(&ty, &array, 0).unwrap().unwrap();
            let mut again = ColumnBuilder::new(&ty, 1).unwrap();
            again.append_lake_text(&text).unwrap();
            // A NaN has many forms in binary and one as text.
            let is_nan = matches!(ty, ColumnType::Float4 | ColumnType::Float8) && text == "NaN";
            assert!(is_nan || *again.finish() == *array, "{ty} {text:?}: {array:?}");
        }
    }
    for id in [oid::NUMERIC, oid::INTERVAL, oid::OID, oid::UNKNOWN] {
        let _ = literal(id, Param::Text(text), &ctx);
        let _ = literal(id, Param::Binary(text), &ctx);
    }
}

fn order() -> impl Strategy<Value = DateOrder> {
    prop_oneof![Just(DateOrder::Mdy), Just(DateOrder::Dmy), Just(DateOrder::Ymd)]
}

fn style() -> impl Strategy<Value = DateStyle> {
    prop_oneof![Just(DateStyle::Iso), Just(DateStyle::Sql), Just(DateStyle::Postgres), Just(DateStyle::German)]
}

fn zone() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("UTC"), Just("Europe/Paris"), Just("-3.5"), Just("Asia/Kolkata")]
}

/// Pieces that dates, numbers, arrays and JSON are made of.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[0-9]{1,10}",
        "[-+.:/ ,{}\\[\\]\"\\\\TZPe']",
        prop_oneof![
            Just("jan"),
            Just("bc"),
            Just("pm"),
            Just("day"),
            Just("year"),
            Just("mons"),
            Just("ago"),
            Just("j"),
            Just("infinity"),
            Just("null"),
            Just("true"),
            Just("Europe/Paris"),
            Just("99999999999999999999"),
            Just("2024-01-02"),
            Just("10:20:30.5"),
            Just("\\u00"),
            Just("\\x"),
            Just("é"),
            Just("y"),
            Just("m"),
        ]
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_that_nearly_makes_sense(text in nearly(), order in order(), style in style(), zone in zone()) {
        take(text.as_bytes(), order, zone, style);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40), order in order(), style in style()) {
        take(&bytes, order, "UTC", style);
    }

    #[test]
    fn any_zone(text in "[<>A-Za-z0-9:+./-]{0,12}") {
        if let Some(zone) = TimeZone::parse(&text) {
            let _ = zone.offset_at(i64::MAX);
            let _ = zone.offset_of_local(i64::MIN);
            prop_assert_eq!(TimeZone::parse(zone.name()).map(|z| z.offset_at(0)), Some(zone.offset_at(0)));
        }
    }
}

#[test]
fn zones_as_set_takes_them() {
    for (text, name, east) in [
        ("+02", "<+02>-02", 7200),
        ("-3.5", "<-03:30>+03:30", -12600),
        ("0", "<+00>-00", 0),
        ("+02:00", "+02:00", -7200),
        ("utc", "UTC", 0),
        ("europe/paris", "Europe/Paris", 3600),
        ("EST5", "EST5", -18000),
        ("<+02>-02", "<+02>-02", 7200),
        ("UTC+3", "UTC+3", -10800),
        ("gmt", "GMT", 0),
        ("est5edt", "EST5EDT", -18000),
        ("Zulu", "Zulu", 0),
    ] {
        let zone = TimeZone::parse(text).unwrap();
        assert_eq!((zone.name(), zone.offset_at(1_704_153_600_000_000)), (name, east), "{text}");
    }
    for text in ["bogus", "default", "", "170", "ACDT", "interval 3 hours", "NaN"] {
        assert_eq!(TimeZone::parse(text), None, "{text}");
    }
}
