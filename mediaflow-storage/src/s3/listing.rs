//! The few XML bodies that are read and written here.

use object_store::Error as StoreError;
use object_store::path::Path;
use quick_xml::escape::escape;
use serde::Deserialize;

use super::api::failure;
use crate::native::Upload;

/// One page of multipart uploads.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    pub(super) uploads: Vec<Upload>,
    /// Where the next one begins: a key and an upload of it.
    pub(super) next: Option<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListMultipartUploadsResult {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    upload_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CopyPartResult {
    #[serde(rename = "ETag")]
    e_tag: String,
}

/// Reads the answer to `GET /?uploads`. Keys that are no paths are nobody's here.
pub(super) fn uploads(xml: &str) -> Result<Page, StoreError> {
    let read: ListMultipartUploadsResult = quick_xml::de::from_str(xml).map_err(failure)?;
    let uploads = read.uploads.into_iter().filter_map(|entry| {
        Some(Upload { place: Path::parse(&entry.key).ok()?, id: entry.upload_id })
    });
    let next = (read.next_key_marker, read.next_upload_id_marker);
    let more = read.is_truncated && !next.0.is_empty();
    Ok(Page { uploads: uploads.collect(), next: more.then_some(next) })
}

/// The `ETag` in the answer to a copied part.
pub(super) fn part_etag(xml: &str) -> Option<String> {
    quick_xml::de::from_str(xml).ok().map(|read: CopyPartResult| read.e_tag)
}

/// The body that completes a multipart upload.
pub(super) fn completion(etags: &[String]) -> String {
    let parts = etags.iter().zip(1..).map(|(etag, number)| {
        let etag = escape(etag.as_str());
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    });
    let parts: String = parts.collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

/// As a header that names an object wants it: each byte but letters, digits, `-_.~` and `/` as `%20`.
pub(super) fn encode(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_manual_is_read() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>bucket</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>
  <NextKeyMarker>my-movie.m2ts</NextKeyMarker>
  <NextUploadIdMarker>YW55IGlkZWEgd2h5IGVsdmluZydzIHVwbG9hZCBmYWlsZWQ</NextUploadIdMarker>
  <MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>
  <Upload><Key>my-divisor</Key><UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>
    <Initiator><ID>1</ID></Initiator><StorageClass>STANDARD</StorageClass><Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
  <Upload><Key>a &amp; b</Key><UploadId>VXBsb2FkIElEIGZvciBlbHZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA</UploadId></Upload>
</ListMultipartUploadsResult>"#;
        let page = uploads(xml).unwrap();
        let places: Vec<_> = page.uploads.iter().map(|upload| upload.place.as_ref()).collect();
        assert_eq!(places, ["my-divisor", "a & b"]);
        assert_eq!(page.next.unwrap().0, "my-movie.m2ts");
        let empty = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        assert_eq!(uploads(empty).unwrap(), Page { uploads: vec![], next: None });
        assert!(uploads("<html>").is_err());
    }

    #[test]
    fn bodies_and_headers_are_escaped() {
        let body = completion(&["\"a<b\"".to_owned()]);
        assert!(body.contains("<ETag>&quot;a&lt;b&quot;</ETag>"), "{body}");
        assert_eq!(encode("b/ü x+%.jpg"), "b/%C3%BC%20x%2B%25.jpg");
        let answer =
            r#"<CopyPartResult><LastModified>x</LastModified><ETag>"9b2"</ETag></CopyPartResult>"#;
        assert_eq!(part_etag(answer).as_deref(), Some("\"9b2\""));
    }
}
