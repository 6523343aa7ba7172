//! Makes a lake with a table and prints where it is; for a look with the official DuckDB extension.
//!
//! `interop sqlite <folder>` or `interop postgres <url> <folder>`; then lines of stdin are commands: `ddl`, `show`.

use std::{io::BufRead, sync::Arc};

use duckmesh_catalog::{
    Catalog, ColumnDef, ColumnId, ColumnType, Constraint, ConstraintKind, DefaultValue, Epoch,
    LakeInfo, LakeName, Location, NewFile, Offset, Publication,
    clock::SystemClock,
    ddl::{CommentTarget, DdlOp},
    files::ColumnStats,
};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (location, folder) = match args.first().map(String::as_str) {
        Some("sqlite") => (
            Location::Sqlite {
                data_dir: args[1].clone().into(),
            },
            String::new(),
        ),
        _ => (
            Location::Postgres {
                url: args[1].clone(),
            },
            args[2].clone(),
        ),
    };
    let catalog = Catalog::open(location, Arc::new(SystemClock)).await?;
    let name = LakeName::parse("demo").ok_or("name")?;
    let lake = match catalog.lake(&name).await? {
        Some(lake) => lake,
        None => catalog.create_lake(&name, &folder).await?,
    };
    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            "create" => publish(&catalog, &lake, create(&catalog, &lake).await?, vec![]).await?,
            "alter" => publish(&catalog, &lake, alter(), vec![]).await?,
            "drop" => {
                publish(
                    &catalog,
                    &lake,
                    vec![DdlOp::DropColumn {
                        table: Uuid::from_u128(1),
                        column: ColumnId::new(2),
                    }],
                    vec![],
                )
                .await?
            }
            command if command.starts_with("file ") => {
                let parts: Vec<&str> = command.split(' ').collect();
                let stats = |c, min: &str, max: &str| ColumnStats {
                    column: ColumnId::new(c),
                    size_bytes: 30,
                    value_count: 2,
                    null_count: 0,
                    min: Some(min.into()),
                    max: Some(max.into()),
                    contains_nan: None,
                };
                let file = NewFile {
                    path: parts[1].into(),
                    record_count: 2,
                    size_bytes: parts[2].parse()?,
                    footer_size_bytes: parts[3].parse()?,
                    sha256: String::new(),
                    stats: vec![stats(1, "1001", "1002"), stats(2, "x", "y")],
                };
                publish(
                    &catalog,
                    &lake,
                    vec![],
                    vec![(Uuid::from_u128(1), vec![file])],
                )
                .await?;
            }
            "show" => show(&catalog, &lake).await?,
            "time" => time(&catalog, &lake).await?,
            _ => {}
        }
    }
    catalog.close().await;
    Ok(())
}

async fn time(catalog: &Catalog, lake: &LakeInfo) -> Result<(), Box<dyn std::error::Error>> {
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        catalog.latest(lake.id).await?;
    }
    println!("latest {:?}", start.elapsed() / 1000);
    let latest = catalog.latest(lake.id).await?;
    let table = duckmesh_catalog::TableId::new(1);
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        catalog.files(lake.id, latest.id, table).await?;
    }
    println!("files {:?}", start.elapsed() / 1000);
    let start = std::time::Instant::now();
    for n in 0..100 {
        let file = NewFile {
            path: format!("none-{n}.parquet"),
            record_count: 2,
            size_bytes: 100,
            footer_size_bytes: 50,
            sha256: String::new(),
            stats: (1..=8)
                .map(|c| ColumnStats {
                    column: ColumnId::new(c),
                    size_bytes: 30,
                    value_count: 2,
                    null_count: 0,
                    min: Some("1001".into()),
                    max: Some("1002".into()),
                    contains_nan: None,
                })
                .collect(),
        };
        publish(
            catalog,
            lake,
            vec![],
            vec![(Uuid::from_u128(1), vec![file])],
        )
        .await?;
    }
    println!("publish {:?}", start.elapsed() / 100);
    Ok(())
}

async fn publish(
    catalog: &Catalog,
    lake: &LakeInfo,
    ddl: Vec<DdlOp>,
    files: Vec<(Uuid, Vec<NewFile>)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (watermark, epoch): (Offset, Epoch) = catalog.watermark(lake.id).await?;
    let ddl_offset = (!ddl.is_empty()).then(|| watermark.next());
    catalog
        .publish(&Publication {
            lake: lake.id,
            epoch,
            expected_watermark: watermark,
            new_watermark: watermark.next(),
            ddl,
            ddl_offset,
            files,
            rejected: vec![],
        })
        .await?;
    Ok(())
}

async fn create(
    catalog: &Catalog,
    lake: &LakeInfo,
) -> Result<Vec<DdlOp>, Box<dyn std::error::Error>> {
    let latest = catalog.latest(lake.id).await?;
    let main = catalog
        .schema(lake.id, &latest)
        .await?
        .schema("main")
        .ok_or("main")?
        .uuid;
    let column = |id, name: &str, ty: ColumnType, default: Option<DefaultValue>| ColumnDef {
        id: ColumnId::new(id),
        element_id: matches!(ty, ColumnType::Array(_)).then(|| ColumnId::new(id + 1)),
        name: name.into(),
        ty,
        nullable: id != 1,
        default,
        initial_default: None,
        comment: None,
    };
    let literal = |text: &str| Some(DefaultValue::Literal(text.into()));
    Ok(vec![
        DdlOp::CreateTable {
            uuid: Uuid::from_u128(1),
            schema: main,
            name: "t".into(),
            columns: vec![
                column(1, "a", ColumnType::Int4, None),
                column(2, "s", ColumnType::Varchar(Some(20)), literal("it's")),
                column(3, "l", ColumnType::Array(Box::new(ColumnType::Int4)), None),
                column(5, "b", ColumnType::Bytea, literal("00AA")),
                column(6, "bo", ColumnType::Bool, literal("true")),
                column(
                    7,
                    "ts",
                    ColumnType::Timestamptz,
                    Some(DefaultValue::Expression("now()".into())),
                ),
                column(8, "n", ColumnType::Numeric(10, 2), literal("1.50")),
                column(9, "w", ColumnType::Text, literal("NULL")),
                column(10, "j", ColumnType::Jsonb, None),
            ],
            constraints: vec![Constraint {
                name: "c".into(),
                kind: ConstraintKind::Check {
                    expression: "a > 0".into(),
                },
            }],
        },
        DdlOp::CreateView {
            uuid: Uuid::from_u128(2),
            schema: main,
            name: "v".into(),
            duckdb_sql: "SELECT a, s FROM {DUCKLAKE_CATALOG}.\"main\".\"t\"".into(),
            postgres_sql: "SELECT a, s FROM public.t".into(),
            columns: vec![("a".into(), ColumnType::Int4)],
        },
        DdlOp::Comment {
            on: CommentTarget::Table(Uuid::from_u128(1)),
            comment: Some("hello".into()),
        },
    ])
}

fn alter() -> Vec<DdlOp> {
    let t = Uuid::from_u128(1);
    vec![
        DdlOp::AddColumn {
            table: t,
            column: ColumnDef {
                id: ColumnId::new(11),
                element_id: None,
                name: "z".into(),
                ty: ColumnType::Bytea,
                nullable: true,
                default: Some(DefaultValue::Literal("AB".into())),
                initial_default: Some("AB".into()),
                comment: None,
            },
        },
        DdlOp::RenameColumn {
            table: t,
            column: ColumnId::new(10),
            name: "jj".into(),
            checks: vec![],
        },
    ]
}

async fn show(catalog: &Catalog, lake: &LakeInfo) -> Result<(), Box<dyn std::error::Error>> {
    let latest = catalog.latest(lake.id).await?;
    println!("{latest:?}");
    let schema = catalog.schema(lake.id, &latest).await?;
    for table in schema.tables.values() {
        println!(
            "TABLE {} {} {} next {}",
            table.id, table.name, table.path, table.next_column_id
        );
        for c in &table.columns {
            println!(
                "   {} {:?} {} {:?} null={} default={:?} initial={:?} {:?}",
                c.id,
                c.element_id,
                c.name,
                c.ty,
                c.nullable,
                c.default,
                c.initial_default,
                c.comment
            );
        }
        let files = catalog.files(lake.id, latest.id, table.id).await?;
        println!(
            "   {} files, inlined deletes {:?}",
            files.files.len(),
            files.inlined_deletes
        );
        for f in &files.files {
            println!("   {f:?}");
        }
        println!("   {:?}", files.inlined);
    }
    for view in schema.views.values() {
        println!("VIEW {view:?}");
    }
    for s in catalog.snapshots(lake.id).await?.iter().rev().take(5) {
        println!("{} {:?} w={}", s.info.id, s.changes_made, s.info.watermark);
    }
    Ok(())
}
