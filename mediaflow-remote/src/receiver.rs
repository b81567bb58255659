use std::fmt;

use mediaflow_core::wait::Signalled;
use mediaflow_core::{Error, ErrorKind, Mediaflow, Result, async_trait, codes};

use crate::call::Call;
use crate::update::RemoteUpdate;

/// Takes the call-backs of one vendor: knows what proves where they come from, and reads them.
///
/// Those of this crate open no socket, with one exception: Amazon's messages are signed with a certificate that has to be
/// fetched once, and a subscription is confirmed by fetching a URL.
#[async_trait]
pub trait Receiver: fmt::Debug + Send + Sync + Sized + 'static {
    /// What it reads.
    type Message: Notification;

    /// How many bytes a body may have.
    const MAX_BODY: usize = 1 << 20;

    /// Verifies a call-back and reads it. The order is: size, headers, the time, the signature over the raw body, and only
    /// then what the body says.
    ///
    /// # Errors
    /// `limit.call_bytes`, `webhook.header`, `webhook.timestamp`, `webhook.signature`, `remote.body`; and what a receiver says
    /// of itself.
    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>>;

    /// Does what the sender expects beside an answer, before anybody is told. Default: nothing.
    ///
    /// # Errors
    /// What a receiver says of itself.
    async fn settle(&self, message: &Self::Message) -> Result<()> {
        let _ = message;
        Ok(())
    }

    /// What is answered when nobody waits for the job, yet. The update is kept for a day. Default: 200.
    fn unknown(&self) -> u16 {
        200
    }
}

/// What a receiver has read.
pub trait Notification: fmt::Debug + Send + Sync + 'static {
    /// What it says of a job, if it says something of one.
    fn update(&self) -> Option<&RemoteUpdate>;
}

/// A call-back whose sender is proved. With the feature `axum`, an extractor.
#[non_exhaustive]
pub struct Verified<R: Receiver> {
    /// What it says.
    pub message: R::Message,
    /// The name of this very call-back: a repetition has the same. Whoever acts on the message keeps it, in the transaction
    /// in which they act; [`Verified::tell`] does.
    pub replay_key: String,
}

/// What to answer to a call-back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What was wrong, for the log of the host. The sender is told the status alone.
    pub error: Option<Error>,
}

impl<R: Receiver> Verified<R> {
    /// A message that was verified, with the name of the call-back that brought it.
    pub fn new(message: R::Message, replay_key: impl Into<String>) -> Self {
        Self { message, replay_key: replay_key.into() }
    }

    /// Tells the job that waits for it, once. Gives `None` if the message says nothing of a job.
    ///
    /// Outputs are left out of an update that would be too long to store ([`RemoteUpdate::truncated`]).
    ///
    /// # Errors
    /// Those of [`Mediaflow::signal`].
    pub async fn tell(&self, media: &Mediaflow) -> Result<Option<Signalled>> {
        let Some(update) = self.message.update() else { return Ok(None) };
        match signal(media, update, &self.replay_key).await {
            Err(e) if e.code() == codes::LIMIT_UPDATE_BYTES && !update.outputs.is_empty() => {
                signal(media, &update.clone().without_outputs(), &self.replay_key).await
            }
            told => told,
        }
        .map(Some)
    }
}

async fn signal(media: &Mediaflow, update: &RemoteUpdate, replay_key: &str) -> Result<Signalled> {
    let signal = update.signal(replay_key);
    media.signal(signal.key, signal.update, signal.replay_key).await
}

impl<R: Receiver> fmt::Debug for Verified<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("message", &self.message)
            .field("replay_key", &self.replay_key)
            .finish()
    }
}

/// All that there is to do with a call-back: it is verified, the job that waits for it is told, and the answer says what the
/// sender is to do. What is known already is answered as what is new, so that nobody sends it again.
pub async fn answer<R: Receiver>(receiver: &R, media: &Mediaflow, call: &Call<'_>) -> Answer {
    match told(receiver, media, call).await {
        Ok(status) => Answer { status, error: None },
        Err(error) => Answer { status: status_of(&error), error: Some(error) },
    }
}

async fn told<R: Receiver>(receiver: &R, media: &Mediaflow, call: &Call<'_>) -> Result<u16> {
    let verified = receiver.receive(call).await?;
    receiver.settle(&verified.message).await?;
    Ok(match verified.tell(media).await? {
        Some(Signalled::Early) => receiver.unknown(),
        _ => 200,
    })
}

/// The HTTP status for an error of a receiver.
///
/// | what is wrong | status |
/// |---|---|
/// | the body is too long | 413 |
/// | it is not what the vendor sends, or its job has no name that can be one | 400 |
/// | a header is missing, the signature or the secret does not fit | 401 |
/// | it is too old or from the future, of a topic that is not listened to, names addresses that are not Amazon's, or a certificate or subscription that Amazon does not know | 403 |
/// | the store, or Amazon's certificate, can not be had now | 503: the vendor sends it again |
/// | anything else | 500 |
#[must_use]
pub fn status_of(error: &Error) -> u16 {
    match error.code() {
        codes::LIMIT_CALL_BYTES | codes::LIMIT_UPDATE_BYTES => 413,
        codes::REMOTE_BODY | codes::WAIT_KEY | codes::WAIT_REPLAY_KEY => 400,
        codes::WEBHOOK_HEADER | codes::WEBHOOK_SIGNATURE => 401,
        codes::WEBHOOK_TIMESTAMP | codes::REMOTE_TOPIC | codes::REMOTE_ADDRESS => 403,
        codes::REMOTE_CERTIFICATE | codes::REMOTE_SUBSCRIPTION
            if error.kind() == ErrorKind::Input =>
        {
            403
        }
        _ => match error.kind() {
            ErrorKind::Transient | ErrorKind::Backend => 503,
            _ => 500,
        },
    }
}
