//! Names of types against PostgreSQL 15.

use super::name_to_type;

#[test]
fn types_by_name() {
    for (name, expected) in [
        ("int", "integer"),
        ("int4", "integer"),
        ("pg_catalog.int8", "bigint"),
        ("character varying(20)", "character varying(20)"),
        ("varchar", "character varying"),
        ("char", "character(1)"),
        ("bpchar(3)", "character(3)"),
        ("numeric", "numeric(38,9)"),
        ("decimal(10)", "numeric(10,0)"),
        ("pg_catalog.numeric(5,2)", "numeric(5,2)"),
        ("float(24)", "real"),
        ("float", "double precision"),
        ("double precision", "double precision"),
        ("timestamp", "timestamp without time zone"),
        ("timestamp with time zone", "timestamp with time zone"),
        ("timestamptz(6)", "timestamp(6) with time zone"),
        ("time(9)", "time(6) without time zone"),
        ("interval", "interval"),
        ("jsonb", "jsonb"),
        ("int[][]", "integer[]"),
        ("int array", "integer[]"),
        ("text[3]", "text[]"),
        ("_int4", "integer[]"),
        ("bytea", "bytea"),
        ("uuid", "uuid"),
        ("foo", "42704: type \"foo\" does not exist"),
        ("\"int\"", "42704: type \"int\" does not exist"),
        ("\"char\"", "0A000: type \"char\" is not supported in a lake"),
        ("numeric(39)", "0A000: a lake cannot hold numeric(39,0)"),
        ("numeric(1001)", "22023: NUMERIC precision 1001 must be between 1 and 1000"),
        ("numeric(5,-2)", "0A000: a lake cannot hold numeric(5,-2)"),
        ("varchar(0)", "22023: length for type varchar must be at least 1"),
        ("char(10485761)", "22023: length for type char cannot exceed 10485760"),
        ("float(54)", "22023: precision for type float must be less than 54 bits"),
        ("timestamp(3)", "timestamp(3) without time zone"),
        ("timestamp(0)[]", "timestamp(0) without time zone[]"),
        ("interval day to second(2)", "interval day to second(2)"),
        ("bit", "bit(1)"),
        ("bit varying(9)", "bit varying(9)"),
        ("varbit", "bit varying"),
        ("bit(0)", "22023: length for type bit must be at least 1"),
        ("timetz", "time with time zone"),
        ("time with time zone", "time with time zone"),
        ("inet", "inet"),
        ("_int4range", "int4range[]"),
        ("money", "money"),
        ("xml", "0A000: type xml is not supported in a lake"),
        ("serial", "42704: type \"serial\" does not exist"),
        ("tinyint", "42704: type \"tinyint\" does not exist"),
        ("public.foo", "42704: type \"public.foo\" does not exist"),
        ("int; drop", "42704: type \"int; drop\" does not exist"),
    ] {
        let got = match name_to_type(name) {
            Ok(ty) => ty.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected, "{name}");
    }
}
