//! A file with a line of JSON for each message: for tests, and for trying out who is told what.
//!
//! ```
//! use mediaflow_notify::File;
//!
//! let mails = File::lines("told.jsonl").name("email").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! It takes the place of another channel under its name, so that a host's rules and templates run as they are.
//!
//! # Addresses
//!
//! A path, and several can be told. An address that another channel would have, such as a mail address, is only written down with
//! [`all_to`](ChannelBuilder::all_to). As one line: `file:///var/log/told.jsonl`, or `file://told.jsonl` in the folder of the process,
//! which gets everything.
//!
//! # Messages
//!
//! What is told and to whom, with `events` as webhooks have their `data`. `rule` and `step` say what has made the message.
//!
//! ```json
//! { "id": "0199c8f0-0000-7000-8000-000000000002", "rule": "", "step": 0, "to": "told.jsonl", "audience": null, "locale": null,
//!   "title": "cat.jpg could not be processed",
//!   "lines": ["the image ends too early", "Job: 0199c8f0-0000-7000-8000-000000000001", "Error: image.truncated",
//!             "Where: source = cat.jpg", "Attempts: 1", "What to do: upload the whole file",
//!             "Show details: https://app.example/media/7"],
//!   "events": "..." }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | the message | no limit |
//! | rate | none |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | written | arrived; what is in the file may not be on the disk yet |
//! | not written | `Retryable` |
//!
//! A message that is sent twice is there twice, with the same `id`.
//!
//! # Secrets
//!
//! There are none but what addresses hold: they are written as they are.
//!
//! # Documentation
//!
//! Lines of JSON: [JSON Lines](https://jsonlines.org).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Receipt, Terms};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::channel::{Channel, ChannelBuilder, Sending};
use crate::payload;

/// A file. See the [module](self).
#[derive(Clone, Debug)]
pub struct File {
    /// Whatever the address is.
    all: Option<PathBuf>,
}

impl File {
    /// To the end of this file, which is made if it is missing, for nobody else to read.
    pub fn lines(path: impl AsRef<Path>) -> ChannelBuilder<Self> {
        let path = path.as_ref().to_string_lossy().into_owned();
        ChannelBuilder::new(Self { all: None }, Some(path))
    }
}

impl ChannelBuilder<File> {
    /// Everything goes to this file, and addresses are written down as they are.
    pub fn all_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.channel.all = Some(path.into());
        self
    }
}

#[async_trait]
impl Channel for File {
    const NAME: &'static str = "file";

    fn terms(&self) -> Terms {
        Terms::default()
    }

    fn address(&self, _client: &GuardedClient, text: &str) -> Result<Address> {
        Ok(Address::at("file", text))
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let (message, notice) = (sending.message(), sending.notice());
        let events: Vec<_> =
            message.events().iter().map(|event| payload::data(event, &message.reports)).collect();
        let line = json!({
            "id": message.id,
            "rule": message.rule,
            "step": message.step,
            "to": sending.to(),
            "audience": message.audience,
            "locale": message.locale,
            "title": notice.title,
            "lines": notice.lines(),
            "events": events,
        });
        let path = self.all.clone().unwrap_or_else(|| PathBuf::from(sending.to()));
        // One write, so that lines of several processes do not mix.
        let append = move || {
            let mut options = std::fs::File::options();
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.append(true).create(true).open(path);
            file?.write_all(format!("{line}\n").as_bytes())
        };
        let written =
            spawn_blocking(append).await.map_err(|e| NotifyError::retryable(e.to_string()))?;
        written.map_err(|e| {
            NotifyError::retryable(format!("the file can not be written: {}", e.kind()))
        })?;
        Ok(Receipt::new())
    }
}
