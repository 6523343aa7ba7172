//! DuckDB's logical types by name, as `typeof()` writes them.

use duckdb::ffi;

use super::duck::text;

/// A type of a result column.
pub struct LogicalType(ffi::duckdb_logical_type);

impl LogicalType {
    /// Takes over a type; none for NULL.
    pub(super) fn from_raw(raw: ffi::duckdb_logical_type) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    pub(super) fn raw(&self) -> ffi::duckdb_logical_type {
        self.0
    }

    /// Its number in the C API.
    pub fn id(&self) -> ffi::duckdb_type {
        // SAFETY: live type.
        unsafe { ffi::duckdb_get_type_id(self.0) }
    }

    /// Its name, for example `DECIMAL(18,3)`, `BIGINT[]`, `STRUCT(a INTEGER, b VARCHAR)`, `JSON`.
    pub fn name(&self) -> String {
        if let Some(alias) = self.alias() {
            return alias;
        }
        match self.id() {
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_DECIMAL => {
                // SAFETY: live decimal type.
                let (width, scale) = unsafe { (ffi::duckdb_decimal_width(self.0), ffi::duckdb_decimal_scale(self.0)) };
                format!("DECIMAL({width},{scale})")
            }
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_ENUM => self.enum_name(),
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_LIST => {
                // SAFETY: live list type; the child is owned.
                format!("{}[]", name_of(unsafe { ffi::duckdb_list_type_child_type(self.0) }))
            }
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_ARRAY => {
                // SAFETY: live array type; the child is owned.
                let (child, size) =
                    unsafe { (ffi::duckdb_array_type_child_type(self.0), ffi::duckdb_array_type_array_size(self.0)) };
                format!("{}[{size}]", name_of(child))
            }
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_MAP => {
                // SAFETY: live map type; key and value are owned.
                let (key, value) =
                    unsafe { (ffi::duckdb_map_type_key_type(self.0), ffi::duckdb_map_type_value_type(self.0)) };
                format!("MAP({}, {})", name_of(key), name_of(value))
            }
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_STRUCT => self.struct_name(),
            ffi::DUCKDB_TYPE_DUCKDB_TYPE_UNION => self.union_name(),
            other => scalar_name(other).to_owned(),
        }
    }

    fn alias(&self) -> Option<String> {
        // SAFETY: live type; the alias is freed here, once.
        let alias = unsafe {
            let raw = ffi::duckdb_logical_type_get_alias(self.0);
            let owned = text(raw);
            ffi::duckdb_free(raw.cast());
            owned
        };
        (!alias.is_empty()).then_some(alias)
    }

    fn enum_name(&self) -> String {
        // SAFETY: live enum type.
        let size = unsafe { ffi::duckdb_enum_dictionary_size(self.0) };
        let value = |index| format!("'{}'", owned(unsafe_value(self.0, index)).replace('\'', "''"));
        format!("ENUM({})", (0..size).map(|i| value(u64::from(i))).collect::<Vec<_>>().join(", "))
    }

    fn struct_name(&self) -> String {
        // SAFETY: live struct type.
        let count = unsafe { ffi::duckdb_struct_type_child_count(self.0) };
        let child = |index| {
            // SAFETY: index below the count; name and type are owned.
            let (name, of) = unsafe {
                (ffi::duckdb_struct_type_child_name(self.0, index), ffi::duckdb_struct_type_child_type(self.0, index))
            };
            format!("{} {}", quoted(&owned(name)), name_of(of))
        };
        format!("STRUCT({})", (0..count).map(child).collect::<Vec<_>>().join(", "))
    }

    fn union_name(&self) -> String {
        // SAFETY: live union type.
        let count = unsafe { ffi::duckdb_union_type_member_count(self.0) };
        let member = |index| {
            // SAFETY: index below the count; name and type are owned.
            let (name, of) = unsafe {
                (ffi::duckdb_union_type_member_name(self.0, index), ffi::duckdb_union_type_member_type(self.0, index))
            };
            format!("{} {}", quoted(&owned(name)), name_of(of))
        };
        format!("UNION({})", (0..count).map(member).collect::<Vec<_>>().join(", "))
    }
}

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_logical_type(&raw mut self.0) };
    }
}

fn unsafe_value(of: ffi::duckdb_logical_type, index: u64) -> *mut std::ffi::c_char {
    // SAFETY: live enum type, index below its size; the string is owned by the caller.
    unsafe { ffi::duckdb_enum_dictionary_value(of, index) }
}

fn name_of(raw: ffi::duckdb_logical_type) -> String {
    LogicalType::from_raw(raw).map_or_else(|| "UNKNOWN".to_owned(), |of| of.name())
}

fn owned(raw: *mut std::ffi::c_char) -> String {
    // SAFETY: NULL or a string allocated by DuckDB, freed here, once.
    unsafe {
        let owned = text(raw);
        ffi::duckdb_free(raw.cast());
        owned
    }
}

fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn scalar_name(id: ffi::duckdb_type) -> &'static str {
    match id {
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN => "BOOLEAN",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TINYINT => "TINYINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT => "SMALLINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER => "INTEGER",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT => "BIGINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT => "UTINYINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT => "USMALLINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER => "UINTEGER",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT => "UBIGINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT => "FLOAT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE => "DOUBLE",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP => "TIMESTAMP",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE => "DATE",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME => "TIME",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_NS => "TIME_NS",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL => "INTERVAL",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT => "HUGEINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UHUGEINT => "UHUGEINT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR => "VARCHAR",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB => "BLOB",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S => "TIMESTAMP_S",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS => "TIMESTAMP_MS",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS => "TIMESTAMP_NS",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UUID => "UUID",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIT => "BIT",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_TZ => "TIME WITH TIME ZONE",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ => "TIMESTAMP WITH TIME ZONE",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGNUM => "BIGNUM",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL => "NULL",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_GEOMETRY => "GEOMETRY",
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARIANT => "VARIANT",
        _ => "UNKNOWN",
    }
}
