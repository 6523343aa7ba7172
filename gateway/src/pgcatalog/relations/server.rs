//! Relations about the server and the moment: databases, roles, settings, activity, and those of `duckmesh`.

use std::collections::HashMap;

use chrono::Utc;
use chrono_tz::OffsetComponents as _;
use chrono_tz::OffsetName as _;
use duckmesh_catalog::{LakeId, SnapshotInfo, TableId, Totals};

use super::Source;
use crate::{
    commands::failure,
    fleet::ask,
    pgcatalog::{
        book::sql_schema,
        content::{Cell, Content, row},
        oids,
    },
    session::{
        ClientSession,
        activity::Doing,
        advisory::{Key, Shown},
        settings::registry,
    },
    wire::PgResult,
};

/// UTF8 in Postgres' list of encodings.
const UTF8: i32 = 6;
/// The tablespace `pg_default`.
const TABLESPACE: u32 = 1663;
const LOCALE: &str = "C.UTF-8";

/// The rows of a relation about the server, made anew for each statement.
///
/// # Errors
/// When the catalog or the log cannot be read.
pub async fn of_server<'a>(schema: &str, name: &str, source: &'a Source<'a>) -> PgResult<Option<Content<'a>>> {
    let session = source.session;
    Ok(Some(match (schema, name) {
        ("pg_catalog", "pg_database") => databases(session).await?,
        ("pg_catalog", "pg_shdescription") => shared_descriptions(session).await?,
        ("internal", "shared_descriptions") => named_descriptions(session).await?,
        ("pg_catalog", "pg_authid") => authid(session),
        ("pg_catalog", "pg_roles") => roles(session),
        ("pg_catalog", "pg_user" | "pg_shadow") => users(session),
        ("pg_catalog", "pg_stat_database") => super::counters::databases(session).await?,
        ("pg_catalog", "pg_stat_bgwriter") => super::counters::writer(),
        ("pg_catalog", "pg_timezone_names") => zones(session),
        ("information_schema", "enabled_roles") => enabled_roles(session),
        ("information_schema", "character_sets") => character_sets(session),
        ("pg_catalog", "pg_settings") => settings(session),
        ("pg_catalog", "pg_stat_activity") => activity(session).await,
        ("pg_catalog", "pg_sequences") => super::sequence::list(source).await?,
        ("pg_catalog", "pg_prepared_statements") => prepared_statements(session),
        ("pg_catalog", "pg_cursors") => cursors(session),
        ("pg_catalog", "pg_stat_user_tables" | "pg_stat_all_tables") => table_statistics(source).await?,
        ("pg_catalog", "pg_locks") => locks(session).await?,
        ("duckmesh", "snapshots") => snapshots(session).await?,
        ("duckmesh", "files") => files(source).await?,
        ("duckmesh", "lag") => lag(session).await?,
        ("duckmesh", "dead_letters") => dead_letters(session).await?,
        ("duckmesh", "unsupported") => unsupported(session),
        ("internal", "settings") => setting_values(session),
        ("internal", "roles") => internal_roles(session),
        ("internal", "sizes") => sizes(source).await?,
        ("internal", "database_sizes") => database_sizes(session).await?,
        _ => return Ok(None),
    }))
}

async fn databases(session: &ClientSession) -> PgResult<Content<'static>> {
    let lakes = session.server.lakes.catalog().lakes().await.map_err(failure::catalog)?;
    let rows = lakes.iter().map(|lake| {
        let name = lake.name.as_str().to_owned();
        row![oids::database(lake.id), name, oids::OWNER, UTF8, "c", true, -1, TABLESPACE, LOCALE, LOCALE]
    });
    Ok(Content {
        columns: &[
            "oid",
            "datname",
            "datdba",
            "encoding",
            "datlocprovider",
            "datallowconn",
            "datconnlimit",
            "dattablespace",
            "datcollate",
            "datctype",
        ],
        rows: rows.collect(),
    })
}

async fn comments(session: &ClientSession) -> PgResult<Vec<(LakeId, String)>> {
    session.server.lakes.catalog().lake_comments().await.map_err(failure::catalog)
}

/// `pg_shdescription`: comments on databases.
async fn shared_descriptions(session: &ClientSession) -> PgResult<Content<'static>> {
    const DATABASE_CLASS: u32 = 1262;
    let rows =
        comments(session).await?.into_iter().map(|(lake, text)| row![oids::database(lake), DATABASE_CLASS, text]);
    Ok(Content { columns: &["objoid", "classoid", "description"], rows: rows.collect() })
}

/// The same for `shobj_description`.
async fn named_descriptions(session: &ClientSession) -> PgResult<Content<'static>> {
    let rows = comments(session).await?.into_iter().map(|(lake, text)| row![oids::database(lake), "pg_database", text]);
    Ok(Content { columns: &["#k", "#c", "#v"], rows: rows.collect() })
}

fn prepared_statements(session: &ClientSession) -> Content<'_> {
    let rows = session.directory.statements.iter().map(|held| {
        let types = held.param_types.iter().map(|oid| i64::from(*oid)).collect();
        row![held.name.as_str(), held.text.as_str(), held.made, Cell::Ints(types), held.from_sql, 0, 0]
    });
    Content {
        columns: &["name", "statement", "prepare_time", "parameter_types", "from_sql", "generic_plans", "custom_plans"],
        rows: rows.collect(),
    }
}

fn cursors(session: &ClientSession) -> Content<'_> {
    let rows = session.directory.cursors.iter().map(|(name, text, options, made)| {
        row![name.as_str(), text.as_str(), options.hold, options.binary, options.scrolls(), *made]
    });
    Content {
        columns: &["name", "statement", "is_holdable", "is_binary", "is_scrollable", "creation_time"],
        rows: rows.collect(),
    }
}

/// Advisory locks, of the sessions of all gateways: there are no others.
async fn locks(session: &ClientSession) -> PgResult<Content<'static>> {
    let database = oids::database(session.lake.info.id);
    let mut all = session.lake.locks.all();
    if let Some(node) = session.server.lakes.node() {
        let known = session.server.lakes.catalog().locks(session.lake.info.id).await.map_err(failure::catalog)?;
        all.extend(known.into_iter().filter(|lock| lock.node != node.id).filter_map(|lock| Shown::elsewhere(&lock)));
    }
    let rows = all.into_iter().map(|lock| {
        // As Postgres shows them: the halves of one number, or the two numbers.
        let (class, object, form) = match lock.key {
            Key::One(key) => ((key as u64 >> 32) as u32, key as u32, 1_i16),
            Key::Two(class, object) => (class.cast_unsigned(), object.cast_unsigned(), 2),
        };
        let mode = if lock.shared { "ShareLock" } else { "ExclusiveLock" };
        let transaction = format!("{}/1", lock.owner);
        row!["advisory", database, class, object, form, transaction, lock.owner, mode, lock.granted, false]
    });
    Ok(Content {
        columns: &[
            "locktype",
            "database",
            "classid",
            "objid",
            "objsubid",
            "virtualtransaction",
            "pid",
            "mode",
            "granted",
            "fastpath",
        ],
        rows: rows.collect(),
    })
}

fn authid(session: &ClientSession) -> Content<'_> {
    Content {
        columns: &[
            "oid",
            "rolname",
            "rolsuper",
            "rolinherit",
            "rolcreaterole",
            "rolcreatedb",
            "rolcanlogin",
            "rolreplication",
            "rolbypassrls",
            "rolconnlimit",
        ],
        rows: vec![row![oids::OWNER, session.user.as_str(), true, true, true, true, true, true, true, -1]],
    }
}

fn roles(session: &ClientSession) -> Content<'_> {
    let mut rows: Vec<Vec<Cell<'_>>> = Vec::new();
    let mut push = |oid: u32, name, all: bool| {
        rows.push(row![oid, name, all, true, all, all, all, all, all, -1, "********"]);
    };
    push(oids::OWNER, session.user.as_str(), true);
    for (oid, name) in predefined() {
        push(oid, name, false);
    }
    Content {
        columns: &[
            "oid",
            "rolname",
            "rolsuper",
            "rolinherit",
            "rolcreaterole",
            "rolcreatedb",
            "rolcanlogin",
            "rolreplication",
            "rolbypassrls",
            "rolconnlimit",
            "rolpassword",
        ],
        rows,
    }
}

/// Postgres' own roles.
fn predefined() -> impl Iterator<Item = (u32, &'static str)> + use<> {
    let lines = crate::pgcatalog::rows::of("pg_authid").unwrap_or_default().lines();
    lines.filter_map(|line| {
        let mut cells = line.split('\t');
        Some((cells.next()?.parse().ok()?, cells.next()?))
    })
}

fn internal_roles(session: &ClientSession) -> Content<'_> {
    let mut rows = vec![row![oids::OWNER, session.user.as_str()]];
    rows.extend(predefined().map(|(oid, name)| row![oid, name]));
    Content { columns: &["#k", "#v"], rows }
}

fn users(session: &ClientSession) -> Content<'_> {
    Content {
        columns: &["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd"],
        rows: vec![row![session.user.as_str(), oids::OWNER, true, true, true, true, "********"]],
    }
}

/// The zones that are known, as they are now.
fn zones(session: &ClientSession) -> Content<'static> {
    let now = session.statement_time;
    let rows = chrono_tz::TZ_VARIANTS.iter().map(|zone| {
        let local = now.with_timezone(zone);
        let offset = local.offset();
        let seconds = (offset.base_utc_offset() + offset.dst_offset()).num_seconds();
        let (sign, minutes) = (if seconds < 0 { "-" } else { "" }, seconds.abs() / 60);
        let shown = format!("{sign}{:02}:{:02}:00", minutes / 60, minutes % 60);
        let abbreviation = offset.abbreviation().map_or_else(|| local.format("%Z").to_string(), str::to_owned);
        row![zone.name(), abbreviation, shown, !offset.dst_offset().is_zero()]
    });
    Content { columns: &["name", "abbrev", "utc_offset", "is_dst"], rows: rows.collect() }
}

fn enabled_roles(session: &ClientSession) -> Content<'_> {
    let own = std::iter::once(session.user.as_str()).chain(predefined().map(|(_, name)| name));
    Content { columns: &["role_name"], rows: own.map(|name| row![name]).collect() }
}

fn character_sets(session: &ClientSession) -> Content<'_> {
    let lake = session.lake.info.name.as_str();
    Content {
        columns: &[
            "character_set_name",
            "character_repertoire",
            "form_of_use",
            "default_collate_catalog",
            "default_collate_schema",
            "default_collate_name",
        ],
        rows: vec![row!["UTF8", "UCS", "UTF8", lake, "pg_catalog", LOCALE]],
    }
}

fn settings(session: &ClientSession) -> Content<'static> {
    let rows = registry::all().iter().filter(|d| !d.hidden).map(|definition| {
        let (value, reset, source) = session.settings.source(definition);
        let (vartype, least, greatest) = match definition.kind {
            registry::Kind::Bool => ("bool", None, None),
            registry::Kind::Integer { min, max, .. } => ("integer", Some(min.to_string()), Some(max.to_string())),
            registry::Kind::Real { min, max, .. } => ("real", Some(min.to_string()), Some(real(max))),
            registry::Kind::Enum(_) => ("enum", None, None),
            registry::Kind::Text => ("string", None, None),
        };
        let allowed = match &definition.kind {
            registry::Kind::Enum(words) => Cell::Texts(words.iter().map(|w| (*w).to_owned()).collect()),
            _ => Cell::Null,
        };
        row![
            definition.name,
            value,
            definition.unit_name,
            definition.category,
            definition.description,
            definition.more,
            definition.context_name,
            vartype,
            source,
            least,
            greatest,
            allowed,
            definition.default,
            reset,
            false,
        ]
    });
    Content {
        columns: &[
            "name",
            "setting",
            "unit",
            "category",
            "short_desc",
            "extra_desc",
            "context",
            "vartype",
            "source",
            "min_val",
            "max_val",
            "enumvals",
            "boot_val",
            "reset_val",
            "pending_restart",
        ],
        rows: rows.collect(),
    }
}

/// The greatest double as Postgres rounds it, others as they are.
fn real(value: f64) -> String {
    if value > 1.797e308 { "1.79769e+308".to_owned() } else { value.to_string() }
}

fn setting_values(session: &ClientSession) -> Content<'static> {
    let shown = registry::all().iter().filter_map(|d| Some((d.name, session.settings.show(d.name).ok()?.1)));
    Content { columns: &["#k", "#v"], rows: shown.map(|(name, value)| row![name, value]).collect() }
}

/// Every session of this lake: those of others are none of its users' business.
/// `pg_stat_activity`: the sessions of all gateways, as far as they answer.
async fn activity(session: &ClientSession) -> Content<'static> {
    let mut all = session.server.activity.all();
    // By its age too: a name is anybody's.
    let now = Utc::now();
    let asks = |doing: &Doing| {
        let age = now.signed_duration_since(doing.started).to_std();
        doing.application == ask::NAME && age.is_ok_and(|age| age <= ask::ASKS_FOR)
    };
    all.retain(|doing| doing.lake.0 == session.lake.info.id && !asks(doing));
    if session.settings.get("application_name").as_deref() != Some(ask::NAME) {
        all.extend(ask::sessions(&session.server, &session.lake.info, &session.user).await);
    }
    let rows = all.into_iter().map(|doing| {
        let waits = if doing.state == "active" { None } else { Some(("Client", "ClientRead")) };
        row![
            oids::database(doing.lake.0),
            doing.lake.1,
            doing.process_id,
            oids::OWNER,
            doing.user,
            doing.application,
            doing.peer.map(|peer| peer.ip().to_string()),
            doing.peer.map(|peer| i32::from(peer.port())),
            doing.started,
            doing.transaction,
            doing.statement,
            doing.changed,
            waits.map(|w| w.0),
            waits.map(|w| w.1),
            doing.state,
            doing.query,
            "client backend",
        ]
    });
    Content {
        columns: &[
            "datid",
            "datname",
            "pid",
            "usesysid",
            "usename",
            "application_name",
            "client_addr",
            "client_port",
            "backend_start",
            "xact_start",
            "query_start",
            "state_change",
            "wait_event_type",
            "wait_event",
            "state",
            "query",
            "backend_type",
        ],
        rows: rows.collect(),
    }
}

/// `duckmesh.snapshots`, one row a snapshot that can be read: `snapshot_id` (for `SET duckmesh.snapshot`), `snapshot_time`, `token`
/// (what it covers of the log) with its number `watermark`, `schema_version`, `changes` as DuckLake lists them, `author`, `message`.
async fn snapshots(session: &ClientSession) -> PgResult<Content<'static>> {
    let all = session.server.lakes.catalog().snapshots(session.lake.info.id).await.map_err(failure::catalog)?;
    let rows = all.into_iter().map(|row| {
        row![
            row.info.id.get(),
            row.info.time,
            session.token(row.info.watermark).to_string(),
            row.info.watermark.get(),
            row.info.schema_version,
            row.changes_made,
            row.author,
            row.commit_message,
        ]
    });
    Ok(Content {
        columns: &[
            "snapshot_id",
            "snapshot_time",
            "token",
            "watermark",
            "schema_version",
            "changes",
            "author",
            "message",
        ],
        rows: rows.collect(),
    })
}

/// `duckmesh.files`, the Parquet files of the pinned snapshot: `schema_name`, `table_name`, `file_id`, `path` (below the data path
/// unless another program keeps it elsewhere), `rows` (deleted ones counted), `bytes`, `begin_snapshot`, `deleted_rows`.
async fn files<'a>(source: &'a Source<'a>) -> PgResult<Content<'a>> {
    let (session, pin) = (source.session, source.pin);
    let catalog = session.server.lakes.catalog();
    let mut rows = Vec::new();
    for table in pin.base.tables.values() {
        let schema = pin.base.schema_name(table.schema_id).map_or("", sql_schema);
        let known = catalog.files(session.lake.info.id, pin.snapshot.id, table.id).await.map_err(failure::catalog)?;
        rows.extend(known.files.iter().map(|file| {
            row![
                schema,
                table.name.as_str(),
                file.id.get(),
                file.path.clone(),
                number(file.record_count),
                number(file.size_bytes),
                file.begin_snapshot.get(),
                number(file.deletes.as_ref().map_or(0, |d| d.delete_count)),
            ]
        }));
    }
    Ok(Content {
        columns: &["schema_name", "table_name", "file_id", "path", "rows", "bytes", "begin_snapshot", "deleted_rows"],
        rows,
    })
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `duckmesh.lag`, one row: `head` (last acknowledged offset), `watermark` (all up to it is published or rejected), `behind`,
/// `published_at` and `published_age` of the newest snapshot, `dead_letters`.
async fn lag(session: &ClientSession) -> PgResult<Content<'static>> {
    let (catalog, lake) = (session.server.lakes.catalog(), session.lake.info.id);
    let head = session.lake.lake.head().await.map_err(failure::bus)?;
    let watermark = session.lake.lake.watermark();
    let latest = catalog.latest(lake).await.map_err(failure::catalog)?;
    let letters = catalog.dead_letters(lake).await.map_err(failure::catalog)?.len();
    let age = (Utc::now() - latest.time).num_milliseconds().max(0);
    let row = row![
        head.get(),
        watermark.get(),
        (head.get() - watermark.get()).max(0),
        latest.time,
        format!("{age} milliseconds"),
        i64::try_from(letters).unwrap_or(i64::MAX),
    ];
    Ok(Content {
        columns: &["head", "watermark", "behind", "published_at", "published_age", "dead_letters"],
        rows: vec![row],
    })
}

/// `duckmesh.dead_letters`, writes that could not be applied, and rows that a stored COPY left out: `token`, `log_offset`,
/// `rejected_at`, `attempts`, `reason`; of rows also `relation`, `line`, `column_name`, `content`.
async fn dead_letters(session: &ClientSession) -> PgResult<Content<'static>> {
    let (catalog, lake) = (session.server.lakes.catalog(), session.lake.info.id);
    let letters = catalog.dead_letters(lake).await.map_err(failure::catalog)?;
    let writes = letters.into_iter().map(|letter| {
        let offset = letter.rejection.offset;
        let attempts = i32::try_from(letter.rejection.attempts).unwrap_or(i32::MAX);
        let token = session.token(offset).to_string();
        row![token, offset.get(), letter.time, attempts, letter.rejection.reason, NO_TEXT, NO_INT, NO_TEXT, NO_TEXT]
    });
    let kept = catalog.rejected_rows(lake).await.map_err(failure::catalog)?;
    let rows = kept.into_iter().map(|kept| {
        let (token, row) = (session.token(kept.offset).to_string(), kept.row);
        row![token, kept.offset.get(), kept.time, 1, row.reason, row.relation, row.line, row.column, row.content]
    });
    Ok(Content {
        columns: &[
            "token",
            "log_offset",
            "rejected_at",
            "attempts",
            "reason",
            "relation",
            "line",
            "column_name",
            "content",
        ],
        rows: writes.chain(rows).collect(),
    })
}

const NO_TEXT: Option<String> = None;
const NO_INT: Option<i64> = None;

fn unsupported(session: &ClientSession) -> Content<'static> {
    let rows = session.lake.unsupported.all().into_iter().map(|gap| {
        let fingerprint = format!("{:016x}", gap.fingerprint);
        row![fingerprint, gap.name, gap.sqlstate, gap.query, gap.asked, gap.first_at, gap.last_at]
    });
    Content {
        columns: &["fingerprint", "name", "sqlstate", "query", "asked", "first_at", "last_at"],
        rows: rows.collect(),
    }
}

/// Rows and bytes of each table that has files: `#r`, `#v`.
pub async fn sizes<'a>(source: &'a Source<'a>) -> PgResult<Content<'a>> {
    let totals = totals(source.session, source.session.lake.info.id, &source.pin.snapshot).await?;
    // A table that this transaction made has no files in the lake.
    let tables = source.pin.schema.tables.keys();
    let known = tables.filter_map(|table| Some((table, totals.get(table)?)));
    let rows = known.map(|(table, of)| row![oids::table(*table), number(of.bytes), number(of.rows)]);
    Ok(Content { columns: &["#k", "#v", "#r"], rows: rows.collect() })
}

async fn totals(session: &ClientSession, lake: LakeId, at: &SnapshotInfo) -> PgResult<HashMap<TableId, Totals>> {
    session.server.lakes.catalog().totals(lake, at.id).await.map_err(failure::catalog)
}

async fn database_sizes(session: &ClientSession) -> PgResult<Content<'static>> {
    let catalog = session.server.lakes.catalog();
    let mut rows = Vec::new();
    for lake in catalog.lakes().await.map_err(failure::catalog)? {
        let latest = catalog.latest(lake.id).await.map_err(failure::catalog)?;
        let bytes: u64 = totals(session, lake.id, &latest).await?.values().map(|of| of.bytes).sum();
        rows.push(row![oids::database(lake.id), lake.name.as_str().to_owned(), number(bytes)]);
    }
    Ok(Content { columns: &["#k", "#d", "#v"], rows })
}

/// `pg_stat_user_tables` and `pg_stat_all_tables`: rows as the files count them; nothing else is counted.
async fn table_statistics<'a>(source: &'a Source<'a>) -> PgResult<Content<'a>> {
    let totals = totals(source.session, source.session.lake.info.id, &source.pin.snapshot).await?;
    let tables = source.pin.schema.tables.values();
    let rows = tables.filter_map(|table| {
        let schema = sql_schema(source.pin.schema.schema_name(table.schema_id)?).to_owned();
        let live = totals.get(&table.id).map_or(0, |of| number(of.rows));
        let mut row = row![oids::table(table.id), schema, table.name.as_str(), live];
        row.resize(STATISTICS.len(), Cell::Int(0));
        Some(row)
    });
    Ok(Content { columns: STATISTICS, rows: rows.collect() })
}

/// What is there of them, counters that nobody counts last.
const STATISTICS: &[&str] = &[
    "relid",
    "schemaname",
    "relname",
    "n_live_tup",
    "seq_scan",
    "seq_tup_read",
    "idx_scan",
    "idx_tup_fetch",
    "n_tup_ins",
    "n_tup_upd",
    "n_tup_del",
    "n_tup_hot_upd",
    "n_dead_tup",
    "n_mod_since_analyze",
    "n_ins_since_vacuum",
    "vacuum_count",
    "autovacuum_count",
    "analyze_count",
    "autoanalyze_count",
];
