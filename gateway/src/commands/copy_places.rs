//! Where in the data of a COPY rows came from, for the context of errors that are found after parsing.

use arrow::{
    array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray},
    compute,
    datatypes::Int64Type,
};

use crate::{
    sql::plan::CopyInPlan,
    wire::{PgError, PgResult},
};

/// The places of a batch's rows.
pub struct Places {
    numbers: Int64Array,
    /// How the lines begin, where they are lines and errors show them.
    texts: Option<StringArray>,
    what: &'static str,
}

impl Places {
    /// Of a batch of the parser, which has them behind its `width` columns.
    ///
    /// # Errors
    /// When it has none: a bug.
    pub fn split(batch: RecordBatch, width: usize) -> PgResult<(RecordBatch, Self)> {
        let numbers = batch.columns().get(width).and_then(|lines| lines.as_primitive_opt::<Int64Type>()).cloned();
        let numbers = numbers.ok_or_else(|| PgError::internal("COPY lost its line numbers"))?;
        let texts = batch.columns().get(width + 1).and_then(|texts| texts.as_string_opt::<i32>()).cloned();
        let columns: Vec<usize> = (0..width).collect();
        let batch = batch.project(&columns).map_err(PgError::internal)?;
        Ok((batch, Self { numbers, texts, what: "line" }))
    }

    /// Of `count` rows of a file, the first of which has that number.
    #[must_use]
    pub fn rows_from(first: i64, count: usize) -> Self {
        Self { numbers: (first..).take(count).collect(), texts: None, what: "row" }
    }

    /// Of the rows that are kept.
    ///
    /// # Errors
    /// When there are not as many truths as rows: a bug.
    pub fn filter(&self, kept: &BooleanArray) -> PgResult<Self> {
        let numbers = compute::filter(&self.numbers, kept).map_err(PgError::internal)?;
        let texts = self.texts.as_ref().map(|texts| compute::filter(texts, kept)).transpose();
        let texts = texts.map_err(PgError::internal)?.and_then(|texts| texts.as_string_opt::<i32>().cloned());
        Ok(Self { numbers: numbers.as_primitive::<Int64Type>().clone(), texts, what: self.what })
    }

    /// Of the first rows alone.
    #[must_use]
    pub fn first(&self, rows: usize) -> Self {
        let texts = self.texts.as_ref().map(|texts| texts.slice(0, rows.min(texts.len())));
        Self { numbers: self.numbers.slice(0, rows.min(self.numbers.len())), texts, what: self.what }
    }

    /// `COPY t, line 3: "1,2"`.
    #[must_use]
    pub fn context(&self, plan: &CopyInPlan, row: usize) -> String {
        match self.texts.as_ref().filter(|texts| row < texts.len()) {
            Some(texts) => format!("{}: \"{}\"", self.place(plan, row), texts.value(row)),
            None => self.place(plan, row),
        }
    }

    /// `COPY t, line 3, column c: "2"`.
    #[must_use]
    pub fn context_of_value(&self, plan: &CopyInPlan, row: usize, column: &str, value: Option<&str>) -> String {
        let value = value.map_or_else(|| "null input".to_owned(), |value| format!("\"{value}\""));
        format!("{}, column {column}: {value}", self.place(plan, row))
    }

    /// A row's number in the data, and how its line begins, where it has one.
    #[must_use]
    pub fn line(&self, row: usize) -> (u64, String) {
        let number = self.numbers.values().get(row).copied().unwrap_or_default();
        let text = self.texts.as_ref().filter(|texts| row < texts.len()).map(|texts| texts.value(row).to_owned());
        (u64::try_from(number).unwrap_or_default(), text.unwrap_or_default())
    }

    fn place(&self, plan: &CopyInPlan, row: usize) -> String {
        let number = self.numbers.values().get(row).copied().unwrap_or_default();
        format!("COPY {}, {} {number}", plan.table.name, self.what)
    }
}
