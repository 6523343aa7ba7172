//! Values of an EXECUTE as parameters: constants as they are written, anything else computed and assigned to the parameter's type.

use bytes::{Bytes, BytesMut};
use duckmesh_catalog::types::oid;

use super::{
    PgError, PgResult, SqlState,
    backend::{Format, Given, GivenValue, Outcome, Params, Place, Prepared, ResultColumn, Session, Written},
    fault::Fault,
    pipe::Socket,
    session_loop::{Conversation, watched},
};
use crate::{
    pgcatalog::casts,
    value::{self, DataRowWriter, Encoder},
};

/// Types that a whole number is written the same for.
const NUMBERS: [u32; 6] = [oid::INT2, oid::INT4, oid::INT8, oid::FLOAT4, oid::FLOAT8, oid::NUMERIC];
/// Types that a number with a fraction is written the same for.
const FRACTIONS: [u32; 3] = [oid::FLOAT4, oid::FLOAT8, oid::NUMERIC];

/// The text of a value that needs no query.
fn as_written(value: &GivenValue, ty: u32) -> Option<Option<Bytes>> {
    match &value.written {
        Some(Written::Text(text)) => Some(text.clone().map(Bytes::from)),
        Some(Written::Number(text)) => {
            let whole = text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
            let same = if whole { NUMBERS.contains(&ty) } else { FRACTIONS.contains(&ty) };
            same.then(|| Some(Bytes::from(text.clone())))
        }
        None => None,
    }
}

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    /// The values of an EXECUTE as parameters.
    pub(super) async fn given_params(
        &mut self,
        name: &str,
        prepared: &B::Prepared,
        given: Given,
    ) -> Result<Params, Fault> {
        let types = prepared.param_types().to_vec();
        // Where none are wanted Postgres does not look at what was given.
        if types.is_empty() {
            return Ok(Params::default());
        }
        if given.values.len() != types.len() {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message)
                .detail(format!("Expected {} parameters but got {}.", types.len(), given.values.len()))
                .into());
        }
        let written: Vec<_> = given.values.iter().zip(&types).map(|(value, ty)| as_written(value, *ty)).collect();
        let formats = vec![Format::Text; types.len()];
        if let Some(values) = written.iter().cloned().collect() {
            return Ok(Params { values, formats });
        }
        let computed = self.computed(&given, &types).await?;
        let values = written.into_iter().zip(computed).map(|(written, computed)| written.unwrap_or(computed));
        Ok(Params { values: values.collect(), formats })
    }

    /// The values' expressions, computed as the parameters' types.
    async fn computed(&mut self, given: &Given, types: &[u32]) -> Result<Vec<Option<Bytes>>, Fault> {
        // The list stands where it stood: errors have their place in it.
        let query = format!("SELECT {}{}", " ".repeat(given.before.saturating_sub("SELECT ".len())), given.list);
        let plain = self.row_query(query).await?;
        let columns = watched(self.pipe, self.registration, self.session.describe(&plain)).await?;
        let columns = columns.unwrap_or_default();
        let mut casts = Vec::with_capacity(types.len());
        for (at, (value, wanted)) in given.values.iter().zip(types).enumerate() {
            let column: Option<&ResultColumn> = columns.get(at);
            let from = column.map_or(*wanted, |column| column.type_oid);
            if as_written(value, *wanted).is_some() {
                casts.push("NULL".to_owned());
                continue;
            }
            if !casts::assigns(from, *wanted) {
                return Err(not_assigned(at, from, *wanted, value.position).into());
            }
            casts.push(match casts::name(*wanted) {
                // Without a length: `character` is one character.
                Some(_) if from != *wanted && *wanted == oid::BPCHAR => format!("CAST(({}) AS bpchar)", value.source),
                Some(name) if from != *wanted => format!("CAST(({}) AS {name})", value.source),
                _ => value.source.clone(),
            });
        }
        let query = self.row_query(format!("SELECT {}", casts.join(", "))).await?;
        self.first_row(&query).await
    }

    async fn row_query(&mut self, sql: String) -> Result<B::Prepared, Fault> {
        let statements = watched(self.pipe, self.registration, self.session.parse(sql.into())).await?;
        let [statement] = statements.as_slice() else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in the values of EXECUTE").into());
        };
        Ok(watched(self.pipe, self.registration, self.session.prepare(statement, &[])).await?)
    }

    /// The first row of a query as text.
    async fn first_row(&mut self, prepared: &B::Prepared) -> Result<Vec<Option<Bytes>>, Fault> {
        let execution = self.session.execute(prepared, Params::default(), Place::MoreMayFollow);
        let Outcome::Rows(mut rows) = watched(self.pipe, self.registration, execution).await? else {
            return Err(PgError::internal("values without rows").into());
        };
        while let Some(batch) = watched(self.pipe, self.registration, rows.batches.next()).await? {
            if batch.num_rows() == 0 {
                continue;
            }
            let context = self.session.value_context();
            let mut encoders = Vec::with_capacity(rows.columns.len());
            for (field, column) in batch.schema_ref().fields().iter().zip(rows.columns.iter()) {
                let encoder = Encoder::new(field.data_type(), &column.duckdb_type, column.declared.as_ref(), &context)?;
                encoders.push((encoder, value::Format::Text));
            }
            let mut out = BytesMut::new();
            DataRowWriter::new(encoders).write(&batch, 0..1, &mut out)?;
            return Ok(cells(out.freeze())?);
        }
        Ok(Vec::new())
    }
}

fn not_assigned(at: usize, from: u32, to: u32, position: Option<u32>) -> PgError {
    let name = |ty: u32| casts::name(ty).unwrap_or_else(|| "unknown".to_owned());
    let (from, to) = (name(from), name(to));
    let message = format!("parameter ${} of type {from} cannot be coerced to the expected type {to}", at + 1);
    PgError::new(SqlState::DATATYPE_MISMATCH, message)
        .hint("You will need to rewrite or cast the expression.")
        .or_position(position)
}

/// The cells of a DataRow message that we wrote ourselves.
fn cells(message: Bytes) -> PgResult<Vec<Option<Bytes>>> {
    // Kind and length come first.
    const HEAD: usize = 5;
    let short = || PgError::internal("a short row");
    let mut at = HEAD;
    let mut take = |count: usize| {
        let piece = (at + count <= message.len()).then(|| message.slice(at..at + count));
        at += count;
        piece.ok_or_else(short)
    };
    let number = |bytes: &Bytes| bytes.iter().fold(0_u32, |n, byte| (n << 8) | u32::from(*byte));
    let count = number(&take(2)?);
    (0..count)
        .map(|_| {
            let length = number(&take(4)?);
            if length == u32::MAX { Ok(None) } else { take(length as usize).map(Some) }
        })
        .collect()
}
