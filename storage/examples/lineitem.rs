//! How fast rows become staged Parquet: 6 million rows shaped like TPC-H's lineitem.

use std::{sync::Arc, time::Instant};

use arrow::{
    array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Field, Schema},
};
use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, SchemaId, TableDef, TableId};
use duckmesh_storage::LakeFiles;
use uuid::Uuid;

const ROWS: usize = 6_001_215;
const BATCH_ROWS: usize = 8_192;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: lineitem <absolute folder>")?;
    let files = LakeFiles::open(&folder)?;
    let table = Arc::new(lineitem());
    let ids = table.columns.iter().map(|c| c.id).collect();
    let mut random = Random(42);
    let batches = (0..16).map(|_| batch(&table, &mut random)).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let mut writer = files.stage(table, "main/".into(), ids);
    let mut left = ROWS;
    for batch in batches.iter().cycle() {
        let rows = left.min(BATCH_ROWS);
        writer.write(batch.slice(0, rows)).await?;
        left -= rows;
        if left == 0 {
            break;
        }
    }
    let (written, _claims) = writer.finish().await?;
    let bytes: u64 = written.iter().map(|f| f.size_bytes).sum();
    println!("{ROWS} rows, {} files, {bytes} bytes in {:?}", written.len(), start.elapsed());
    Ok(())
}

fn lineitem() -> TableDef {
    let price = || ColumnType::Numeric(15, 2);
    let columns = [
        ("l_orderkey", ColumnType::Int8),
        ("l_partkey", ColumnType::Int8),
        ("l_suppkey", ColumnType::Int8),
        ("l_linenumber", ColumnType::Int4),
        ("l_quantity", price()),
        ("l_extendedprice", price()),
        ("l_discount", price()),
        ("l_tax", price()),
        ("l_returnflag", ColumnType::Char(1)),
        ("l_linestatus", ColumnType::Char(1)),
        ("l_shipdate", ColumnType::Date),
        ("l_commitdate", ColumnType::Date),
        ("l_receiptdate", ColumnType::Date),
        ("l_shipinstruct", ColumnType::Char(25)),
        ("l_shipmode", ColumnType::Char(10)),
        ("l_comment", ColumnType::Varchar(Some(44))),
    ];
    let columns = columns.into_iter().zip(1..).map(|((name, ty), id)| ColumnDef {
        id: ColumnId::new(id),
        element_id: None,
        name: name.into(),
        ty,
        nullable: false,
        default: None,
        initial_default: None,
        comment: None,
        domain: None,
    });
    TableDef {
        id: TableId::new(1),
        uuid: Uuid::nil(),
        schema_id: SchemaId::new(0),
        name: "lineitem".into(),
        path: "lineitem/".into(),
        columns: columns.collect(),
        next_column_id: ColumnId::new(17),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: None,
    }
}

fn batch(table: &TableDef, random: &mut Random) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns = table.columns.iter().map(|column| {
        Ok(match (&column.ty, column.name.as_str()) {
            (ColumnType::Int8, _) => Arc::new(Int64Array::from_iter_values(random.take(6_000_000))) as ArrayRef,
            (ColumnType::Int4, _) => Arc::new(Int32Array::from_iter_values(random.take(7).map(|v| v as i32))),
            (ColumnType::Numeric(p, s), name) => {
                let most = if name == "l_extendedprice" { 10_000_000 } else { 50 };
                let values = Decimal128Array::from_iter_values(random.take(most).map(i128::from));
                Arc::new(values.with_precision_and_scale(*p, *s)?)
            }
            (ColumnType::Date, _) => {
                Arc::new(Date32Array::from_iter_values(random.take(2_500).map(|v| v as i32 + 8_000)))
            }
            (_, "l_comment") => {
                let texts = random.take(i64::MAX).map(|v| format!("{v:x} carefully {}", v % 1_000));
                Arc::new(StringArray::from_iter_values(texts))
            }
            _ => Arc::new(StringArray::from_iter_values(
                random.take(4).map(|v| ["AIR", "RAIL", "SHIP", "TRUCK"][v as usize]),
            )),
        })
    });
    let columns = columns.collect::<Result<_, arrow::error::ArrowError>>()?;
    let fields: Vec<_> = table.columns.iter().map(|c| Field::new(&c.name, c.ty.arrow(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Xorshift: numbers that only have to look random.
struct Random(u64);

impl Random {
    fn take(&mut self, below: i64) -> impl Iterator<Item = i64> + '_ {
        (0..BATCH_ROWS).map(move |_| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 1) as i64 % below
        })
    }
}
