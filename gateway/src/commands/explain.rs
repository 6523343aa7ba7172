//! EXPLAIN [ANALYZE]: the snapshot, the token it covers, the files that are read, and the engine's plan.

use std::time::Instant;

use super::{
    barrier,
    copy_in::CopyIn,
    current, describe, numbers, render, select,
    tables::{self, Scan},
    wrong_plan,
};
use crate::{
    engine::{QueryRequest, Verb},
    session::{ClientSession, Pin, PreparedStatement},
    sql::plan::{ExplainPlan, InsertSource, Plan, QueryPlan},
    wire::{
        PgError, PgResult,
        backend::{Outcome, Params, RowTag},
    },
};

/// What the header of an explanation says.
struct Report {
    lines: Vec<String>,
    json: serde_json::Map<String, serde_json::Value>,
}

/// Runs EXPLAIN.
///
/// # Errors
/// As the explained statement's.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: Params,
) -> PgResult<Outcome<CopyIn>> {
    let pin = match prepared.plan().reads() || session.transaction.is_some() {
        true => select::pin(session).await?,
        false => barrier::writing_pin(session).await?,
    };
    let (prepared, pin) = current(session, prepared, pin).await?;
    let Plan::Explain(plan) = prepared.plan() else { return Err(wrong_plan()) };
    let report = match plan.inner.as_ref() {
        Plan::Query(query) => explained(session, &pin, plan, query, &params).await?,
        Plan::CreateTableAs(create) if !plan.analyze => explained(session, &pin, plan, &create.query, &params).await?,
        Plan::Insert(insert) if !plan.analyze => {
            let mut report = Report { lines: Vec::new(), json: serde_json::Map::new() };
            report.add("Append to the log", format!("table {}", insert.table.name));
            if let InsertSource::Query(query) = &insert.source {
                report.extend(explained(session, &pin, plan, query, &params).await?);
            }
            report
        }
        _ => {
            return Err(PgError::unsupported("EXPLAIN of this statement is not supported")
                .hint("EXPLAIN works for queries, and without ANALYZE for INSERT and CREATE TABLE AS."));
        }
    };
    let rows: Vec<Vec<Option<String>>> = if plan.json {
        let text = serde_json::to_string_pretty(&vec![serde_json::json!({ "Plan": report.json })]);
        vec![vec![Some(text.map_err(PgError::internal)?)]]
    } else {
        report.lines.into_iter().map(|line| vec![Some(line)]).collect()
    };
    select::text_rows_as([describe::plan_column(plan.json)].into(), &rows, RowTag::Plain("EXPLAIN"))
}

async fn explained(
    session: &mut ClientSession,
    pin: &Pin,
    plan: &ExplainPlan,
    query: &QueryPlan,
    params: &Params,
) -> PgResult<Report> {
    let mut report = Report { lines: Vec::new(), json: serde_json::Map::new() };
    let snapshot = &pin.snapshot;
    report.add("Snapshot", format!("{} ({})", snapshot.id, snapshot.time.format("%Y-%m-%d %H:%M:%S%.6f+00")));
    report.add("Covers token", session.token(snapshot.watermark).to_string());
    let bound = query.params.is_empty() || params.values.len() >= query.params.len();
    let params = bound.then_some(params);
    let _reading = session.lake.lake.read();
    let prelude = tables::prelude(session, pin, query, params).await?;
    prelude.scans.iter().for_each(|scan| report.scan(scan));
    let numbers = match params.filter(|_| plan.analyze) {
        Some(params) => numbers::source(session, &pin.schema, &query.numbers, &query.params, params)?,
        None => None,
    };
    let parts = prelude.filled(numbers::filled(query.sql.as_slice().into(), numbers.as_ref()));
    let (_scratch, _files) = (prelude.scratch, prelude.files);
    let sql = render::sql(session, &parts, &query.params, params)?;
    let request = QueryRequest {
        relations: prelude.relations,
        numbers,
        verb: if plan.analyze && bound { Verb::ExplainAnalyze } else { Verb::Explain },
        ..select::request(session, sql)
    };
    let began = Instant::now();
    let mut stream = session.lake.engine.query(request).await?;
    let mut text = String::new();
    while let Some(batch) = stream.next().await? {
        for column in batch.columns().iter().rev().take(1) {
            let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).map_err(PgError::internal)?;
            let strings = arrow::array::AsArray::as_string::<i32>(&column);
            strings.iter().flatten().for_each(|piece| text.push_str(piece));
        }
        if text.len() > crate::limits::EXPLAIN_BYTES_MAX {
            break;
        }
    }
    let text = hide_paths(&text);
    report.lines.extend(text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()));
    report.json.insert("Engine".to_owned(), text.into());
    if plan.analyze {
        report.add("Execution Time", format!("{:.3} ms", began.elapsed().as_secs_f64() * 1000.0));
    }
    Ok(report)
}

/// The engine names files of the server and the SQL it was given: clients need not know either.
fn hide_paths(text: &str) -> String {
    let body = match text.find("Total Time") {
        // What comes before is the frame around the rewritten statement.
        Some(at) => text.get(text[..at].rfind("\n\n").unwrap_or(0)..).unwrap_or(text),
        None => text,
    };
    let mut kept = Vec::new();
    let mut in_files = false;
    for line in body.lines() {
        let words = line.trim_matches(|c: char| c.is_whitespace() || "│┌┐└┘─┬┴├┤".contains(c));
        in_files = !words.is_empty() && (in_files || words.starts_with("Filename") || words.starts_with("EXPLAIN "));
        if !in_files && !words.contains(".parquet") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

impl Report {
    fn add(&mut self, name: &str, value: String) {
        self.lines.push(format!("{name}: {value}"));
        self.json.insert(name.to_owned(), value.into());
    }

    fn scan(&mut self, scan: &Scan) {
        let own = if scan.own_files > 0 { format!(", own files {}", scan.own_files) } else { String::new() };
        self.add(
            &format!("Table {}", scan.table.name),
            format!("files {} of {}, bytes {}{own}", scan.files_read, scan.files_total, scan.bytes_read),
        );
    }

    fn extend(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.json.extend(other.json);
    }
}
