use mediaflow_core::{Result, Timestamp};
use mediaflow_remote::{Call, Notification as _, Receiver, RemoteUpdate, Verified};

/// A moment: 2026-05-04T10:20:30Z.
pub(crate) const SECONDS: u64 = 1_777_890_030;

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// A call-back with what it takes to send it again, changed.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) now: Timestamp,
}

impl Sent {
    pub(crate) fn new(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self { headers, body: body.into(), now: at(SECONDS + 1) }
    }

    pub(crate) fn at(mut self, seconds: u64) -> Self {
        self.now = at(seconds);
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn to<R: Receiver>(&self, receiver: &R) -> Result<Verified<R>> {
        let headers = self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        receiver.receive(&Call::new(headers, &self.body, self.now)).await
    }

    /// What it says of a job.
    pub(crate) async fn update<R: Receiver>(&self, receiver: &R) -> RemoteUpdate {
        self.to(receiver).await.unwrap().message.update().unwrap().clone()
    }

    /// Why it is refused.
    pub(crate) async fn refusal<R: Receiver>(&self, receiver: &R) -> String {
        self.to(receiver).await.unwrap_err().code().to_owned()
    }

    pub(crate) async fn replay_key<R: Receiver>(&self, receiver: &R) -> String {
        self.to(receiver).await.unwrap().replay_key
    }
}
