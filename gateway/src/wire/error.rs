//! The one place that knows SQLSTATEs: errors and notices as Postgres' clients get them.

use std::fmt;

/// Five characters of a SQLSTATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqlState(pub &'static str);

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $code:literal),* $(,)?) => {
        impl SqlState { $($(#[$doc])* pub const $name: SqlState = SqlState($code);)* }
    };
}

states! {
    SUCCESSFUL_COMPLETION = "00000",
    WARNING = "01000",
    CONNECTION_FAILURE = "08006",
    TRANSACTION_RESOLUTION_UNKNOWN = "08007",
    PROTOCOL_VIOLATION = "08P01",
    FEATURE_NOT_SUPPORTED = "0A000",
    STRING_DATA_RIGHT_TRUNCATION = "22001",
    NUMERIC_VALUE_OUT_OF_RANGE = "22003",
    NULL_VALUE_NOT_ALLOWED = "22004",
    INVALID_DATETIME_FORMAT = "22007",
    STRING_DATA_LENGTH_MISMATCH = "22026",
    DATETIME_FIELD_OVERFLOW = "22008",
    INVALID_TIME_ZONE_DISPLACEMENT = "22009",
    DIVISION_BY_ZERO = "22012",
    INTERVAL_FIELD_OVERFLOW = "22015",
    INVALID_ROW_COUNT_IN_LIMIT = "2201W",
    INVALID_ROW_COUNT_IN_OFFSET = "2201X",
    CHARACTER_NOT_IN_REPERTOIRE = "22021",
    INVALID_PARAMETER_VALUE = "22023",
    INVALID_REGULAR_EXPRESSION = "2201B",
    ARRAY_SUBSCRIPT_ERROR = "2202E",
    INVALID_TEXT_REPRESENTATION = "22P02",
    INVALID_BINARY_REPRESENTATION = "22P03",
    BAD_COPY_FILE_FORMAT = "22P04",
    UNTRANSLATABLE_CHARACTER = "22P05",
    SEQUENCE_LIMIT_EXCEEDED = "2200H",
    GENERATED_ALWAYS = "428C9",
    NOT_NULL_VIOLATION = "23502",
    FOREIGN_KEY_VIOLATION = "23503",
    UNIQUE_VIOLATION = "23505",
    CHECK_VIOLATION = "23514",
    ACTIVE_SQL_TRANSACTION = "25001",
    READ_ONLY_SQL_TRANSACTION = "25006",
    NO_ACTIVE_SQL_TRANSACTION = "25P01",
    IN_FAILED_SQL_TRANSACTION = "25P02",
    INVALID_SQL_STATEMENT_NAME = "26000",
    DEPENDENT_OBJECTS_STILL_EXIST = "2BP01",
    INVALID_TRANSACTION_TERMINATION = "2D000",
    INVALID_SAVEPOINT_SPECIFICATION = "3B001",
    INVALID_AUTHORIZATION = "28000",
    INVALID_CURSOR_NAME = "34000",
    INVALID_CATALOG_NAME = "3D000",
    INVALID_SCHEMA_NAME = "3F000",
    SERIALIZATION_FAILURE = "40001",
    DEADLOCK_DETECTED = "40P01",
    SYNTAX_ERROR = "42601",
    INSUFFICIENT_PRIVILEGE = "42501",
    CANNOT_COERCE = "42846",
    GROUPING_ERROR = "42803",
    WINDOWING_ERROR = "42P20",
    DATATYPE_MISMATCH = "42804",
    WRONG_OBJECT_TYPE = "42809",
    UNDEFINED_COLUMN = "42703",
    UNDEFINED_FUNCTION = "42883",
    UNDEFINED_TABLE = "42P01",
    UNDEFINED_PARAMETER = "42P02",
    UNDEFINED_OBJECT = "42704",
    DUPLICATE_COLUMN = "42701",
    DUPLICATE_CURSOR = "42P03",
    DUPLICATE_DATABASE = "42P04",
    DUPLICATE_PREPARED_STATEMENT = "42P05",
    DUPLICATE_SCHEMA = "42P06",
    DUPLICATE_TABLE = "42P07",
    DUPLICATE_ALIAS = "42712",
    DUPLICATE_OBJECT = "42710",
    AMBIGUOUS_COLUMN = "42702",
    AMBIGUOUS_FUNCTION = "42725",
    AMBIGUOUS_PARAMETER = "42P08",
    INDETERMINATE_DATATYPE = "42P18",
    INVALID_COLUMN_REFERENCE = "42P10",
    INVALID_SCHEMA_DEFINITION = "42P15",
    INVALID_TABLE_DEFINITION = "42P16",
    INVALID_OBJECT_DEFINITION = "42P17",
    INVALID_FOREIGN_KEY = "42830",
    RESERVED_NAME = "42939",
    INVALID_NAME = "42602",
    NAME_TOO_LONG = "42622",
    DISK_FULL = "53100",
    OUT_OF_MEMORY = "53200",
    TOO_MANY_CONNECTIONS = "53300",
    CONFIGURATION_LIMIT_EXCEEDED = "53400",
    PROGRAM_LIMIT_EXCEEDED = "54000",
    STATEMENT_TOO_COMPLEX = "54001",
    TOO_MANY_COLUMNS = "54011",
    OBJECT_NOT_IN_PREREQUISITE_STATE = "55000",
    OBJECT_IN_USE = "55006",
    LOCK_NOT_AVAILABLE = "55P03",
    CANT_CHANGE_RUNTIME_PARAM = "55P02",
    QUERY_CANCELED = "57014",
    ADMIN_SHUTDOWN = "57P01",
    CRASH_SHUTDOWN = "57P02",
    CANNOT_CONNECT_NOW = "57P03",
    DATABASE_DROPPED = "57P04",
    IDLE_SESSION_TIMEOUT = "57P05",
    IDLE_IN_TRANSACTION_TIMEOUT = "25P03",
    IO_ERROR = "58030",
    UNDEFINED_FILE = "58P01",
    INTERNAL_ERROR = "XX000",
    DATA_CORRUPTED = "XX001",
    /// The barrier's time ran out before the snapshot covered the token.
    BARRIER_TIMEOUT = "MD001",
    /// The token is above the log's head: nobody was given it.
    TOKEN_ABOVE_HEAD = "MD002",
    /// The token belongs to another lake.
    TOKEN_OF_OTHER_LAKE = "MD003",
    /// The snapshot asked for is no longer there.
    SNAPSHOT_EXPIRED = "MD004",
    /// The snapshot asked for does not cover `duckmesh.min_token`.
    SNAPSHOT_BEFORE_TOKEN = "MD005",
    /// What is read lacks an acknowledged write, and the session wants to know.
    READS_A_GAP = "MD006",
}

/// How bad it is, as the wire's `S` and `V` fields say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The connection ends.
    Fatal,
    /// Something the user should know; the statement goes on.
    Notice,
    /// Something that is probably wrong; the statement goes on.
    Warning,
    /// For information, always sent.
    Info,
}

/// An error or a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgError(Box<Fields>);

/// The fields of an ErrorResponse or NoticeResponse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub severity: Severity,
    pub code: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// 1-based, in characters of the statement's text.
    pub position: Option<u32>,
    /// `CONTEXT:` in psql (`W` on the wire).
    pub context: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub data_type: Option<String>,
    pub constraint: Option<String>,
    /// The function of Postgres' source that says the same, where clients go by it.
    pub routine: Option<String>,
}

/// Result of everything that may answer a client with an error.
pub type PgResult<T> = Result<T, PgError>;

macro_rules! setters {
    ($($name:ident),*) => { $(
        #[doc = concat!("Sets the field `", stringify!($name), "`.")]
        #[must_use]
        pub fn $name(mut self, value: impl Into<String>) -> Self {
            self.0.$name = Some(value.into());
            self
        }
    )* };
}

impl PgError {
    /// An error of a statement.
    pub fn new(code: SqlState, message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Error, code, message)
    }

    /// An error that ends the connection.
    pub fn fatal(code: SqlState, message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Fatal, code, message)
    }

    /// A notice.
    pub fn notice(message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Notice, SqlState::SUCCESSFUL_COMPLETION, message)
    }

    /// A warning.
    pub fn warning(code: SqlState, message: impl Into<String>) -> Self {
        Self::with_severity(Severity::Warning, code, message)
    }

    /// What DuckMesh does not do (0A000).
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    /// A failure that the client can do nothing about: the client gets an id, the log gets `detail`.
    pub fn internal(detail: impl fmt::Display) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let id = &id[..12];
        tracing::error!(error_id = id, %detail, "internal error");
        Self::new(SqlState::INTERNAL_ERROR, format!("internal error {id}"))
            .hint("The server's log has the details under this number.")
    }

    fn with_severity(severity: Severity, code: SqlState, message: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            severity,
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
            routine: None,
        }))
    }

    setters!(detail, hint, context, schema, table, column, data_type, constraint, routine);

    /// Sets the SQLSTATE: some notices have one.
    #[must_use]
    pub fn with_code(mut self, code: SqlState) -> Self {
        self.0.code = code;
        self
    }

    /// Sets the position: 1-based, in characters of the statement.
    #[must_use]
    pub fn position(mut self, characters: u32) -> Self {
        self.0.position = Some(characters);
        self
    }

    /// Sets the position where there is none yet.
    #[must_use]
    pub fn or_position(mut self, characters: Option<u32>) -> Self {
        self.0.position = self.0.position.or(characters);
        self
    }

    /// Without a position: that of a text which the client did not send.
    #[must_use]
    pub fn unplaced(mut self) -> Self {
        self.0.position = None;
        self
    }

    /// Makes it end the connection.
    #[must_use]
    pub fn into_fatal(mut self) -> Self {
        self.0.severity = Severity::Fatal;
        self
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// Whether the statement is written wrong, whatever exists.
    #[must_use]
    pub fn is_of_grammar(&self) -> bool {
        self.0.code == SqlState::SYNTAX_ERROR && self.0.message.starts_with("syntax error at")
    }

    /// Its SQLSTATE.
    #[must_use]
    pub fn code(&self) -> SqlState {
        self.0.code
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.0, self.0.message)
    }
}

impl std::error::Error for PgError {}
