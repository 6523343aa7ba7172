//! Uploads that nobody finished: a store keeps their pieces, and asks money for them, until they are aborted.
//!
//! object_store has no listing of them, so this asks S3 itself, by signed URLs. Google's and Azure's pieces go by themselves.

use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::{
    client::HttpRequestBody,
    path::Path,
    signer::{Method, SignedUrlOptions},
};

use super::{Remote, build::Clients};
use crate::error::{Error, ErrorKind, Result};

/// How long a signed URL is good for.
const URL_LIFE: Duration = Duration::from_secs(60);
/// Pages of 1,000 uploads.
const PAGES_MAX: usize = 100;

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Path below the prefix.
    pub(crate) path: String,
    pub(crate) begun: DateTime<Utc>,
    id: String,
}

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    /// Key, id, and when it began.
    uploads: Vec<(String, String, DateTime<Utc>)>,
    /// Where the next page begins.
    next: Option<(String, String)>,
}

impl Remote {
    /// Uploads below the prefix that were begun and not ended.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let (mut found, mut markers) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.attempts("list uploads", 0, |clients| {
                let query = query(&self.prefix, markers.as_ref());
                async move { page(&clients, query).await }
            });
            let Some(page) = page.await.map_err(|e| Error::store("list uploads", e))? else { break };
            let page = parse(&page).ok_or_else(|| Error::new(ErrorKind::Io, "a list of uploads that is none"))?;
            found.extend(
                page.uploads
                    .into_iter()
                    .filter_map(|(key, id, begun)| Some(Unfinished { path: self.below(&key)?, begun, id })),
            );
            markers = page.next;
            if markers.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Takes an unfinished upload away.
    pub(crate) async fn abort_unfinished(&self, upload: &Unfinished) -> Result<()> {
        let path = self.object(&upload.path)?;
        self.abort(&path, &upload.id).await;
        self.bucket.meters.aborted.increment(1);
        Ok(())
    }
}

fn query(prefix: &str, markers: Option<&(String, String)>) -> Vec<(String, String)> {
    let mut query = vec![("uploads".to_owned(), String::new())];
    if !prefix.is_empty() {
        query.push(("prefix".to_owned(), format!("{prefix}/")));
    }
    if let Some((key, id)) = markers {
        query.push(("key-marker".to_owned(), key.clone()));
        query.push(("upload-id-marker".to_owned(), id.clone()));
    }
    query
}

/// The text of a page; none where the store has no such list.
async fn page(clients: &Clients, query: Vec<(String, String)>) -> object_store::Result<Option<String>> {
    let failed = |why: String| object_store::Error::Generic { store: "bucket", source: why.into() };
    let Some((signer, client)) = &clients.signed else { return Ok(None) };
    let options = SignedUrlOptions::new().with_query(query);
    let url = signer.signed_url_opts(Method::GET, &Path::default(), URL_LIFE, &options).await?;
    let request = http::Request::get(url.as_str()).body(HttpRequestBody::empty()).map_err(|e| failed(e.to_string()))?;
    let answer = client.execute(request).await.map_err(|e| failed(e.to_string()))?;
    let status = answer.status();
    let body = answer.into_body().bytes().await.map_err(|e| failed(e.to_string()))?;
    match status.as_u16() {
        200 => Ok(Some(String::from_utf8_lossy(&body).into_owned())),
        401 | 403 => {
            let source = format!("{status}").into();
            Err(object_store::Error::PermissionDenied { path: "?uploads".to_owned(), source })
        }
        // Not every store has it: then its own lifecycle rules must do.
        400 | 404 | 405 | 501 => Ok(None),
        _ => Err(failed(format!("{status}"))),
    }
}

/// Reads a page: flat XML, of which four elements matter. None if it is something else.
fn parse(text: &str) -> Option<Page> {
    if !text.contains("<ListMultipartUploadsResult") {
        return None;
    }
    let mut page = Page::default();
    let mut parts = text.split("<Upload>");
    let head = parts.next().unwrap_or_default();
    for part in parts.clone() {
        let upload = part.split("</Upload>").next()?;
        let begun = DateTime::parse_from_rfc3339(&element(upload, "Initiated")?).ok()?;
        page.uploads.push((element(upload, "Key")?, element(upload, "UploadId")?, begun.to_utc()));
    }
    // Elements of the page itself are before or behind the uploads.
    let tail = parts.last().and_then(|last| last.split_once("</Upload>")).map_or("", |(_, tail)| tail);
    let of_page = |name: &str| element(head, name).or_else(|| element(tail, name));
    if of_page("IsTruncated").as_deref() == Some("true") {
        page.next = of_page("NextKeyMarker").zip(of_page("NextUploadIdMarker"));
    }
    Some(page)
}

/// The text of the first element of that name.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    let mut plain = content.to_owned();
    for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
    {
        plain = plain.replace(entity, c);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_uploads_is_read() {
        let text = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"x\"><Bucket>b</Bucket>\
             <NextKeyMarker>k2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker><IsTruncated>true</IsTruncated>\
             <Upload><Key>p/a &amp; b.parquet</Key><UploadId>u1</UploadId><Initiated>2024-01-02T03:04:05.000Z</Initiated></Upload>\
             <Upload><Key>k2</Key><UploadId>u2</UploadId><Initiated>2024-01-02T03:04:06Z</Initiated></Upload>\
             </ListMultipartUploadsResult>";
        let page = parse(text).unwrap();
        assert_eq!(page.uploads.len(), 2);
        assert_eq!((page.uploads[0].0.as_str(), page.uploads[0].1.as_str()), ("p/a & b.parquet", "u1"));
        assert_eq!(page.uploads[0].2.timestamp(), 1_704_164_645);
        assert_eq!(page.next, Some(("k2".into(), "u2".into())));
        assert_eq!(parse("<ListMultipartUploadsResult></ListMultipartUploadsResult>"), Some(Page::default()));
        assert_eq!(parse("<Error><Code>x</Code></Error>"), None);
        assert_eq!(parse("<ListMultipartUploadsResult><Upload><Key>x</Key></Upload>"), None);
    }
}
