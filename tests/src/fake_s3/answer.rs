//! One request and its answer.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{Response, StatusCode, body::Frame, header, http::request::Parts};

use super::{
    Dropped, Shared,
    objects::{Object, Objects, etag},
    script::{Fault, Seen, Verb},
};

type Body = BoxBody<Bytes, Dropped>;

/// Objects on one page of a list.
const PAGE_KEYS: usize = 1000;

/// A request, read.
struct Asked {
    verb: Verb,
    key: String,
    query: Vec<(String, String)>,
}

impl Asked {
    fn of(parts: &Parts) -> Self {
        let query = pairs(parts.uri.query().unwrap_or_default());
        let path = decoded(parts.uri.path());
        let key = path.trim_start_matches('/').split_once('/').map_or(String::new(), |(_, key)| key.to_owned());
        let has = |name: &str| query.iter().any(|(key, _)| key == name);
        let verb = match parts.method.as_str() {
            "PUT" if has("partNumber") => Verb::Part,
            "PUT" => Verb::Put,
            "POST" if has("uploads") => Verb::Begin,
            "POST" => Verb::Complete,
            "DELETE" if has("uploadId") => Verb::Abort,
            "DELETE" => Verb::Delete,
            "HEAD" => Verb::Head,
            _ if has("uploads") => Verb::Uploads,
            _ if has("list-type") => Verb::List,
            _ => Verb::Get,
        };
        let key = if matches!(verb, Verb::List | Verb::Uploads) { get(&query, "prefix").to_owned() } else { key };
        Self { verb, key, query }
    }
}

pub(super) async fn answer(shared: &Shared, parts: &Parts, body: Bytes) -> Result<Response<Body>, Dropped> {
    let asked = Asked::of(parts);
    let (fault, response) = {
        let mut state = shared.lock();
        let fault = state.script.fault(asked.verb, &asked.key);
        let range = header_of(parts, "range");
        let named = fault.as_ref().map(|fault| format!("{fault:?}"));
        state.journal.push(Seen { verb: asked.verb, key: asked.key.clone(), range, fault: named });
        let signed = header_of(parts, "authorization").unwrap_or_default();
        let is_refused = state.refused_keys.iter().any(|key| signed.contains(&format!("Credential={key}/")));
        let is_done = !matches!(fault, Some(Fault::Status(_) | Fault::DropRequest | Fault::ErrorIn200)) && !is_refused;
        let (ignores, objects) = (state.ignores_conditions, &mut state.objects);
        let response = if is_refused {
            error(StatusCode::FORBIDDEN, "InvalidAccessKeyId")
        } else if is_done {
            done(objects, &asked, parts, body, ignores)
        } else {
            Plain::new(StatusCode::OK, Bytes::new())
        };
        (fault, response)
    };
    spoiled(fault, response, asked.verb == Verb::Head).await
}

/// An answer before anything goes wrong with it.
struct Plain {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// What HEAD says the length is.
    length: Option<usize>,
}

impl Plain {
    fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), length: None }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

fn done(objects: &mut Objects, asked: &Asked, parts: &Parts, body: Bytes, ignores_conditions: bool) -> Plain {
    let id = || get(&asked.query, "uploadId").to_owned();
    match asked.verb {
        Verb::Put => {
            let exists = objects.all.get(&asked.key);
            let none_match = header_of(parts, "if-none-match").is_some_and(|tag| tag == "*");
            let is_other = header_of(parts, "if-match").is_some_and(|tag| exists.is_none_or(|o| o.etag() != tag));
            if !ignores_conditions && (none_match && exists.is_some() || is_other) {
                return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
            }
            let object = Object::new(body, metadata(parts));
            let answer = Plain::new(StatusCode::OK, Bytes::new()).with("etag", object.etag());
            objects.write(&asked.key, object);
            answer
        }
        Verb::Get | Verb::Head => match objects.all.get(&asked.key) {
            Some(object) => content(object, parts, asked.verb == Verb::Head),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
        Verb::Delete => {
            objects.all.remove(&asked.key);
            Plain::new(StatusCode::NO_CONTENT, Bytes::new())
        }
        Verb::List => list(objects, asked),
        Verb::Begin => {
            let id = objects.begin(&asked.key, metadata(parts));
            xml(format!(
                "<InitiateMultipartUploadResult><Key>{}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
                escaped(&asked.key)
            ))
        }
        Verb::Part => match (objects.uploads.get_mut(&id()), get(&asked.query, "partNumber").parse()) {
            (Some(upload), Ok(number)) => {
                let tag = etag(&body);
                upload.parts.insert(number, body);
                Plain::new(StatusCode::OK, Bytes::new()).with("etag", tag)
            }
            _ => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        },
        Verb::Complete => match objects.uploads.remove(&id()) {
            Some(upload) => {
                let bytes: Vec<u8> = upload.parts.values().flat_map(|part| part.iter().copied()).collect();
                let object = Object::new(bytes.into(), upload.metadata);
                let tag = escaped(&object.etag());
                objects.write(&upload.key, object);
                xml(format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"))
            }
            None => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        },
        Verb::Abort => match objects.uploads.remove(&id()) {
            Some(_) => Plain::new(StatusCode::NO_CONTENT, Bytes::new()),
            None => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        },
        Verb::Uploads => uploads(objects, &asked.key),
    }
}

fn content(object: &Object, parts: &Parts, is_head: bool) -> Plain {
    let whole = object.bytes.len();
    let range = header_of(parts, "range").and_then(|text| {
        let (from, to) = text.strip_prefix("bytes=")?.split_once('-').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        let from: usize = from.parse().ok()?;
        let to = to.parse().map_or(whole, |to: usize| (to + 1).min(whole));
        Some((from, to))
    });
    let (status, body) = match range {
        Some((from, to)) if from >= to => return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        Some((from, to)) => (StatusCode::PARTIAL_CONTENT, object.bytes.slice(from..to)),
        None => (StatusCode::OK, object.bytes.clone()),
    };
    let mut answer = Plain::new(status, body)
        .with("etag", object.etag())
        .with("last-modified", http_date(object.modified))
        .with("accept-ranges", "bytes");
    if let Some((from, to)) = range {
        answer = answer.with("content-range", format!("bytes {from}-{}/{whole}", to - 1));
    }
    for (name, value) in &object.metadata {
        answer = answer.with(&format!("x-amz-meta-{name}"), value);
    }
    if is_head {
        answer.length = Some(answer.body.len());
        answer.body = Bytes::new();
    }
    answer
}

fn list(objects: &Objects, asked: &Asked) -> Plain {
    let after = [get(&asked.query, "continuation-token"), get(&asked.query, "start-after")];
    let after = after.into_iter().max().unwrap_or_default().to_owned();
    let mut found = objects.all.iter().filter(|(key, _)| key.starts_with(&asked.key) && **key > after);
    let mut text = String::from("<ListBucketResult>");
    let mut last = None;
    for (key, object) in found.by_ref().take(PAGE_KEYS) {
        text.push_str(&format!(
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            escaped(key),
            iso_date(object.modified),
            escaped(&object.etag()),
            object.bytes.len()
        ));
        last = Some(key.clone());
    }
    let is_truncated = found.next().is_some();
    text.push_str(&format!("<IsTruncated>{is_truncated}</IsTruncated>"));
    if let (true, Some(last)) = (is_truncated, last) {
        text.push_str(&format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(&last)));
    }
    xml(text + "</ListBucketResult>")
}

fn uploads(objects: &Objects, prefix: &str) -> Plain {
    let mut text = String::from("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
    for (id, upload) in objects.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)) {
        text.push_str(&format!(
            "<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiated>{}</Initiated></Upload>",
            escaped(&upload.key),
            iso_date(upload.begun)
        ));
    }
    xml(text + "</ListMultipartUploadsResult>")
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Dropped>> + Send + Sync>>;

/// The answer, and what goes wrong with it.
async fn spoiled(fault: Option<Fault>, plain: Plain, is_head: bool) -> Result<Response<Body>, Dropped> {
    let body = plain.body.clone();
    let piece = |bytes: Bytes| Ok(Frame::data(bytes));
    let full = |bytes: Bytes| Full::new(bytes).map_err(Dropped::from).boxed();
    let cut = |at: usize| body.slice(..at.min(body.len()));
    let (body, length) = match fault {
        Some(Fault::Status(status)) => {
            let plain = error(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "Scripted");
            return Ok(response(&plain, full(plain.body.clone()), None));
        }
        Some(Fault::ErrorIn200) => {
            let plain = xml("<Error><Code>InternalError</Code><Message>Scripted</Message></Error>".to_owned());
            return Ok(response(&plain, full(plain.body.clone()), None));
        }
        Some(Fault::DropReply | Fault::DropRequest) => return Err(Dropped),
        Some(Fault::Delay(pause)) => {
            tokio::time::sleep(pause).await;
            (full(body), None)
        }
        Some(Fault::Slow(step, pause)) => {
            let chunks: Vec<Bytes> = body.chunks(step.max(1)).map(Bytes::copy_from_slice).collect();
            let pieces: Pieces = Box::pin(stream::iter(chunks).then(move |chunk| async move {
                tokio::time::sleep(pause).await;
                Ok(Frame::data(chunk))
            }));
            (BodyExt::boxed(StreamBody::new(pieces)), Some(body.len()))
        }
        Some(Fault::Stall(at)) => {
            let pieces: Pieces = Box::pin(stream::iter([piece(cut(at))]).chain(stream::pending()));
            (BodyExt::boxed(StreamBody::new(pieces)), Some(body.len()))
        }
        Some(Fault::Cut(at)) => {
            let pieces: Pieces = Box::pin(stream::iter([piece(cut(at)), Err(Dropped)]));
            (BodyExt::boxed(StreamBody::new(pieces)), Some(body.len()))
        }
        Some(Fault::Truncate(at)) => (full(cut(at)), None),
        Some(Fault::Corrupt) => {
            let mut bytes = body.to_vec();
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
            (full(bytes.into()), None)
        }
        None => (full(body), None),
    };
    let length = if is_head { plain.length } else { length };
    Ok(response(&plain, body, length))
}

fn response(plain: &Plain, body: Body, length: Option<usize>) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = plain.status;
    for (name, value) in &plain.headers {
        if let (Ok(name), Ok(value)) =
            (header::HeaderName::try_from(name.as_str()), header::HeaderValue::try_from(value.as_str()))
        {
            response.headers_mut().append(name, value);
        }
    }
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

fn xml(text: String) -> Plain {
    Plain::new(StatusCode::OK, text).with("content-type", "application/xml")
}

fn error(status: StatusCode, code: &str) -> Plain {
    Plain { status, ..xml(format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>")) }
}

fn header_of(parts: &Parts, name: &str) -> Option<String> {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn metadata(parts: &Parts) -> Vec<(String, String)> {
    let named = parts.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix("x-amz-meta-")?.to_owned(), value.to_str().ok()?.to_owned()))
    });
    named.collect()
}

fn get<'a>(query: &'a [(String, String)], name: &str) -> &'a str {
    query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        pair.split_once('=')
            .map_or((decoded(pair), String::new()), |(k, v)| (decoded(k), decoded(&v.replace('+', " "))))
    };
    pairs.map(read).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Days, hours, minutes and seconds of a moment, as `(year, month, day, weekday, h, m, s)`.
fn civil(at: std::time::SystemTime) -> (i64, i64, i64, usize, u64, u64, u64) {
    let seconds = at.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, rest) = ((seconds / 86_400) as i64, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let date = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, date, ((days + 4) % 7) as usize, rest / 3600, rest / 60 % 60, rest % 60)
}

fn iso_date(at: std::time::SystemTime) -> String {
    let (year, month, day, _, h, m, s) = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.000Z")
}

fn http_date(at: std::time::SystemTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, weekday, h, m, s) = civil(at);
    format!("{}, {day:02} {} {year:04} {h:02}:{m:02}:{s:02} GMT", DAYS[weekday], MONTHS[(month - 1) as usize])
}
