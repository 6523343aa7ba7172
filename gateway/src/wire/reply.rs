//! The server's messages, appended to an output buffer whole or not at all.

use bytes::{BufMut, BytesMut};
use pgwire::messages::{
    Message,
    copy::{CopyInResponse, CopyOutResponse},
    data::{FieldDescription, ParameterDescription, RowDescription},
    response::{ErrorResponse, NoticeResponse, NotificationResponse},
    startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey},
};

use super::{
    PgError,
    backend::{Format, Notification, ResultColumn, RowTag, Status},
    error::Severity,
};

pub(super) fn authentication_ok(out: &mut BytesMut) {
    put(out, &Authentication::Ok);
}

/// `version`: major and minor in one number.
pub(super) fn negotiate_version(out: &mut BytesMut, version: i32, options: Vec<String>) {
    put(out, &NegotiateProtocolVersion::new(version, options));
}

pub(super) fn parameter_status(out: &mut BytesMut, name: String, value: String) {
    put(out, &ParameterStatus::new(clean(name), clean(value)));
}

pub(super) fn notification(out: &mut BytesMut, told: &Notification) {
    put(out, &NotificationResponse::new(told.sender, clean(told.channel.clone()), clean(told.payload.clone())));
}

pub(super) fn backend_key(out: &mut BytesMut, id: i32, key: Vec<u8>) {
    put(out, &BackendKeyData::new(id, SecretKey::Bytes(key.into())));
}

pub(super) fn ready(out: &mut BytesMut, status: Status) {
    let state = match status {
        Status::Idle => b'I',
        Status::InTransaction => b'T',
        Status::Failed => b'E',
    };
    out.put_slice(&[b'Z', 0, 0, 0, 5, state]);
}

pub(super) fn parse_complete(out: &mut BytesMut) {
    bare(out, b'1');
}

pub(super) fn bind_complete(out: &mut BytesMut) {
    bare(out, b'2');
}

pub(super) fn close_complete(out: &mut BytesMut) {
    bare(out, b'3');
}

pub(super) fn no_data(out: &mut BytesMut) {
    bare(out, b'n');
}

pub(super) fn empty_query(out: &mut BytesMut) {
    bare(out, b'I');
}

pub(super) fn portal_suspended(out: &mut BytesMut) {
    bare(out, b's');
}

pub(super) fn copy_done(out: &mut BytesMut) {
    bare(out, b'c');
}

/// CommandComplete
pub(super) fn complete(out: &mut BytesMut, tag: &str) {
    out.put_u8(b'C');
    out.put_u32(tag.len() as u32 + 5);
    out.put_slice(tag.as_bytes());
    out.put_u8(0);
}

/// CommandComplete of a command that gave `rows` rows.
pub(super) fn complete_rows(out: &mut BytesMut, tag: RowTag, rows: u64) {
    match tag {
        RowTag::Select => complete(out, &format!("SELECT {rows}")),
        RowTag::Insert => complete(out, &format!("INSERT 0 {rows}")),
        RowTag::Fetch => complete(out, &format!("FETCH {rows}")),
        RowTag::Plain(tag) => complete(out, tag),
    }
}

pub(super) fn copy_in(out: &mut BytesMut, format: Format, columns: usize) {
    let (code, columns) = (code(format), columns as i16);
    put(out, &CopyInResponse::new(code as i8, columns, vec![code; columns as usize]));
}

pub(super) fn copy_out(out: &mut BytesMut, format: Format, columns: usize) {
    let (code, columns) = (code(format), columns as i16);
    put(out, &CopyOutResponse::new(code as i8, columns, vec![code; columns as usize]));
}

pub(super) fn parameter_description(out: &mut BytesMut, types: &[u32]) {
    put(out, &ParameterDescription::new(types.to_vec()));
}

/// RowDescription; a column without a format is described as text.
pub(super) fn row_description(out: &mut BytesMut, columns: &[ResultColumn], formats: &[Format]) {
    let field = |(at, column): (usize, &ResultColumn)| {
        FieldDescription::new(
            clean(column.name.clone()),
            column.table_oid.cast_signed(),
            column.attnum,
            column.type_oid,
            column.typlen,
            column.typmod,
            formats.get(at).map_or(0, |format| code(*format)),
        )
    };
    put(out, &RowDescription::new(columns.iter().enumerate().map(field).collect()));
}

/// ErrorResponse or NoticeResponse, by severity.
pub(super) fn error(out: &mut BytesMut, error: &PgError) {
    let fields = error_fields(error);
    match error.fields().severity {
        Severity::Error | Severity::Fatal => put(out, &ErrorResponse::new(fields)),
        Severity::Notice | Severity::Warning | Severity::Info => put(out, &NoticeResponse::new(fields)),
    }
}

fn error_fields(error: &PgError) -> Vec<(u8, String)> {
    let from = error.fields();
    let severity = match from.severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
        Severity::Notice => "NOTICE",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    };
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', from.code.0.to_owned()),
        (b'M', clean(from.message.clone())),
    ];
    let position = from.position.map(|position| position.to_string());
    let optional = [
        (b'D', &from.detail),
        (b'H', &from.hint),
        (b'P', &position),
        (b'W', &from.context),
        (b's', &from.schema),
        (b't', &from.table),
        (b'c', &from.column),
        (b'd', &from.data_type),
        (b'n', &from.constraint),
        (b'R', &from.routine),
    ];
    fields.extend(optional.into_iter().filter_map(|(code, value)| Some((code, clean(value.clone()?)))));
    fields
}

fn code(format: Format) -> i16 {
    match format {
        Format::Text => 0,
        Format::Binary => 1,
    }
}

fn bare(out: &mut BytesMut, kind: u8) {
    out.put_slice(&[kind, 0, 0, 0, 4]);
}

/// A zero byte would end the string for the client, and the rest would be read as the next field.
fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn put<M: Message>(out: &mut BytesMut, message: &M) {
    let at = out.len();
    if let Err(error) = message.encode(out) {
        out.truncate(at);
        tracing::error!(%error, "a message was too long to send");
    }
}
