//! Settings against PostgreSQL 15: every expected text was printed by it.

use super::*;

fn settings() -> Settings {
    match Settings::new("ada", &[]) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    }
}

fn error_text(error: &PgError) -> String {
    let fields = error.fields();
    let mut text = error.to_string();
    for (label, part) in [("DETAIL", &fields.detail), ("HINT", &fields.hint)] {
        if let Some(part) = part {
            text.push_str(&format!(" {label}: {part}"));
        }
    }
    text
}

/// What SHOW says after SET; the error where SET fails.
fn after(settings: &mut Settings, name: &str, value: &str) -> String {
    match settings.set(name, Some(value), false) {
        Ok(()) => settings.get(name).unwrap_or_else(|| "unknown".into()),
        Err(error) => error_text(&error),
    }
}

#[test]
fn values_are_read_and_shown_as_postgres_does() {
    const UNITS: &str = "HINT: Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
    const BYTES: &str = "HINT: Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".";
    const LEVELS: &str = "HINT: Available values: debug5, debug4, debug3, debug2, debug1, log, notice, warning, error.";
    let mut settings = settings();
    for (name, value, expected) in [
        ("enable_seqscan", "foo", "22023: parameter \"enable_seqscan\" requires a Boolean value".to_owned()),
        ("enable_seqscan", "FAL", "off".to_owned()),
        ("enable_seqscan", "o", "22023: parameter \"enable_seqscan\" requires a Boolean value".to_owned()),
        ("statement_timeout", "abc", "22023: invalid value for parameter \"statement_timeout\": \"abc\"".to_owned()),
        ("statement_timeout", "1 foo", format!("22023: invalid value for parameter \"statement_timeout\": \"1 foo\" {UNITS}")),
        ("statement_timeout", "-5", "22023: -5 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)".to_owned()),
        ("statement_timeout", "100000000000", "22023: invalid value for parameter \"statement_timeout\": \"100000000000\" HINT: Value exceeds integer range.".to_owned()),
        ("statement_timeout", "60s", "1min".to_owned()),
        ("statement_timeout", "1.5s", "1500ms".to_owned()),
        ("statement_timeout", "90min", "90min".to_owned()),
        ("statement_timeout", " 0x10 ", "16ms".to_owned()),
        ("statement_timeout", "1.4us", "0".to_owned()),
        ("extra_float_digits", "7", "22023: 7 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)".to_owned()),
        ("extra_float_digits", "-3", "-3".to_owned()),
        ("work_mem", "3 foo", format!("22023: invalid value for parameter \"work_mem\": \"3 foo\" {BYTES}")),
        ("work_mem", "10MB", "10MB".to_owned()),
        ("work_mem", "1kB", "22023: 1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)".to_owned()),
        ("seq_page_cost", "x", "22023: invalid value for parameter \"seq_page_cost\": \"x\"".to_owned()),
        ("seq_page_cost", "-1", "22023: -1 is outside the valid range for parameter \"seq_page_cost\" (0 .. 1.79769e+308)".to_owned()),
        ("seq_page_cost", "1.50", "1.5".to_owned()),
        ("vacuum_cost_delay", "1500us", "1500us".to_owned()),
        ("vacuum_cost_delay", "200ms", "22023: 200 ms is outside the valid range for parameter \"vacuum_cost_delay\" (0 .. 100)".to_owned()),
        ("client_min_messages", "foo", format!("22023: invalid value for parameter \"client_min_messages\": \"foo\" {LEVELS}")),
        ("client_min_messages", "info", "info".to_owned()),
        ("client_min_messages", "WARNING", "warning".to_owned()),
        ("client_encoding", "foo", "22023: invalid value for parameter \"client_encoding\": \"foo\"".to_owned()),
        ("client_encoding", "'utf-8'", "UTF8".to_owned()),
        ("client_encoding", "unicode", "UTF8".to_owned()),
        ("client_encoding", "MULE_INTERNAL", "0A000: invalid value for parameter \"client_encoding\": \"MULE_INTERNAL\" DETAIL: Conversion between MULE_INTERNAL and UTF8 is not supported. HINT: Use UTF8.".to_owned()),
        ("datestyle", "foo", "22023: invalid value for parameter \"DateStyle\": \"foo\" DETAIL: Unrecognized key word: \"foo\".".to_owned()),
        ("datestyle", "sql,dmy", "SQL, DMY".to_owned()),
        ("datestyle", "european", "SQL, DMY".to_owned()),
        ("datestyle", "iso,sql", "22023: invalid value for parameter \"DateStyle\": \"iso,sql\" DETAIL: Conflicting \"datestyle\" specifications.".to_owned()),
        ("datestyle", "dmy,mdy", "22023: invalid value for parameter \"DateStyle\": \"dmy,mdy\" DETAIL: Conflicting \"datestyle\" specifications.".to_owned()),
        ("datestyle", "german", "German, DMY".to_owned()),
        ("datestyle", "postgres, euro", "Postgres, DMY".to_owned()),
        ("datestyle", "", "Postgres, DMY".to_owned()),
        ("timezone", "foo", "22023: invalid value for parameter \"TimeZone\": \"foo\"".to_owned()),
        ("timezone", "europe/berlin", "Europe/Berlin".to_owned()),
        ("timezone", "utc", "UTC".to_owned()),
        ("timezone", "5", "<+05>-05".to_owned()),
        ("timezone", "-5", "<-05>+05".to_owned()),
        ("timezone", "+02:00", "+02:00".to_owned()),
        ("timezone", "GMT+5", "GMT+5".to_owned()),
        (
            "timezone",
            "-5.5",
            "0A000: the time zone \"-5.5\" is not supported HINT: Offsets are whole hours from -12 to 14. \
             Use a zone's name, such as Asia/Kolkata."
                .to_owned(),
        ),
        ("search_path", "a, \"B c\"", "a, \"B c\"".to_owned()),
        ("search_path", "a,B,\"c", "22023: invalid value for parameter \"search_path\": \"a,B,\"c\" DETAIL: List syntax is invalid.".to_owned()),
        ("foo", "1", "42704: unrecognized configuration parameter \"foo\"".to_owned()),
        ("foo.bar", "1", "1".to_owned()),
        ("foo.bar-x", "1", "42602: invalid configuration parameter name \"foo.bar-x\" DETAIL: Custom parameter names must be two or more simple identifiers separated by dots.".to_owned()),
        ("server_version", "1", "55P02: parameter \"server_version\" cannot be changed".to_owned()),
        ("max_connections", "1", "55P02: parameter \"max_connections\" cannot be changed without restarting the server".to_owned()),
        ("autovacuum", "on", "55P02: parameter \"autovacuum\" cannot be changed now".to_owned()),
        ("is_superuser", "on", "55P02: parameter \"is_superuser\" cannot be changed".to_owned()),
        ("role", "foo", "22023: role \"foo\" does not exist".to_owned()),
        ("role", "none", "none".to_owned()),
        ("xmloption", "foo", "22023: invalid value for parameter \"xmloption\": \"foo\" HINT: Available values: content, document.".to_owned()),
        ("intervalstyle", "ISO_8601", "iso_8601".to_owned()),
        ("application_name", "é", "??".to_owned()),
        ("log_connections", "on", "55P02: parameter \"log_connections\" cannot be set after connection start".to_owned()),
        ("synchronous_commit", "true", "on".to_owned()),
    ] {
        assert_eq!(after(&mut settings, name, value), expected, "{name} = {value}");
    }
}

#[test]
fn own_settings() {
    let mut settings = settings();
    for (name, value, expected) in [
        ("duckmesh.consistency", "Strong", "strong"),
        (
            "duckmesh.consistency",
            "weak",
            "22023: invalid value for parameter \"duckmesh.consistency\": \"weak\" HINT: Available values: session, strong, eventual.",
        ),
        ("duckmesh.barrier_timeout", "1500", "1500ms"),
        ("duckmesh.write_visibility", "visible", "visible"),
        ("duckmesh.min_token", "sales/3, sales/4", "sales/3, sales/4"),
        ("duckmesh.snapshot", "12", "12"),
        (
            "duckmesh.snapshot",
            "x",
            "22023: invalid value for parameter \"duckmesh.snapshot\": \"x\" HINT: A snapshot is a number of duckmesh.snapshots.",
        ),
        ("duckmesh.last_token", "x", "55P02: parameter \"duckmesh.last_token\" cannot be changed"),
        (
            "duckmesh.tenant",
            "x",
            "42602: invalid configuration parameter name \"duckmesh.tenant\" DETAIL: \"duckmesh\" is a reserved prefix.",
        ),
    ] {
        assert_eq!(after(&mut settings, name, value), expected, "{name} = {value}");
    }
    assert_eq!(settings.consistency(), Consistency::Strong);
    assert_eq!(settings.min_tokens(), ["sales/3", "sales/4"]);
    assert_eq!(settings.snapshot(), Some(12));
    assert_eq!(settings.barrier_timeout(), Some(Duration::from_millis(1500)));
    assert!(settings.waits_until_visible());
}

#[test]
fn a_rollback_undoes_what_set_said() {
    let mut s = settings();
    let mut run = |script: &str| -> Vec<String> {
        let (mut shown, mut marks) = (Vec::new(), Vec::new());
        for step in script.split("; ") {
            let words: Vec<_> = step.split(' ').collect();
            let done = match words.as_slice() {
                ["begin"] => {
                    s.on_begin();
                    Ok(())
                }
                ["commit"] => {
                    s.on_commit();
                    Ok(())
                }
                ["rollback"] => {
                    s.on_rollback();
                    Ok(())
                }
                ["savepoint"] => {
                    marks.push(s.on_savepoint());
                    Ok(())
                }
                ["to"] => {
                    s.on_rollback_to(marks.last().copied().unwrap_or(0));
                    Ok(())
                }
                ["set", value] => s.set("app.x", Some(value), false),
                ["local", value] => s.set("app.x", Some(value), true),
                ["show"] => {
                    shown.push(s.get("app.x").unwrap_or_else(|| "-".into()));
                    Ok(())
                }
                ["reset"] => s.reset("app.x"),
                other => panic!("{other:?}"),
            };
            assert!(done.is_ok(), "{step}: {done:?}");
        }
        shown
    };
    assert_eq!(run("show; begin; set 1; show; rollback; show"), ["-", "1", "-"]);
    assert_eq!(run("begin; set 1; commit; show"), ["1"]);
    assert_eq!(run("begin; local 2; show; commit; show"), ["2", "1"]);
    assert_eq!(run("begin; local 2; set 3; show; commit; show"), ["3", "3"]);
    assert_eq!(run("begin; set 4; local 5; show; commit; show"), ["5", "4"]);
    assert_eq!(run("begin; set 6; savepoint; set 7; show; to; show; commit; show"), ["7", "6", "6"]);
    assert_eq!(run("begin; local 8; savepoint; local 9; to; show; commit; show"), ["8", "6"]);
    assert_eq!(run("reset; show"), [""]);
}

#[test]
fn clients_are_told_all_at_first_and_changes_later() {
    let startup = [("TimeZone", "europe/berlin"), ("application_name", "psql"), ("options_ok.x", "1")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
    let mut s = match Settings::new("ada", &startup) {
        Ok(s) => s,
        Err(error) => panic!("{error}"),
    };
    let first = s.take_changes();
    let told = |name: &str| first.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    for (name, value) in [
        ("application_name", "psql"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("default_transaction_read_only", "off"),
        ("in_hot_standby", "off"),
        ("integer_datetimes", "on"),
        ("IntervalStyle", "postgres"),
        ("is_superuser", "on"),
        ("server_encoding", "UTF8"),
        ("server_version", SERVER_VERSION),
        ("session_authorization", "ada"),
        ("standard_conforming_strings", "on"),
        ("TimeZone", "Europe/Berlin"),
        ("duckmesh.last_token", ""),
    ] {
        assert_eq!(told(name), Some(value), "{name}");
    }
    assert_eq!(first.len(), 14);
    assert_eq!(s.take_changes(), []);
    s.on_begin();
    assert_eq!(s.set("timezone", Some("UTC"), false), Ok(()));
    assert_eq!(s.take_changes(), [("TimeZone".to_owned(), "UTC".to_owned())]);
    s.on_rollback();
    assert_eq!(s.take_changes(), [("TimeZone".to_owned(), "Europe/Berlin".to_owned())]);
    // RESET goes back to what the client began with.
    assert_eq!(s.set("timezone", Some("UTC"), false), Ok(()));
    assert_eq!(s.reset("timezone"), Ok(()));
    assert_eq!(s.time_zone().name(), "Europe/Berlin");
    s.on_begin();
    s.set_internal("duckmesh.last_token", "sales/7");
    s.on_rollback();
    assert_eq!(s.get("duckmesh.last_token").as_deref(), Some("sales/7"));
    assert_eq!(s.get("options_ok.x").as_deref(), Some("1"));
}

#[test]
fn levels_of_messages() {
    let mut s = settings();
    for (level, notice, warning) in
        [("notice", true, true), ("warning", false, true), ("error", false, false), ("debug1", true, true)]
    {
        assert_eq!(s.set("client_min_messages", Some(level), false), Ok(()));
        assert_eq!((s.sends(Severity::Notice), s.sends(Severity::Warning)), (notice, warning), "{level}");
        assert!(s.sends(Severity::Error) && s.sends(Severity::Info));
    }
}

#[test]
fn search_path_and_all() {
    let mut s = settings();
    assert_eq!(s.search_path(), ["ada", "public"]);
    assert_eq!(s.set("search_path", Some("\"\""), false), Ok(()));
    assert_eq!(s.search_path(), [""]);
    let all = s.all();
    assert!(all.windows(2).all(|w| w[0].name.to_lowercase() <= w[1].name.to_lowercase()));
    assert!(all.iter().all(|row| row.name != "is_superuser"));
    assert!(all.iter().any(|row| row.name == "work_mem" && row.setting == "4MB"));
    assert_eq!(
        s.show("nope").map_err(|e| e.to_string()),
        Err("42704: unrecognized configuration parameter \"nope\"".into())
    );
}
