//! COPY's options: what was written, and what it means after Postgres' checks.

use crate::wire::error::{PgError, PgResult, SqlState};

mod errors;

/// Which way the rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `FROM STDIN`
    From,
    /// `TO STDOUT`
    To,
}

/// `FORMAT`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CopyFormat {
    /// Delimited, with backslash escapes.
    #[default]
    Text,
    /// Comma separated, with quotes.
    Csv,
    /// Values in their binary form, with lengths.
    Binary,
    /// An Apache Parquet file.
    Parquet,
}

/// `ON_ERROR`, of PostgreSQL 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnError {
    /// The COPY fails.
    #[default]
    Stop,
    /// Rows with a value that its type does not take are left out.
    Ignore,
}

/// `LOG_VERBOSITY`, of PostgreSQL 17 and 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum LogVerbosity {
    /// No notice of rows that were left out.
    Silent,
    /// A notice of their number.
    #[default]
    Default,
    /// A notice of each.
    Verbose,
}

/// `HEADER`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Header {
    /// There is none.
    #[default]
    False,
    /// The first line holds names.
    True,
    /// FROM: the first line must hold the columns' names.
    Match,
}

/// A list of columns, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForceColumns {
    /// `*`
    All,
    /// By name.
    Named(Vec<String>),
}

/// The options as the statement has them: none where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawCopyOptions {
    /// `text`, `csv`, `binary`, …
    pub format: Option<String>,
    /// One byte.
    pub delimiter: Option<String>,
    /// What stands for NULL.
    pub null: Option<String>,
    /// `true`, `false`, `on`, `off`, `1`, `0`, `match`, or empty for `HEADER` alone.
    pub header: Option<String>,
    /// One byte, CSV only.
    pub quote: Option<String>,
    /// One byte, CSV only.
    pub escape: Option<String>,
    /// TO, CSV only.
    pub force_quote: Option<ForceColumns>,
    /// FROM, CSV only.
    pub force_not_null: Option<ForceColumns>,
    /// FROM, CSV only.
    pub force_null: Option<ForceColumns>,
    /// Only UTF-8 is taken.
    pub encoding: Option<String>,
    /// Means nothing here.
    pub freeze: Option<bool>,
    /// FROM: `stop` or `ignore`.
    pub on_error: Option<String>,
    /// FROM, with `ON_ERROR ignore`.
    pub reject_limit: Option<String>,
    /// `default`, `verbose` or `silent`.
    pub log_verbosity: Option<String>,
    /// Where options stand whose errors have a position.
    pub places: Places,
}

/// Places of options in the statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Places {
    pub format: Option<u32>,
    pub encoding: Option<u32>,
    pub on_error: Option<u32>,
    pub log_verbosity: Option<u32>,
}

/// What is copied.
#[derive(Clone, Copy, Debug)]
pub struct CopyTarget<'a> {
    /// The table's name; none for a query.
    pub relation: Option<&'a str>,
    /// All columns of the table or query.
    pub all: &'a [String],
    /// The columns that are copied, in their order.
    pub columns: &'a [String],
}

/// Checked options of one COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// Text, CSV, binary or Parquet.
    pub format: CopyFormat,
    /// Between fields.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: Vec<u8>,
    /// Whether the first line holds names.
    pub header: Header,
    /// CSV: around fields.
    pub quote: u8,
    /// CSV: before a quote within a field.
    pub escape: u8,
    /// One per column of the COPY.
    pub force_quote: Vec<bool>,
    /// One per column of the COPY.
    pub force_not_null: Vec<bool>,
    /// One per column of the COPY.
    pub force_null: Vec<bool>,
    /// What becomes of rows with a value that its type does not take.
    pub on_error: OnError,
    /// How many of them there may be.
    pub reject_limit: Option<u64>,
    /// What is said of them.
    pub log_verbosity: LogVerbosity,
}

/// What cannot be a delimiter of the text format, because it has a meaning behind a backslash.
const TEXT_DELIMITERS_REFUSED: &str = "\\.abcdefghijklmnopqrstuvwxyz0123456789";

fn invalid(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

impl CopyOptions {
    /// Checks as Postgres does, in its order.
    pub fn new(raw: &RawCopyOptions, direction: Direction, target: &CopyTarget<'_>) -> PgResult<Self> {
        let format = match raw.format.as_deref() {
            None | Some("text") => CopyFormat::Text,
            Some("csv") => CopyFormat::Csv,
            Some("binary") => CopyFormat::Binary,
            Some("parquet") => CopyFormat::Parquet,
            Some(other) => {
                let error = invalid(format!("COPY format \"{other}\" not recognized"));
                return Err(error.or_position(raw.places.format));
            }
        };
        let csv = format == CopyFormat::Csv;
        let errors = errors::Errors::new(raw, direction)?;
        let mode = match format {
            CopyFormat::Binary => Some("BINARY"),
            CopyFormat::Parquet => Some("PARQUET"),
            CopyFormat::Text | CopyFormat::Csv => None,
        };
        if let Some(mode) = mode {
            check_no_lines(raw, mode)?;
        }
        let header = header(raw.header.as_deref(), direction)?;
        if let Some(mode) = mode {
            if header != Header::False {
                return Err(PgError::unsupported(format!("cannot specify HEADER in {mode} mode")));
            }
            errors.check_mode(mode)?;
        }
        errors.check_limit()?;
        if let Some(encoding) = &raw.encoding {
            check_encoding(encoding).map_err(|error| error.or_position(raw.places.encoding))?;
        }
        let delimiter = raw.delimiter.as_deref().unwrap_or(if csv { "," } else { "\t" });
        let null = raw.null.as_deref().unwrap_or(if csv { "" } else { "\\N" });
        let delimiter = one_byte(delimiter, "delimiter")?;
        if matches!(delimiter, b'\n' | b'\r') {
            return Err(invalid("COPY delimiter cannot be newline or carriage return"));
        }
        if null.contains(['\n', '\r']) {
            return Err(invalid("COPY null representation cannot use newline or carriage return"));
        }
        if !csv && TEXT_DELIMITERS_REFUSED.contains(char::from(delimiter)) {
            return Err(invalid(format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
        }
        let (quote, escape) = quoting(raw, csv, delimiter)?;
        check_force(raw, csv, direction)?;
        if null.as_bytes().contains(&delimiter) {
            return Err(PgError::unsupported("COPY delimiter must not appear in the NULL specification"));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(PgError::unsupported("CSV quote character must not appear in the NULL specification"));
        }
        Ok(Self {
            format,
            delimiter,
            null: null.as_bytes().to_vec(),
            header,
            quote,
            escape,
            force_quote: flags(raw.force_quote.as_ref(), "FORCE_QUOTE", target)?,
            force_not_null: flags(raw.force_not_null.as_ref(), "FORCE_NOT_NULL", target)?,
            force_null: flags(raw.force_null.as_ref(), "FORCE_NULL", target)?,
            on_error: errors.on_error,
            reject_limit: errors.reject_limit,
            log_verbosity: errors.log_verbosity,
        })
    }
}

/// What has no meaning in a format without lines.
fn check_no_lines(raw: &RawCopyOptions, mode: &str) -> PgResult<()> {
    for (option, name) in [(&raw.delimiter, "DELIMITER"), (&raw.null, "NULL")] {
        if option.is_some() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("cannot specify {name} in {mode} mode")));
        }
    }
    Ok(())
}

fn header(raw: Option<&str>, direction: Direction) -> PgResult<Header> {
    let Some(word) = raw else {
        return Ok(Header::False);
    };
    match word.to_ascii_lowercase().as_str() {
        "" | "true" | "on" | "1" => Ok(Header::True),
        "false" | "off" | "0" => Ok(Header::False),
        "match" if direction == Direction::To => {
            Err(PgError::unsupported("cannot use \"match\" with HEADER in COPY TO"))
        }
        "match" => Ok(Header::Match),
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, "header requires a Boolean value or \"match\"")),
    }
}

/// Encodings that Postgres knows and DuckMesh does not convert from.
const OTHER_ENCODINGS: &[&str] = &[
    "latin",
    "iso8859",
    "win",
    "euc",
    "sjis",
    "shiftjis",
    "big5",
    "gbk",
    "gb18030",
    "koi8",
    "johab",
    "uhc",
    "muleinternal",
    "sqlascii",
    "abc",
    "alt",
    "tcvn",
];

fn check_encoding(name: &str) -> PgResult<()> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if plain == "utf8" || plain == "unicode" {
        return Ok(());
    }
    if OTHER_ENCODINGS.iter().any(|known| plain.starts_with(known)) {
        return Err(PgError::unsupported(format!("COPY encoding \"{name}\" is not supported"))
            .hint("Convert the data to UTF8."));
    }
    Err(invalid("argument to option \"encoding\" must be a valid encoding name"))
}

fn one_byte(text: &str, what: &str) -> PgResult<u8> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => {
            let one = if what == "delimiter" || what == "quote" || what == "escape" { what } else { "option" };
            Err(PgError::unsupported(format!("COPY {one} must be a single one-byte character")))
        }
    }
}

fn quoting(raw: &RawCopyOptions, csv: bool, delimiter: u8) -> PgResult<(u8, u8)> {
    if !csv && raw.quote.is_some() {
        return Err(PgError::unsupported("COPY quote available only in CSV mode"));
    }
    let quote = one_byte(raw.quote.as_deref().unwrap_or("\""), "quote")?;
    if csv && quote == delimiter {
        return Err(invalid("COPY delimiter and quote must be different"));
    }
    if !csv && raw.escape.is_some() {
        return Err(PgError::unsupported("COPY escape available only in CSV mode"));
    }
    let escape = raw.escape.as_deref().map_or(Ok(quote), |text| one_byte(text, "escape"))?;
    Ok((quote, escape))
}

fn check_force(raw: &RawCopyOptions, csv: bool, direction: Direction) -> PgResult<()> {
    for (option, name, only) in [
        (&raw.force_quote, "force quote", Direction::To),
        (&raw.force_not_null, "force not null", Direction::From),
        (&raw.force_null, "force null", Direction::From),
    ] {
        if option.is_none() {
            continue;
        }
        if !csv {
            return Err(PgError::unsupported(format!("COPY {name} available only in CSV mode")));
        }
        if direction != only {
            let other = if only == Direction::To { "TO" } else { "FROM" };
            return Err(PgError::unsupported(format!("COPY {name} only available using COPY {other}")));
        }
    }
    Ok(())
}

fn flags(option: Option<&ForceColumns>, name: &str, target: &CopyTarget<'_>) -> PgResult<Vec<bool>> {
    let columns = target.columns;
    let names = match option {
        None => return Ok(vec![false; columns.len()]),
        Some(ForceColumns::All) => return Ok(vec![true; columns.len()]),
        Some(ForceColumns::Named(names)) => names,
    };
    for wanted in names {
        if !target.all.contains(wanted) {
            let message = match target.relation {
                Some(relation) => {
                    format!("column \"{wanted}\" of relation \"{relation}\" does not exist")
                }
                None => format!("column \"{wanted}\" does not exist"),
            };
            return Err(PgError::new(SqlState::UNDEFINED_COLUMN, message));
        }
        if !columns.contains(wanted) {
            let message = format!("{name} column \"{wanted}\" not referenced by COPY");
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
    }
    Ok(columns.iter().map(|column| names.contains(column)).collect())
}
