//! COPY's syntax against PostgreSQL 15.

use super::*;

fn read(text: &str) -> String {
    let Some(mut scan) = Scan::new(text) else {
        return "no tokens".into();
    };
    if let Err(error) = scan.expect_word(&["copy"]) {
        return error.to_string();
    }
    match statement(&mut scan) {
        Ok(statement) => {
            let direction = match statement.direction {
                Direction::From => "from",
                Direction::To => "to",
            };
            let source = match statement.source {
                Source::Table { name, columns } => format!("{}{columns:?}", name.join(".")),
                Source::Query { sql, before } => format!("<{sql}>@{before}"),
            };
            let raw = statement.raw;
            let options = [
                raw.format.map(|v| format!("format={v}")),
                raw.delimiter.map(|v| format!("delimiter={v:?}")),
                raw.null.map(|v| format!("null={v:?}")),
                raw.header.map(|v| format!("header={v}")),
                raw.quote.map(|v| format!("quote={v}")),
                raw.escape.map(|v| format!("escape={v}")),
                raw.force_quote.map(|v| format!("force_quote={v:?}")),
                raw.force_not_null.map(|v| format!("force_not_null={v:?}")),
                raw.force_null.map(|v| format!("force_null={v:?}")),
                raw.encoding.map(|v| format!("encoding={v}")),
                raw.freeze.map(|v| format!("freeze={v}")),
                raw.on_error.map(|v| format!("on_error={v}")),
                raw.reject_limit.map(|v| format!("reject_limit={v}")),
                raw.log_verbosity.map(|v| format!("log_verbosity={v}")),
                statement.condition.map(|c| format!("where <{}>@{}", c.sql, c.before + 1)),
            ];
            let options: Vec<_> = options.into_iter().flatten().collect();
            format!("{direction} {source} {}", options.join(" ")).trim_end().to_owned()
        }
        Err(error) => format!("{error} @{}", error.fields().position.unwrap_or(0)),
    }
}

#[test]
fn syntax() {
    for (text, expected) in [
        ("COPY t FROM STDIN", "from t[]"),
        ("copy S.\"T\" (a, \"B\") from stdin;", "from s.T[\"a\", \"B\"]"),
        (
            "COPY t FROM STDIN WITH (FORMAT CSV, DELIMITER ',', NULL '', FORCE_NULL(\"k\"), ENCODING 'utf-8')",
            "from t[] format=csv delimiter=\",\" null=\"\" force_null=Named([\"k\"]) encoding=utf-8",
        ),
        ("copy t from stdin with (format csv, header true)", "from t[] format=csv header=true"),
        ("copy t from stdin (format 'csv', header match)", "from t[] format=csv header=match"),
        ("copy t from stdin (format csv, header)", "from t[] format=csv header="),
        ("COPY t TO STDOUT CSV HEADER", "to t[] format=csv header="),
        ("COPY t TO STDIN WITH DELIMITER E'\\t' NULL AS E'\\\\N'", "to t[] delimiter=\"\\t\" null=\"\\\\N\""),
        ("copy (select ')' from (values (1)) x) to stdout", "to <select ')' from (values (1)) x>@6"),
        (
            "copy t to stdout csv force quote a, b escape as '!'",
            "to t[] format=csv escape=! force_quote=Named([\"a\", \"b\"])",
        ),
        ("copy t to stdout (format csv, force_quote *)", "to t[] format=csv force_quote=All"),
        ("copy t from stdin (foo 1)", "42601: option \"foo\" not recognized @20"),
        ("copy t from stdin (format csv, format text)", "42601: conflicting or redundant options @32"),
        ("copy t from stdin csv csv", "42601: conflicting or redundant options @23"),
        ("copy (select 1) from stdin", "42601: syntax error at or near \"from\" @17"),
        ("copy t", "42601: syntax error at end of input @7"),
        ("copy t from stdin binary", "from t[] format=binary"),
        (
            "copy t from '/etc/passwd'",
            "42501: must be superuser or have privileges of the pg_read_server_files role to COPY from a file @0",
        ),
        (
            "copy t to '/x'",
            "42501: must be superuser or have privileges of the pg_write_server_files role to COPY to a file @0",
        ),
        (
            "copy t from program 'id'",
            "42501: must be superuser or have privileges of the pg_execute_server_program role to COPY to or from an external program @0",
        ),
        ("copy t from stdin where a > 1", "from t[] where <a > 1>@25"),
        (
            "copy t from stdin (format csv) where (a > ';' /* x */ or b) ;",
            "from t[] format=csv where <(a > ';' /* x */ or b)>@38",
        ),
        ("copy t from stdin csv where a", "from t[] format=csv where <a>@29"),
        ("copy t from stdin where", "42601: syntax error at end of input @24"),
        ("copy t to stdout where a", "42601: WHERE clause not allowed with COPY TO @18"),
        (
            "copy t from stdin (on_error ignore, reject_limit 10, log_verbosity verbose)",
            "from t[] on_error=ignore reject_limit=10 log_verbosity=verbose",
        ),
        ("copy t from stdin (reject_limit -5, on_error)", "from t[] on_error= reject_limit=-5"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}
