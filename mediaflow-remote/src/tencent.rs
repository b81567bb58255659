//! Event notifications of Tencent Cloud VOD, format 3.0: `NewFileUpload` and `ProcedureStateChanged`.
//!
//! With a `SignKey` (set it by `ModifyEventConfig`) each notification has `T`, the moment at which it ends to be valid, and
//! `Sign`, the MD5 of key and `T`. **That says nothing of the rest.** Whoever has seen one notification can make others for ten
//! minutes. So what is read here is a [hint](crate::RemoteUpdate::hint) which wakes whoever waits: a backend asks for the task
//! (`DescribeTaskDetail`) before it believes a URL. What is pulled (`PullEvents`) comes from Tencent's own address, and
//! [`pulled`] reads it as it is.
//!
//! ```
//! use mediaflow_core::Timestamp;
//! use mediaflow_remote::tencent::{Signer, TencentEvent};
//! use mediaflow_remote::{Call, Notification as _, Receiver as _, RemoteState, Tencent};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let sign = Signer::new("Xz4ZgayTr7rMgWQrH")?.sign(1_777_890_630);
//! let body = format!(
//!     r#"{{"EventType": "ProcedureStateChanged", "Sign": "{sign}", "T": 1777890630, "ProcedureStateChangeEvent": {{
//!         "TaskId": "1256768367-Procedure-2e1af2456", "Status": "FINISH", "FileId": "5285890784246869930",
//!         "MediaProcessResultSet": [{{"Type": "Transcode", "TranscodeTask": {{"Status": "SUCCESS",
//!             "Input": {{"Definition": 100010}}, "Output": {{"Url": "http://1256768367.vod2.myqcloud.com/a.mp4", "Size": 372613,
//!             "Width": 640, "Height": 360, "Duration": 5.13, "Container": "mp4"}}}}}}]}}}}"#
//! );
//! let call = Call::new([], body.as_bytes(), Timestamp::from_millis(1_777_890_031_000));
//!
//! let verified = Tencent::new("Xz4ZgayTr7rMgWQrH")?.receive(&call).await?;
//! let update = verified.message.update().unwrap();
//! assert!(update.hint && update.state == RemoteState::Finished);
//! assert_eq!(update.key(), "tencent/1256768367-Procedure-2e1af2456");
//! assert_eq!(update.outputs[0].id.as_deref(), Some("100010"));
//!
//! let body = format!(r#"{{"EventType": "NewFileUpload", "Sign": "{sign}", "T": 1777890630,
//!     "FileUploadEvent": {{"FileId": "5285890784246869930", "MediaBasicInfo": {{"Name": "cat", "Type": "mp4"}}}}}}"#);
//! let call = Call::new([], body.as_bytes(), Timestamp::from_millis(1_777_890_031_000));
//! let verified = Tencent::new("Xz4ZgayTr7rMgWQrH")?.receive(&call).await?;
//! assert!(matches!(verified.message, TencentEvent::Upload(upload) if upload.file_id == "5285890784246869930"));
//! # Ok(())
//! # }
//! ```
//!
//! The replay key has the task, its status, and a hash of what is said of it: what somebody else made up does not keep the
//! true notification from being heard. A `T` may lie 11 minutes ahead at most.

use std::time::Duration;

use mediaflow_core::{Error, Result, Timestamp, async_trait, codes};
use mediaflow_sign::tencent::VALID;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::call::Call;
use crate::json::{job_id, list, md5, millis, not_of, object, pixels, text, whole};
use crate::receiver::{Notification, Receiver, Verified};
use crate::replay::replay_key;
use crate::update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};

pub use mediaflow_sign::tencent::Signer;

/// The provider of its updates.
pub const PROVIDER: &str = "tencent";

const VENDOR: &str = "Tencent";

/// How far clocks may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// Receives notifications of Tencent Cloud VOD.
#[derive(Clone, Debug)]
#[must_use]
pub struct Tencent {
    signers: Vec<Signer>,
}

/// What a notification says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TencentEvent {
    /// `NewFileUpload`: there is a new file.
    Upload(TencentUpload),
    /// `ProcedureStateChanged`: a task goes on, or has ended.
    Procedure(RemoteUpdate),
    /// Another one: its `EventType`, and all of it.
    Other(String, Map<String, Value>),
}

/// A file that was uploaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TencentUpload {
    /// What the file is called there.
    pub file_id: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Its type: `mp4`.
    pub format: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// The task that was begun with the upload, if there is one.
    pub task_id: Option<String>,
    /// What whoever uploaded it gave for the way back.
    pub source_context: Option<String>,
}

/// An event of `PullEvents`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pulled {
    /// What `ConfirmEvents` is to name, once whoever acts on it has done so.
    pub handle: String,
    /// What it says. It is no hint.
    pub event: TencentEvent,
    /// As in [`Verified::replay_key`].
    pub replay_key: String,
}

impl Tencent {
    /// Those that are signed with this `SignKey`: up to 32 letters and digits.
    ///
    /// # Errors
    /// `webhook.secret`: it is none.
    pub fn new(sign_key: &str) -> Result<Self> {
        Ok(Self { signers: vec![Signer::new(sign_key)?] })
    }

    /// And those that are signed with this one: while keys change.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn also(mut self, sign_key: &str) -> Result<Self> {
        self.signers.push(Signer::new(sign_key)?);
        Ok(self)
    }

    fn verify(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        call.at_most(Self::MAX_BODY)?;
        let mut body = object(call.body(), VENDOR)?;
        let (sign, t) = (body.remove("Sign"), text(body.remove("T").as_ref()));
        let (Some(Value::String(sign)), Some(t)) = (sign, t) else {
            return Err(Error::input(codes::WEBHOOK_SIGNATURE, "there is no `Sign` and `T`")
                .help("set a `SignKey` with `ModifyEventConfig`"));
        };
        let digits = t.len() <= 12 && t.bytes().all(|c| c.is_ascii_digit());
        let until = t.parse::<u64>().ok().filter(|_| digits);
        let Some(until) = until.map(|seconds| Timestamp::from_millis(seconds * 1000)) else {
            return Err(Error::input(codes::WEBHOOK_TIMESTAMP, "`T` is no number"));
        };
        let now = call.now();
        if now > until.plus(SKEW) || until > now.plus(VALID).plus(SKEW) {
            return Err(Error::input(
                codes::WEBHOOK_TIMESTAMP,
                "the notification is not valid any more, or for too long",
            )
            .with("until", until)
            .help("check the clocks; an old notification may be a replay"));
        }
        if self.signers.iter().filter(|signer| signer.fits(&sign, &t)).count() == 0 {
            let error = Error::input(codes::WEBHOOK_SIGNATURE, "`Sign` does not fit");
            return Err(error.help("check the `SignKey`"));
        }
        let (mut event, replay_key) = read(body)?;
        if let TencentEvent::Procedure(update) = &mut event {
            update.hint = true;
        }
        Ok(Verified::new(event, replay_key))
    }
}

/// The events that `PullEvents` has answered with (`Response.EventSet`). None if there are none.
///
/// # Errors
/// `remote.body`: it is no such answer, or one of an error; that has the fact `code`.
pub fn pulled(answer: &[u8]) -> Result<Vec<Pulled>> {
    let mut answer = object(answer, VENDOR)?;
    let Some(Value::Object(mut response)) = answer.remove("Response") else {
        return Err(not_of(VENDOR, "there is no `Response`"));
    };
    if let Some(error) = response.get("Error") {
        let code = text(error.get("Code")).unwrap_or_default();
        return Err(not_of(VENDOR, "`PullEvents` failed").with("code", code));
    }
    let Some(Value::Array(events)) = response.remove("EventSet") else { return Ok(Vec::new()) };
    let one = |event| {
        let Value::Object(mut event) = event else {
            return Err(not_of(VENDOR, "an event is no object"));
        };
        let handle = text(event.remove("EventHandle").as_ref());
        let handle = handle.ok_or_else(|| not_of(VENDOR, "an event has no handle"))?;
        // Members that do not concern the event are `null` here.
        event.retain(|_, value| !value.is_null());
        let (event, replay_key) = read(event)?;
        Ok(Pulled { handle, event, replay_key })
    };
    events.into_iter().map(one).collect()
}

fn read(mut body: Map<String, Value>) -> Result<(TencentEvent, String)> {
    let kind = text(body.get("EventType"));
    let kind = kind.ok_or_else(|| not_of(VENDOR, "there is no `EventType`"))?;
    let digest = digest(&body);
    match kind.as_str() {
        "ProcedureStateChanged" => {
            let Some(Value::Object(said)) = body.remove("ProcedureStateChangeEvent") else {
                return Err(not_of(VENDOR, "there is no `ProcedureStateChangeEvent`"));
            };
            let task = job_id(said.get("TaskId"));
            let task = task.ok_or_else(|| not_of(VENDOR, "there is no `TaskId`"))?;
            let status = text(said.get("Status")).unwrap_or_default();
            let key = replay_key(PROVIDER, &[&task, &status, &digest]);
            Ok((TencentEvent::Procedure(procedure(task, &status, &said)), key))
        }
        "NewFileUpload" => {
            let said = body.get("FileUploadEvent").and_then(Value::as_object);
            let said = said.ok_or_else(|| not_of(VENDOR, "there is no `FileUploadEvent`"))?;
            let file_id = text(said.get("FileId"));
            let file_id = file_id.ok_or_else(|| not_of(VENDOR, "there is no `FileId`"))?;
            let key = replay_key(PROVIDER, &["upload", &file_id, &digest]);
            Ok((TencentEvent::Upload(upload(file_id, said)), key))
        }
        _ => {
            let key = replay_key(PROVIDER, &[&kind, &digest]);
            Ok((TencentEvent::Other(kind, body), key))
        }
    }
}

/// What tells an event from others: all of it, as JSON writes it in the order of its names or of the sender.
fn digest(body: &Map<String, Value>) -> String {
    let written = serde_json::to_vec(body).unwrap_or_default();
    mediaflow_sign::hex(&Sha256::digest(written)[..16])
}

fn upload(file_id: String, said: &Map<String, Value>) -> TencentUpload {
    let info = said.get("MediaBasicInfo");
    let of = |name| text(info?.get(name));
    let source = info.and_then(|info| info.get("SourceInfo"));
    TencentUpload {
        file_id,
        name: of("Name"),
        format: of("Type"),
        url: of("MediaUrl"),
        task_id: text(said.get("ProcedureTaskId")),
        source_context: source.and_then(|source| text(source.get("SourceContext"))),
    }
}

fn procedure(task: String, status: &str, said: &Map<String, Value>) -> RemoteUpdate {
    let results = list(said.get("MediaProcessResultSet")).iter();
    let outputs: Vec<_> = results.filter_map(Value::as_object).filter_map(output).collect();
    let failed = |output: &&RemoteOutput| output.state == RemoteState::Failed;
    let code = whole(said.get("ErrCode")).filter(|code| *code != 0);
    // The code of the whole is one of the past: each output has its own.
    let lost = outputs.iter().filter(failed).count() == outputs.len();
    let state = match status {
        "FINISH" if lost && (code.is_some() || !outputs.is_empty()) => RemoteState::Failed,
        "FINISH" => RemoteState::Finished,
        _ => RemoteState::Processing,
    };
    let mut update = RemoteUpdate::new(PROVIDER, task, state);
    if state == RemoteState::Failed {
        let message = text(said.get("Message")).unwrap_or_default();
        let of_all = code.and_then(|code| RemoteError::new(code.to_string(), message));
        let first = outputs.iter().find_map(|output| output.error.clone());
        update.error = first.or(of_all);
    }
    update.outputs = outputs;
    update.pass_through = said.get("SessionContext").cloned().unwrap_or_default();
    update
}

/// What one of the tasks has made: `{"Type": "Transcode", "TranscodeTask": {..}}`.
fn output(result: &Map<String, Value>) -> Option<RemoteOutput> {
    let mut tasks = result.iter().filter(|(name, _)| name.ends_with("Task"));
    let task = tasks.find_map(|(_, task)| task.as_object())?;
    let state = match task.get("Status").and_then(Value::as_str) {
        Some("SUCCESS") => RemoteState::Finished,
        Some("FAIL") => RemoteState::Failed,
        _ => RemoteState::Processing,
    };
    let mut output = RemoteOutput::new(state);
    let of = |name: &str| task.get("Output").and_then(|output| output.get(name));
    let definition = task.get("Input").and_then(|input| input.get("Definition"));
    output.id = text(definition).or_else(|| text(of("Definition")));
    output.label = text(result.get("Type"));
    output.url = text(of("Url"));
    output.format = text(of("Container"));
    output.width = pixels(of("Width"));
    output.height = pixels(of("Height"));
    output.bytes = whole(of("Size"));
    output.duration_ms = millis(of("Duration"));
    output.md5 = md5(of("Md5"));
    if state == RemoteState::Failed {
        let code = text(task.get("ErrCodeExt")).or_else(|| text(task.get("ErrCode")));
        let message = text(task.get("Message")).unwrap_or_default();
        output.error = RemoteError::new(code.unwrap_or_default(), message);
    }
    Some(output)
}

impl Notification for TencentEvent {
    fn update(&self) -> Option<&RemoteUpdate> {
        match self {
            Self::Procedure(update) => Some(update),
            Self::Upload(_) | Self::Other(..) => None,
        }
    }
}

#[async_trait]
impl Receiver for Tencent {
    type Message = TencentEvent;

    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        self.verify(call)
    }
}
