use std::future::ready;
use std::io::Read;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mediaflow_core::media::{Blob, Format, ReadSeek, Scratch};
use mediaflow_core::spec::Key;
use mediaflow_core::storage::{GetOptions, Stat, precondition_failed};
use mediaflow_core::{CancellationToken, Error, Result, codes};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error as StoreError, GetOptions as StoreOptions, GetRange, GetResult,
    ObjectMeta, ObjectStore, PutPayload, WriteMultipart,
};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio::task::spawn_blocking;

use crate::attributes::stat;
use crate::failure::{failed, interrupted, is_missing};

/// How large the parts of an upload are, in bytes. What fits into one is sent in one request.
const PART: u64 = 8 << 20;
/// How many parts are on their way at once: this times a part is the memory of an upload.
const IN_FLIGHT: usize = 4;
/// S3 takes no more parts than this.
const MOST_PARTS: u64 = 10_000;
/// Objects above this many bytes are read into a file.
const IN_MEMORY: u64 = 4 << 20;

/// What is known of an object.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
}

impl Found {
    pub(crate) fn stat(&self) -> Stat {
        stat(&self.meta, &self.attributes)
    }
}

/// Looks at an object; `None` if it is not there.
pub(crate) async fn look(
    store: &Arc<dyn ObjectStore>,
    place: &Path,
) -> Result<Option<Found>, StoreError> {
    let options = StoreOptions { head: true, ..StoreOptions::default() };
    match store.get_opts(place, options).await {
        Err(e) if is_missing(&e) => Ok(None),
        found => found.map(|GetResult { meta, attributes, .. }| Some(Found { meta, attributes })),
    }
}

/// Reads an object; `None` if it is not there. Nothing of one that is too large is read.
pub(crate) async fn read(
    store: &Arc<dyn ObjectStore>,
    place: &Path,
    key: &Key,
    options: &GetOptions,
    scratch: &Scratch,
) -> Result<Option<Blob>> {
    let unread = |e: &StoreError| match e {
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
            precondition_failed(key).help("it was replaced meanwhile")
        }
        e => failed("the object can not be read", e).with("key", key),
    };
    let mut wanted = StoreOptions { if_match: options.if_match.clone(), ..StoreOptions::default() };
    if options.range.is_some() {
        // Its length has to be known to say which bytes these are, and the answer has to be of that version.
        let Some(found) = look(store, place).await.map_err(|e| unread(&e))? else {
            return Ok(None);
        };
        wanted.range = Some(GetRange::Bounded(options.part(key, &found.stat())?));
        wanted.if_match = found.meta.e_tag;
    }
    let object = match store.get_opts(place, wanted).await {
        Err(e) if is_missing(&e) => return Ok(None),
        object => object.map_err(|e| unread(&e))?,
    };
    // The answer begins with the size; its body is not asked for before this.
    options.part(key, &stat(&object.meta, &object.attributes))?;
    download(object, scratch, key.extension()).await.map(Some).map_err(|e| e.with("key", key))
}

/// Sends a blob; what fails or is given up leaves nothing behind. Gives its `ETag`.
pub(crate) async fn upload(
    store: &dyn ObjectStore,
    to: &Path,
    blob: Blob,
    mut attributes: Attributes,
    kind: Option<&'static str>,
    given_up: &CancellationToken,
) -> Result<Option<String>> {
    let len = blob.len();
    let known = kind.is_some() || attributes.get(&Attribute::ContentType).is_some();
    let (sniffed, reader) = spawn_blocking(move || {
        let sniffed = match known {
            true => None,
            false => Format::sniff(&blob.head(Format::SNIFF_BYTES)?).map(|format| format.mime()),
        };
        Ok::<_, Error>((sniffed, blob.reader()?))
    })
    .await
    .map_err(interrupted)??;
    if attributes.get(&Attribute::ContentType).is_none() {
        let kind = kind.or(sniffed).unwrap_or("application/octet-stream");
        attributes.insert(Attribute::ContentType, kind.into());
    }
    send(store, to, attributes, len, parts_of(reader, part_size(len)), given_up).await
}

/// Sends `len` bytes, which become visible at once.
async fn send(
    store: &dyn ObjectStore,
    to: &Path,
    attributes: Attributes,
    len: u64,
    bytes: impl Stream<Item = Result<Bytes>> + Send,
    given_up: &CancellationToken,
) -> Result<Option<String>> {
    let unsent = |e| failed("the object can not be written", &e);
    if len <= PART {
        let all = async {
            let chunks: Vec<Bytes> = bytes.try_collect().await?;
            let payload = PutPayload::from_iter(chunks);
            check_len(payload.content_length() as u64, len)?;
            store.put_opts(to, payload, attributes.into()).await.map_err(unsent)
        };
        let sent = given_up.run_until_cancelled(all).await;
        return sent.unwrap_or_else(|| Err(Error::cancelled())).map(|sent| sent.e_tag);
    }
    let upload = store.put_multipart_opts(to, attributes.into()).await.map_err(unsent)?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, part_size(len));
    let filled = given_up.run_until_cancelled(fill(&mut upload, len, bytes)).await;
    match filled.unwrap_or_else(|| Err(Error::cancelled())) {
        // It aborts by itself if it fails.
        Ok(()) => upload.finish().await.map(|sent| sent.e_tag).map_err(unsent),
        Err(error) => {
            if let Err(e) = upload.abort().await {
                let error = failed("the parts of a failed upload stay behind", &e);
                tracing::warn!(path = %to, %error);
            }
            Err(error)
        }
    }
}

async fn fill(
    upload: &mut WriteMultipart,
    len: u64,
    bytes: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<()> {
    let unsent = |e| failed("the object can not be written", &e);
    let mut bytes = std::pin::pin!(bytes);
    let mut sent = 0;
    while let Some(chunk) = bytes.try_next().await? {
        sent += chunk.len() as u64;
        upload.wait_for_capacity(IN_FLIGHT).await.map_err(unsent)?;
        upload.put(chunk);
    }
    check_len(sent, len)?;
    // Not left to `finish`, so that a failed part is the error that is told, not a failed abort.
    upload.wait_for_capacity(1).await.map_err(unsent)
}

/// The bytes of a reader, read in parts outside of the runtime.
fn parts_of(reader: Box<dyn ReadSeek>, part: usize) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(reader, move |mut reader| async move {
        spawn_blocking(move || {
            let mut bytes = Vec::new();
            reader.by_ref().take(part as u64).read_to_end(&mut bytes).map_err(|e| {
                Error::transient(codes::BLOB_IO, "reading the file to upload failed").because(e)
            })?;
            Ok((!bytes.is_empty()).then(|| (bytes.into(), reader)))
        })
        .await
        .map_err(interrupted)?
    })
}

/// A whole object: its stream is of one version, also where it is resumed after the connection was lost.
async fn download(object: GetResult, scratch: &Scratch, extension: &str) -> Result<Blob> {
    let len = object.range.end - object.range.start;
    let bytes = object.into_stream().map_err(|e| failed("the object can not be read", &e));
    if len <= IN_MEMORY {
        let all: BytesMut = bytes
            .try_fold(BytesMut::new(), |mut all, chunk| {
                all.extend_from_slice(&chunk);
                ready(check_most(all.len() as u64, len).map(|()| all))
            })
            .await?;
        check_len(all.len() as u64, len)?;
        return Ok(Blob::bytes(all));
    }
    let plain = extension.len() <= 8 && extension.bytes().all(|c| c.is_ascii_alphanumeric());
    let path = scratch.file(if plain { extension } else { "bin" })?;
    let unwritten = |e| {
        Error::transient(codes::STORAGE_IO, "a temporary file can not be written")
            .help(
                "free space in the folder for temporary files, or choose another with `scratch()`",
            )
            .because(e)
    };
    let file = tokio::fs::File::options().write(true).open(&path).await.map_err(unwritten)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut bytes = std::pin::pin!(bytes);
    let mut written = 0;
    while let Some(chunk) = bytes.next().await.transpose()? {
        written += chunk.len() as u64;
        check_most(written, len)?;
        file.write_all(&chunk).await.map_err(unwritten)?;
    }
    file.flush().await.map_err(unwritten)?;
    check_len(written, len)?;
    Blob::temp(path)
}

/// What the name of a key says of its content.
pub(crate) fn content_type(key: &Key) -> Option<&'static str> {
    let extension = key.extension().to_ascii_lowercase();
    let known = match extension.as_str() {
        "css" => "text/css",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "m3u8" => "application/vnd.apple.mpegurl",
        "m4a" => "audio/mp4",
        "m4s" => "video/iso.segment",
        "mpd" => "application/dash+xml",
        "svg" => "image/svg+xml",
        "ts" => "video/mp2t",
        "txt" => "text/plain; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        _ => {
            let name = match extension.as_str() {
                "heic" => "heif".to_owned(),
                "jpg" => "jpeg".to_owned(),
                "m4v" => "mp4".to_owned(),
                "tif" => "tiff".to_owned(),
                _ => extension,
            };
            let mime = Format::named(name).mime();
            return (mime != "application/octet-stream").then_some(mime);
        }
    };
    Some(known)
}

fn part_size(len: u64) -> usize {
    usize::try_from(PART.max(len.div_ceil(MOST_PARTS))).unwrap_or(usize::MAX)
}

/// Cuts off what turns out to be longer than it said.
fn check_most(found: u64, expected: u64) -> Result<()> {
    if found > expected { check_len(found, expected) } else { Ok(()) }
}

fn check_len(found: u64, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::transient(
        codes::STORAGE_IO,
        "the bytes ended early, or changed while they were moved",
    )
    .with("expected", expected)
    .with("found", found))
}
