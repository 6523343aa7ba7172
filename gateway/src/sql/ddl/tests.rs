//! DDL plans against PostgreSQL 15: messages, codes, details and hints are its own.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{TimeZone as _, Utc};
use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, Constraint, ConstraintKind, DefaultValue, LakeName, LakeSchema, Offset, SchemaDef,
    SchemaId, SnapshotId, TableDef, TableId, ViewDef, ViewId,
    ddl::{CommentTarget, DdlOp},
};
use uuid::Uuid;

use crate::{
    sql::plan::{DatabasePlan, Plan, PlanContext},
    value::ValueContext,
    wire::error::PgError,
};

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn column(id: i64, name: &str, ty: ColumnType) -> ColumnDef {
    ColumnDef {
        id: ColumnId::new(id),
        element_id: None,
        name: name.into(),
        ty,
        nullable: true,
        default: None,
        initial_default: None,
        comment: None,
        domain: None,
    }
}

fn table(id: i64, schema: i64, name: &str, columns: Vec<ColumnDef>) -> TableDef {
    TableDef {
        id: TableId::new(id),
        uuid: uuid(id as u128),
        schema_id: SchemaId::new(schema),
        name: name.into(),
        path: String::new(),
        next_column_id: ColumnId::new(columns.len() as i64 + 1),
        columns,
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: None,
    }
}

fn view(id: i64, name: &str, sql: &str) -> ViewDef {
    ViewDef {
        id: ViewId::new(id),
        uuid: uuid(id as u128),
        schema_id: SchemaId::new(0),
        name: name.into(),
        duckdb_sql: String::new(),
        postgres_sql: Some(sql.into()),
        columns: vec![("a".into(), ColumnType::Int4)],
        comment: None,
    }
}

/// Schemas `public` and `s`; tables t(a, b, c), s.x(a), alone(a); views v on t.a, vv on v.
fn lake() -> LakeSchema {
    let schema = |id: i64, name: &str| {
        Arc::new(SchemaDef {
            id: SchemaId::new(id),
            uuid: uuid(id as u128 + 100),
            name: name.into(),
            path: String::new(),
            comment: None,
        })
    };
    let mut t = table(
        1,
        0,
        "t",
        vec![column(1, "a", ColumnType::Int4), column(2, "b", ColumnType::Text), column(3, "c", ColumnType::Int4)],
    );
    t.constraints = vec![
        Constraint::new("t_c_check", ConstraintKind::Check { expression: "c > 0".into() }),
        Constraint::new("t_pkey", ConstraintKind::PrimaryKey { columns: vec![ColumnId::new(3)] }),
    ];
    if let Some(c) = t.columns.get_mut(2) {
        c.nullable = false;
    }
    let tables = [
        t,
        table(2, 1, "x", vec![column(1, "a", ColumnType::Int4)]),
        table(5, 0, "alone", vec![column(1, "a", ColumnType::Int4)]),
    ];
    let views = [view(3, "v", "SELECT a FROM public.t"), view(4, "vv", "SELECT * FROM public.v")];
    LakeSchema {
        snapshot: SnapshotId::new(1),
        schema_version: 1,
        next_catalog_id: 10,
        ddl_offset: Offset::ZERO,
        schemas: [schema(0, "main"), schema(1, "s")].map(|s| (s.name.clone(), s)).into(),
        tables: tables.map(|t| (t.id, Arc::new(t))).into(),
        views: views.map(|v| (v.id, Arc::new(v))).into(),
        sequences: Default::default(),
        types: Default::default(),
    }
}

fn context() -> PlanContext {
    let now = Utc.with_ymd_and_hms(2024, 5, 6, 7, 8, 9).single().unwrap_or_default();
    PlanContext {
        lake: LakeName::parse("lake").unwrap_or_else(|| panic!("a lake's name")),
        schema: Arc::new(lake()),
        search_path: vec!["public".into()],
        param_types: Vec::new(),
        grids: Vec::new(),
        exact: false,
        values: Arc::new(ValueContext::new(now)),
        user: "ada".into(),
        start: crate::sql::position::Start::default(),
    }
}

/// Names of known things; everything else is new.
fn name_of(id: Uuid) -> String {
    let known: BTreeMap<u128, &str> =
        BTreeMap::from([(1, "t"), (2, "s.x"), (3, "v"), (4, "vv"), (5, "alone"), (100, "public"), (101, "s")]);
    known.get(&id.as_u128()).map_or_else(|| "new".to_owned(), |n| (*n).to_owned())
}

fn column_text(c: &ColumnDef) -> String {
    let mut text = format!("{}:{} {}", c.id, c.name, c.ty);
    if let Some(element) = c.element_id {
        text.push_str(&format!(" element {element}"));
    }
    if !c.nullable {
        text.push_str(" not null");
    }
    match &c.default {
        Some(DefaultValue::Literal(value)) => text.push_str(&format!(" default '{value}'")),
        Some(DefaultValue::Expression(sql)) => text.push_str(&format!(" default ({sql})")),
        Some(DefaultValue::Generated(e)) => text.push_str(&format!(" generated ({e})")),
        None => {}
    }
    if let Some(value) = &c.initial_default {
        text.push_str(&format!(" initially '{value}'"));
    }
    text
}

fn constraint_text(c: &Constraint) -> String {
    match &c.kind {
        ConstraintKind::Check { expression } => format!("{} check({expression})", c.name),
        ConstraintKind::PrimaryKey { columns } => format!("{} key{}", c.name, ids(columns)),
        ConstraintKind::Unique { columns } => format!("{} unique{}", c.name, ids(columns)),
        ConstraintKind::ForeignKey { columns, target, target_columns, .. } => {
            format!("{} refers{} {}.{}{target_columns:?}", c.name, ids(columns), target.0, target.1)
        }
    }
}

fn ids(columns: &[ColumnId]) -> String {
    let ids: Vec<_> = columns.iter().map(ToString::to_string).collect();
    format!("({})", ids.join(","))
}

fn op_text(op: &DdlOp) -> String {
    match op {
        DdlOp::CreateSchema { name, .. } => format!("create schema {name}"),
        DdlOp::DropSchema { uuid } => format!("drop schema {}", name_of(*uuid)),
        DdlOp::CreateTable { schema, name, columns, constraints, .. } => {
            let columns: Vec<_> = columns.iter().map(column_text).collect();
            let constraints: Vec<_> = constraints.iter().map(constraint_text).collect();
            let parts = [columns, constraints].concat().join(", ");
            format!("create table {}.{name}({parts})", name_of(*schema))
        }
        DdlOp::DropTable { uuid } => format!("drop table {}", name_of(*uuid)),
        DdlOp::RenameTable { uuid, name } => format!("rename table {} {name}", name_of(*uuid)),
        DdlOp::AddColumn { table, column } => {
            format!("add {} {}", name_of(*table), column_text(column))
        }
        DdlOp::DropColumn { table, column } => format!("drop {}.{column}", name_of(*table)),
        DdlOp::RenameColumn { table, column, name, checks } => {
            let checks: Vec<_> = checks.iter().map(constraint_text).collect();
            format!("rename {}.{column} {name} {checks:?}", name_of(*table))
        }
        DdlOp::SetDefault { table, column, default } => {
            format!("default {}.{column} {default:?}", name_of(*table))
        }
        DdlOp::SetNullable { table, column, nullable } => {
            format!("nullable {}.{column} {nullable}", name_of(*table))
        }
        DdlOp::AddConstraint { table, constraint } => {
            format!("add {} {}", name_of(*table), constraint_text(constraint))
        }
        DdlOp::DropConstraint { table, name } => format!("drop {} {name}", name_of(*table)),
        DdlOp::CreateView { uuid, name, postgres_sql, .. } => {
            format!("create view {} {name} {postgres_sql}", name_of(*uuid))
        }
        DdlOp::DropView { uuid } => format!("drop view {}", name_of(*uuid)),
        DdlOp::CreateSequence { schema, name, spec, .. } => {
            let (first, increment) = (spec.first, spec.increment);
            format!("create sequence {}.{name} {} {first} by {increment}", name_of(*schema), spec.ty)
        }
        DdlOp::AlterSequence { name, spec, .. } => {
            format!("alter sequence {name} {} by {}", spec.first, spec.increment)
        }
        DdlOp::SetType { table, column, ty } => format!("type {}.{column} {ty}", name_of(*table)),
        DdlOp::Retype { table, column } => format!("retype {}.{} {}", name_of(*table), column.id, column.ty),
        DdlOp::RenameSchema { uuid, name } => format!("rename schema {} {name}", name_of(*uuid)),
        DdlOp::Move { uuid, schema } => format!("move {} to {}", name_of(*uuid), name_of(*schema)),
        DdlOp::Truncate { table } => format!("truncate {}", name_of(*table)),
        DdlOp::DropSequence { .. } => "drop sequence".to_owned(),
        DdlOp::RenameView { uuid, name } => format!("rename view {} {name}", name_of(*uuid)),
        DdlOp::CreateIndex { table, index } => format!("create index {} on {}", index.name, name_of(*table)),
        DdlOp::AlterIndex { table, index } => format!("alter index {} on {}", index.name, name_of(*table)),
        DdlOp::DropIndex { table, .. } => format!("drop index on {}", name_of(*table)),
        DdlOp::CreateType { schema, name, spec, .. } => format!("create type {}.{name} {spec:?}", name_of(*schema)),
        DdlOp::AlterType { name, spec, .. } => format!("alter type {name} {spec:?}"),
        DdlOp::DropType { uuid } => format!("drop type {}", name_of(*uuid)),
        DdlOp::Comment { on, comment } => {
            let on = match on {
                CommentTarget::Schema(id) => format!("schema {}", name_of(*id)),
                CommentTarget::Table(id) => format!("table {}", name_of(*id)),
                CommentTarget::Column(id, column) => format!("column {}.{column}", name_of(*id)),
                CommentTarget::View(id) => format!("view {}", name_of(*id)),
                CommentTarget::Constraint(id, name) => format!("constraint {}.{name}", name_of(*id)),
                CommentTarget::Type(id) => format!("type {}", name_of(*id)),
            };
            format!("comment {on} {comment:?}")
        }
    }
}

fn message_text(error: &PgError) -> String {
    let fields = error.fields();
    let mut text = error.to_string();
    if let Some(at) = fields.position {
        text.push_str(&format!(" @{at}"));
    }
    for (label, part) in [("DETAIL", &fields.detail), ("HINT", &fields.hint)] {
        if let Some(part) = part {
            text.push_str(&format!(" {label}: {}", part.replace('\n', " / ")));
        }
    }
    text
}

/// The plan through the whole path from its text: operations, then notices.
async fn plan(sql: &str, ctx: PlanContext) -> String {
    let statements = match crate::sql::parse(Arc::from(sql)).await {
        Ok(statements) => statements,
        Err(error) => return message_text(&error),
    };
    let Some(statement) = statements.first() else {
        return "no statement".into();
    };
    let plan = match crate::sql::plan(statement, ctx).await {
        Ok(plan) => plan,
        Err(error) => return message_text(&error),
    };
    match plan {
        Plan::Ddl(plan) => {
            let mut parts: Vec<_> = plan.ops.iter().map(op_text).collect();
            for (_, error) in &plan.validations {
                parts.push(format!("unless {}", message_text(error)));
            }
            for notice in &plan.notices {
                parts.push(format!("NOTICE {}", message_text(notice)));
            }
            parts.join("; ")
        }
        Plan::Database(DatabasePlan::Create { name, .. }) => format!("create database {name}"),
        Plan::Database(DatabasePlan::Comment { name, comment }) => format!("comment on database {name} {comment:?}"),
        Plan::Database(DatabasePlan::Drop { name, if_exists, force }) => {
            format!("drop database {name} {if_exists} {force}")
        }
        Plan::NoOp { tag, notice } => {
            let notice = notice.map(|n| message_text(&n)).unwrap_or_default();
            format!("nothing {tag} {notice}")
        }
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    }
}

async fn check(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let got = plan(sql, context()).await;
        if got != *expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

const KEYS: &str =
    "NOTICE 00000: PRIMARY KEY, UNIQUE and FOREIGN KEY constraints are kept as information and not enforced";

#[tokio::test]
async fn schemas() {
    check(&[
        ("create schema n", "create schema n"),
        ("create schema s", "42P06: schema \"s\" already exists"),
        ("create schema if not exists s", "NOTICE 42P06: schema \"s\" already exists, skipping"),
        ("create schema \"S\"", "0A000: schema \"S\" differs from \"s\" in case only HINT: DuckDB, which reads the lake, does not tell them apart: choose another name."),
        ("create schema pg_x", "42939: unacceptable schema name \"pg_x\" DETAIL: The prefix \"pg_\" is reserved for system schemas."),
        ("create schema main", "42939: unacceptable schema name \"main\" DETAIL: The name \"main\" is reserved: it is what the lake calls schema \"public\"."),
        ("create schema authorization ada", "create schema ada"),
        ("create schema n authorization nobody", "42704: role \"nobody\" does not exist"),
        ("drop schema nope", "3F000: schema \"nope\" does not exist"),
        ("drop schema if exists nope", "NOTICE 00000: schema \"nope\" does not exist, skipping"),
        ("drop schema s", "2BP01: cannot drop schema s because other objects depend on it DETAIL: table s.x depends on schema s HINT: Use DROP ... CASCADE to drop the dependent objects too."),
        ("drop schema s cascade", "drop table s.x; drop schema s; NOTICE 00000: drop cascades to table s.x"),
        ("drop schema pg_catalog", "2BP01: cannot drop schema pg_catalog because it is required by the database system"),
        ("drop schema main", "3F000: schema \"main\" does not exist"),
        ("alter schema nope rename to x", "3F000: schema \"nope\" does not exist"),
    ])
    .await;
}

#[tokio::test]
async fn tables() {
    check(&[
        ("create table n(a int, b varchar(5) not null, c int[], d numeric)",
         "create table public.n(1:a integer, 2:b character varying(5) not null, 3:c integer[] element 4, 5:d numeric(38,9)); \
          NOTICE 00000: column \"d\" of type numeric is stored as numeric(38,9)"),
        ("create table s.n(a int primary key, b int unique, d int references t(c), unique (a, b), foreign key (a) references t)",
         &format!("create table s.n(1:a integer not null, 2:b integer, 3:d integer, n_pkey key(1), n_b_key unique(2), n_a_b_key unique(1,2), \
          n_d_fkey refers(3) main.t[\"c\"], n_a_fkey refers(1) main.t[]); {KEYS}")),
        ("create table n(a int default 1.6, b int default '7', c numeric(5,2) default 1.239, i bool default 't', k text default 5, l int default null, n int default -5, m date default date '2024-02-03')",
         "create table public.n(1:a integer default (1.6), 2:b integer default '7', 3:c numeric(5,2) default (1.239), 4:i boolean default 'true', \
          5:k text default (5), 6:l integer, 7:n integer default '-5', 8:m date default '2024-02-03')"),
        ("create table t(a int)", "42P07: relation \"t\" already exists"),
        ("create table v(a int)", "42P07: relation \"v\" already exists"),
        ("create table if not exists t(a int)", "NOTICE 42P07: relation \"t\" already exists, skipping"),
        ("create table \"T\"(a int)", "0A000: relation \"T\" differs from \"t\" in case only HINT: DuckDB, which reads the lake, does not tell them apart: choose another name."),
        ("create table n(a int, A text)", "42701: column \"a\" specified more than once"),
        ("create table n(a int, \"A\" text)", "0A000: column \"A\" differs from \"a\" in case only HINT: DuckDB, which reads the lake, does not tell them apart: choose another name."),
        ("create table n(a int not null null)", "42601: conflicting NULL/NOT NULL declarations for column \"a\" of table \"n\""),
        ("create table n(a int primary key, primary key(a))", "42P16: multiple primary keys for table \"n\" are not allowed"),
        ("create table n(a foo)", "42704: type \"foo\" does not exist @18"),
        ("create table n(a int default 'x')", "22P02: invalid input syntax for type integer: \"x\" @30"),
        ("create table n(a bool default 1)", "42804: column \"a\" is of type boolean but default expression is of type integer HINT: You will need to rewrite or cast the expression."),
        ("create table n(a int, primary key(nope))", "42703: column \"nope\" named in key does not exist @35"),
        ("create table n(a int, unique(a,a))", "42701: column \"a\" appears twice in unique constraint @32"),
        ("create table n(a int references nope(x))", "42P01: relation \"nope\" does not exist"),
        ("create table n(a int references t(nope))", "42703: column \"nope\" referenced in foreign key constraint does not exist"),
        ("create table n(a int, foreign key (nope) references t)", "42703: column \"nope\" referenced in foreign key constraint does not exist"),
        ("create table nos.n(a int)", "3F000: schema \"nos\" does not exist @14"),
        ("create table pg_catalog.n(a int)", "42501: permission denied to create \"pg_catalog.n\" DETAIL: System catalog modifications are currently disallowed."),
        ("create table main.n(a int)", "3F000: schema \"main\" does not exist @14"),
        ("create table lake.s.n(a int)", "create table s.n(1:a integer)"),
        ("create table x.y.z(a int)", "0A000: cross-database references are not implemented: \"x.y.z\" @14"),
        ("create table a.b.c.d(a int)", "42601: improper qualified name (too many dotted names): a.b.c.d @14"),
        ("create table n(a int collate \"C\")", "42804: collations are not supported by type integer @30"),
        ("create table n(a text collate \"C\")", "create table public.n(1:a text)"),
        ("create table n(xmin int)", "42701: column name \"xmin\" conflicts with a system column name"),
        ("create table n(a serial)", "create sequence public.n_a_seq integer 1 by 1; create table public.n(1:a integer not null default (nextval('public.n_a_seq'::regclass)))"),
    ])
    .await;
}

#[tokio::test]
async fn drops() {
    const T: &str = "2BP01: cannot drop table t because other objects depend on it DETAIL: view v depends on table t / view vv depends on view v \
                     HINT: Use DROP ... CASCADE to drop the dependent objects too.";
    check(&[
        ("drop table alone", "drop table alone"),
        ("drop table alone, alone", "drop table alone"),
        ("drop table t", T),
        ("drop table t cascade", "drop view v; drop view vv; drop table t; NOTICE 00000: drop cascades to 2 other objects DETAIL: drop cascades to view v / drop cascades to view vv"),
        ("drop table v", "42809: \"v\" is not a table HINT: Use DROP VIEW to remove a view."),
        ("drop view t", "42809: \"t\" is not a view HINT: Use DROP TABLE to remove a table."),
        ("drop view v, vv", "drop view v; drop view vv"),
        ("drop view v cascade", "drop view vv; drop view v; NOTICE 00000: drop cascades to view vv"),
        ("drop table nope", "42P01: table \"nope\" does not exist"),
        ("drop table if exists nope, alone", "drop table alone; NOTICE 00000: table \"nope\" does not exist, skipping"),
        ("drop table if exists nos.x", "NOTICE 00000: schema \"nos\" does not exist, skipping"),
        ("drop table nos.x", "3F000: schema \"nos\" does not exist"),
        ("drop table pg_catalog.pg_class", "42501: permission denied: \"pg_class\" is a system catalog"),
        ("drop index nope", "42704: index \"nope\" does not exist"),
        ("drop index if exists nope", "NOTICE 00000: index \"nope\" does not exist, skipping"),
    ])
    .await;
}

#[tokio::test]
async fn alter_tables() {
    check(&[
        ("alter table t add column d int default 5, add e int[]", "add t 4:d integer default '5' initially '5'; add t 5:e integer[] element 6"),
        ("alter table t add column a int", "42701: column \"a\" of relation \"t\" already exists"),
        ("alter table t add column if not exists a int", "NOTICE 42701: column \"a\" of relation \"t\" already exists, skipping"),
        ("alter table t drop column b", "drop t.2"),
        ("alter table t drop column c", "drop t t_c_check; drop t t_pkey; drop t.3"),
        ("alter table t drop column a", "2BP01: cannot drop column a of table t because other objects depend on it DETAIL: view v depends on column a of table t / view vv depends on view v HINT: Use DROP ... CASCADE to drop the dependent objects too."),
        ("alter table t drop column a cascade", "drop view v; drop view vv; drop t.1; NOTICE 00000: drop cascades to 2 other objects DETAIL: drop cascades to view v / drop cascades to view vv"),
        ("alter table t drop column nope", "42703: column \"nope\" of relation \"t\" does not exist"),
        ("alter table t drop column if exists nope", "NOTICE 00000: column \"nope\" of relation \"t\" does not exist, skipping"),
        ("alter table t drop b, drop b", "42703: column \"b\" of relation \"t\" does not exist"),
        ("alter table t add z int, add z int", "42701: column \"z\" of relation \"t\" already exists"),
        ("alter table t rename column nope to x", "42703: column \"nope\" does not exist"),
        ("alter table t rename b to b", "42701: column \"b\" of relation \"t\" already exists"),
        ("alter table t rename b to a", "42701: column \"a\" of relation \"t\" already exists"),
        ("alter table t rename b to \"A\"", "0A000: column \"A\" differs from \"a\" in case only HINT: DuckDB, which reads the lake, does not tell them apart: choose another name."),
        ("alter table t rename b to x", "rename t.2 x []"),
        ("alter table t rename c to \"C d\"", "rename t.3 C d [\"t_c_check check(\\\"C d\\\" > 0)\"]"),
        ("alter table alone rename to n", "rename table alone n"),
        ("alter table t rename to t", "42P07: relation \"t\" already exists"),
        ("alter table t rename to v", "42P07: relation \"v\" already exists"),
        ("alter table nope rename to x", "42P01: relation \"nope\" does not exist"),
        ("alter table if exists nope add x int", "NOTICE 00000: relation \"nope\" does not exist, skipping"),
        ("alter table t alter b set default 'x', alter a set default 3", "default t.2 Some(Literal(\"x\")); default t.1 Some(Literal(\"3\"))"),
        ("alter table t alter b set default null", "default t.2 None"),
        ("alter table t alter b drop default", "default t.2 None"),
        ("alter table t alter a set default 'x'", "22P02: invalid input syntax for type integer: \"x\" @35"),
        ("alter table t alter b drop not null", ""),
        ("alter table t alter c drop not null", "42P16: column \"c\" is in a primary key"),
        ("alter table t alter nope set not null", "42703: column \"nope\" of relation \"t\" does not exist"),
        ("alter table t add primary key (a)", "42P16: multiple primary keys for table \"t\" are not allowed"),
        ("alter table t add unique (a, b)", &format!("add t t_a_b_key unique(1,2); {KEYS}")),
        ("alter table t drop constraint t_pkey", "drop t t_pkey"),
        ("alter table t drop constraint nope", "42704: constraint \"nope\" of relation \"t\" does not exist"),
        ("alter table t drop constraint if exists nope", "NOTICE 00000: constraint \"nope\" of relation \"t\" does not exist, skipping"),
        ("alter table t rename constraint nope to x", "42704: constraint \"nope\" for table \"t\" does not exist"),
        ("alter table t rename constraint t_pkey to x", "drop t t_pkey; add t x key(3)"),
        ("alter table t alter b type int", "42804: column \"b\" cannot be cast automatically to type integer HINT: You might need to specify \"USING b::integer\"."),
        ("alter table alone alter a type bigint", "type alone.1 bigint"),
        ("alter table t owner to ada", ""),
        ("alter table t owner to nobody", "42704: role \"nobody\" does not exist"),
        ("alter table t set schema s", "truncate t; move t to s; create view v v SELECT a FROM \"s\".\"t\" AS \"t\""),
        ("alter table alone drop column a", "0A000: cannot drop column \"a\": it is the only one of table \"alone\" HINT: Use DROP TABLE, or add another column first."),
        ("alter table v add column x int", "42809: ALTER action ADD COLUMN cannot be performed on relation \"v\" DETAIL: This operation is not supported for views."),
        ("alter table vv rename to w", "rename view vv w"),
        ("alter view vv rename to w", "rename view vv w"),
        ("alter view t rename to w", "42809: \"t\" is not a view"),
        ("alter view nope rename to w", "42P01: relation \"nope\" does not exist"),
        ("alter view if exists nope rename to w", "NOTICE 00000: relation \"nope\" does not exist, skipping"),
    ])
    .await;
}

#[tokio::test]
async fn comments_and_databases() {
    check(&[
        ("comment on table t is 'x'", "comment table t Some(\"x\")"),
        ("comment on table t is null", "comment table t None"),
        ("comment on table nope is 'x'", "42P01: relation \"nope\" does not exist"),
        ("comment on view t is 'x'", "42809: \"t\" is not a view"),
        ("comment on table v is 'x'", "42809: \"v\" is not a table"),
        ("comment on column t.nope is 'x'", "42703: column \"nope\" of relation \"t\" does not exist"),
        ("comment on column public.t.b is 'x'", "comment column t.2 Some(\"x\")"),
        ("comment on column a is 'x'", "42601: column name must be qualified"),
        ("comment on schema nope is 'x'", "3F000: schema \"nope\" does not exist"),
        ("comment on schema public is 'x'", "comment schema public Some(\"x\")"),
        ("create database d2", "create database d2"),
        ("create database \"a b\" with owner ada encoding 'UTF8' template template0", "create database a b"),
        ("create database d2 template nope", "0A000: template database \"nope\" is not supported HINT: A new database is empty."),
        ("create database d2 foo 1", "42601: option \"foo\" not recognized @20"),
        ("drop database lake", "55006: cannot drop the currently open database"),
        ("drop database if exists nope", "drop database nope true false"),
        ("drop database \"a b\" with (force)", "drop database a b false true"),
        ("create type mood as enum ('x')", "create type public.mood Enum([Label { id: 0, name: \"x\", former: [] }])"),
        ("create type mood as range (subtype = int)", "0A000: CREATE TYPE … AS RANGE is not supported HINT: Enums, domains and composite types can be made; for a range use two columns."),
        ("create sequence q start 3 increment by 2", "create sequence public.q bigint 3 by 2"),
        ("create sequence t", "42P07: relation \"t\" already exists"),
        ("truncate t restart identity", "truncate t"),
        ("create extension x", "0A000: CREATE EXTENSION is not supported HINT: The engine's functions are fixed; nothing can be loaded."),
        ("create index i on t(a)", "create index i on t; NOTICE 00000: indexes have no effect: queries find their rows by the statistics of files"),
        ("create materialized view m as select 1", "0A000: materialized views are not supported yet HINT: Use CREATE VIEW, or CREATE TABLE AS for a copy of the rows."),
    ])
    .await;
}

#[test]
fn names_are_cut_and_generated_as_postgres_does() {
    let long = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg";
    let column = "b".repeat(61);
    assert_eq!(
        super::names::generated(long, Some(&column), "key"),
        "aaaaaaaaaabbbbbbbbbbccccccccc_bbbbbbbbbbbbbbbbbbbbbbbbbbbbb_key"
    );
    assert_eq!(
        super::names::generated(long, Some("a"), "check"),
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffff_a_check"
    );
    assert_eq!(super::names::quote("select"), "\"select\"");
    assert_eq!(super::names::quote("a b"), "\"a b\"");
    assert_eq!(super::names::quote("name1"), "name1");
}

#[tokio::test]
async fn defaults_in_the_lakes_text() {
    check(&[
        ("create table n(a int[] default '{1,2}', b timestamptz default '2024-01-01', c bytea default '\\x00ff', d bool default true, e text default 'it''s')",
         "create table public.n(1:a integer[] element 2 default '[1, 2]', 3:b timestamp with time zone default '2024-01-01 00:00:00+00', \
          4:c bytea default '00FF', 5:d boolean default 'true', 6:e text default 'it's')"),
        ("create table n(a int default 2.5, b int default -2.5, c int default 2.4, d bigint default '9', e text default 'x'::text, f real default 1.5)",
         "create table public.n(1:a integer default (2.5), 2:b integer default ('-2.5'::numeric), 3:c integer default (2.4), 4:d bigint default ('9'::bigint), 5:e text default 'x', 6:f real default '1.5')"),
        ("create table n(a int default 5000000000)", "create table public.n(1:a integer default ('5000000000'::bigint))"),
        ("create table n(a date default '2024-02-30')", "22008: date/time field value out of range: \"2024-02-30\" @31"),
        ("create table n(a int default true)", "42804: column \"a\" is of type integer but default expression is of type boolean HINT: You will need to rewrite or cast the expression."),
        ("create table n(a int default null::int)", "create table public.n(1:a integer)"),
        ("create table n(a jsonb default '{\"b\":1,\"a\":[]}')", "create table public.n(1:a jsonb default '{\"a\": [], \"b\": 1}')"),
    ])
    .await;
}

#[tokio::test]
async fn expressions() {
    check(&[
        ("create table n(a int check (a > 1) check (a < 9), b int, check (a > b), check (b > 1), constraint x check (b > 2))",
         "create table public.n(1:a integer, 2:b integer, n_a_check check(a > 1), n_a_check1 check(a < 9), n_check check(a > b), n_b_check check(b > 1), x check(b > 2))"),
        ("create table n(a int, constraint x check (a > 1), constraint x check (a > 2))", "42710: check constraint \"x\" already exists"),
        ("create table n(a timestamptz default now())", "create table public.n(1:a timestamp with time zone default (now()))"),
        ("alter table t add column d timestamptz default now()",
         "add t 4:d timestamp with time zone default (now()) initially '2024-05-06 07:08:09+00'"),
        ("alter table t add column d uuid default gen_random_uuid()",
         "add t 4:d uuid default (gen_random_uuid()); truncate t"),
        ("alter table t add column d int not null", "add t 4:d integer not null; unless 23502: column \"d\" of relation \"t\" contains null values"),
        ("alter table t add column d int not null default 5", "add t 4:d integer not null default '5' initially '5'"),
        ("alter table t alter a set not null", "nullable t.1 false; unless 23502: column \"a\" of relation \"t\" contains null values"),
        ("alter table t add constraint k check (a > 5), add check (a < 100)",
         "add t k check(a > 5); add t t_a_check check(a < 100); unless 23514: check constraint \"k\" of relation \"t\" is violated by some row; \
          unless 23514: check constraint \"t_a_check\" of relation \"t\" is violated by some row"),
        ("alter table t add constraint t_pkey check (a > 5)", "42710: constraint \"t_pkey\" for relation \"t\" already exists"),
        ("alter table alone add primary key (a)", &format!("nullable alone.1 false; add alone alone_pkey key(1); \
          unless 23502: column \"a\" of relation \"alone\" contains null values; {KEYS}")),
        ("create table c1 as select 1 a", "CreateTableAs"),
        ("create table c1 (x, y) as select 1, 2 with no data", "CreateTableAs"),
        ("create table t as select 1", "42P07: relation \"t\" already exists"),
        ("create table if not exists t as select 1", "CreateTableAs"),
        ("create view n as select a from t", "CreateView"),
        ("create view v as select 1", "42P07: relation \"v\" already exists"),
        ("create or replace view v as select 1 as a", "CreateView"),
        ("create or replace view t as select 1", "42809: \"t\" is not a view"),
        ("create or replace view v as select a from public.vv", "42P17: infinite recursion detected in rules for relation \"v\""),
        ("alter table t rename a to n", "rename t.1 n []; create view v v SELECT \"n\" AS \"a\" FROM \"public\".\"t\""),
        ("alter table t rename to n", "rename table t n; create view v v SELECT a FROM \"public\".\"n\" AS \"t\""),
        ("alter view v rename to n", "rename view v n; create view vv vv SELECT \"v\".\"a\" FROM \"public\".\"n\" AS \"v\""),
    ])
    .await;
}
