//! What the client's messages say, read without trust.
//!
//! pgwire's own decoders are not used on this side: they panic on a body that ends early, read past their frame, and
//! replace invalid UTF-8 instead of refusing it. Its encoders write our answers (`reply`).

use bytes::Bytes;

use super::{PgError, PgResult, SqlState, backend::Format};

/// A body being read.
pub(super) struct Body<'a> {
    bytes: &'a Bytes,
    at: usize,
}

/// `Parse`
pub(super) struct Parse<'a> {
    pub name: &'a str,
    pub sql: &'a str,
    pub param_types: Vec<u32>,
}

/// `Bind`
pub(super) struct Bind<'a> {
    pub portal: &'a str,
    pub statement: &'a str,
    pub param_formats: Vec<i16>,
    pub params: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

/// What Describe and Close are about: `S` or `P`, checked by its reader, and a name.
pub(super) struct Target<'a> {
    pub kind: u8,
    pub name: &'a str,
}

/// `Execute`
pub(super) struct Execute<'a> {
    pub portal: &'a str,
    /// None for all.
    pub rows_max: Option<u64>,
}

/// `Query` and `CopyFail`: one text.
pub(super) fn text(body: &Bytes) -> PgResult<&str> {
    let mut body = Body::new(body);
    let text = body.text()?;
    body.end()?;
    Ok(text)
}

/// A message without a body.
pub(super) fn nothing(body: &Bytes) -> PgResult<()> {
    Body::new(body).end()
}

impl<'a> Parse<'a> {
    pub fn read(body: &'a Bytes) -> PgResult<Self> {
        let mut body = Body::new(body);
        let (name, sql) = (body.raw_text()?, body.raw_text()?);
        let count = body.u16()?;
        let param_types = body.many(count, 4, |body| body.i32().map(i32::cast_unsigned))?;
        body.end()?;
        Ok(Self { name: utf8(name)?, sql: utf8(sql)?, param_types })
    }
}

impl<'a> Bind<'a> {
    pub fn read(body: &'a Bytes) -> PgResult<Self> {
        let mut body = Body::new(body);
        let (portal, statement) = (body.raw_text()?, body.raw_text()?);
        let count = body.u16()?;
        let param_formats = body.many(count, 2, Body::i16)?;
        let count = body.u16()?;
        let params = body.many(count, 4, Body::value)?;
        let count = body.u16()?;
        let result_formats = body.many(count, 2, Body::i16)?;
        body.end()?;
        Ok(Self { portal: utf8(portal)?, statement: utf8(statement)?, param_formats, params, result_formats })
    }
}

impl<'a> Target<'a> {
    pub fn read(body: &'a Bytes) -> PgResult<Self> {
        let mut body = Body::new(body);
        let [kind] = body.array::<1>()?;
        let name = body.raw_text()?;
        body.end()?;
        Ok(Self { kind, name: utf8(name)? })
    }
}

impl<'a> Execute<'a> {
    pub fn read(body: &'a Bytes) -> PgResult<Self> {
        let mut body = Body::new(body);
        let portal = body.raw_text()?;
        let rows = body.i32()?;
        body.end()?;
        let rows_max = u64::try_from(rows).ok().filter(|rows| *rows > 0);
        Ok(Self { portal: utf8(portal)?, rows_max })
    }
}

/// One format for each of `count` things, from none, one or `count` codes. The caller has checked the number of
/// codes.
pub(super) fn formats(codes: &[i16], count: usize) -> PgResult<Vec<Format>> {
    match codes {
        [] => Ok(vec![Format::Text; count]),
        [one] => Ok(vec![format(*one)?; count]),
        many => many.iter().map(|code| format(*code)).collect(),
    }
}

fn format(code: i16) -> PgResult<Format> {
    match code {
        0 => Ok(Format::Text),
        1 => Ok(Format::Binary),
        other => {
            let message = format!("unsupported format code: {other}");
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// Refuses what is not UTF-8 in Postgres' words.
pub(super) fn utf8(bytes: &[u8]) -> PgResult<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let rest = bytes.get(error.valid_up_to()..).unwrap_or_default();
        let length = match rest.first() {
            Some(first) if first & 0xe0 == 0xc0 => 2,
            Some(first) if first & 0xf0 == 0xe0 => 3,
            Some(first) if first & 0xf8 == 0xf0 => 4,
            _ => 1,
        };
        let shown: Vec<String> = rest.iter().take(length).map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
        PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    })
}

impl<'a> Body<'a> {
    fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn raw_text(&mut self) -> PgResult<&'a [u8]> {
        let rest = self.rest();
        let end = memchr::memchr(0, rest).ok_or_else(|| violation("invalid string in message"))?;
        self.at += end + 1;
        Ok(rest.get(..end).unwrap_or_default())
    }

    fn text(&mut self) -> PgResult<&'a str> {
        utf8(self.raw_text()?)
    }

    fn array<const N: usize>(&mut self) -> PgResult<[u8; N]> {
        let array = *self.rest().first_chunk::<N>().ok_or_else(short)?;
        self.at += N;
        Ok(array)
    }

    fn u16(&mut self) -> PgResult<usize> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn i16(&mut self) -> PgResult<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    fn i32(&mut self) -> PgResult<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// `count` things of at least `size` bytes each: room is made only for as many as can really be there.
    fn many<T>(&mut self, count: usize, size: usize, read: impl Fn(&mut Self) -> PgResult<T>) -> PgResult<Vec<T>> {
        if count * size > self.rest().len() {
            return Err(short());
        }
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(read(self)?);
        }
        Ok(all)
    }

    fn value(&mut self) -> PgResult<Option<Bytes>> {
        let length = self.i32()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| short())?;
        if length > self.rest().len() {
            return Err(short());
        }
        let value = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        Ok(Some(value))
    }

    fn end(&self) -> PgResult<()> {
        if self.rest().is_empty() { Ok(()) } else { Err(violation("invalid message format")) }
    }
}

fn short() -> PgError {
    violation("insufficient data left in message")
}

/// As in Postgres the statement fails, not the connection: where the next message begins is known.
fn violation(message: &str) -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, message)
}
