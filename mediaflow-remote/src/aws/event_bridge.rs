use mediaflow_core::{Error, Result, async_trait, codes};
use mediaflow_sign::header::Secret;
use serde_json::{Map, Value};

use super::bodies;
use crate::call::Call;
use crate::json::{not_of, object, text};
use crate::receiver::{Notification, Receiver, Verified};
use crate::replay::replay_key;
use crate::update::RemoteUpdate;

const VENDOR: &str = "Amazon EventBridge";

/// Receives what EventBridge posts to an API destination. It signs nothing: a connection with an API key sends that in a header,
/// and the receiver compares, in constant time. So use `https`.
///
/// ```
/// use mediaflow_core::Timestamp;
/// use mediaflow_remote::aws::EventBridge;
/// use mediaflow_remote::{Call, Notification as _, Receiver as _, RemoteState};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mediaflow_core::Result<()> {
/// let body = br#"{"version": "0", "id": "1a2b", "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert",
///     "detail": {"jobId": "1539811467866-e3xcm1", "status": "STATUS_UPDATE", "jobProgress": {"jobPercentComplete": 40}}}"#;
/// let call = Call::new([("x-api-key", "koro")], body, Timestamp::from_millis(0));
///
/// let verified = EventBridge::new("x-api-key", "koro")?.receive(&call).await?;
/// let update = verified.message.update().unwrap();
/// assert_eq!((update.state, update.progress), (RemoteState::Processing, Some(0.4)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EventBridge {
    secret: Secret,
}

/// An event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BridgeEvent {
    /// Its id, the same in every attempt.
    pub id: String,
    /// All of it.
    pub body: Map<String, Value>,
    /// What it says of a job, if it is of an encoder that is known here.
    pub update: Option<RemoteUpdate>,
}

impl EventBridge {
    /// Those of a connection that sends this value in this header.
    ///
    /// # Errors
    /// `webhook.secret`: it can not stand in a header.
    pub fn new(header: &str, value: &str) -> Result<Self> {
        Ok(Self { secret: Secret::new(header, value)? })
    }
}

#[async_trait]
impl Receiver for EventBridge {
    type Message = BridgeEvent;

    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        call.at_most(Self::MAX_BODY)?;
        if !call.header(self.secret.header().0).is_some_and(|given| self.secret.fits(given)) {
            return Err(Error::input(
                codes::WEBHOOK_SIGNATURE,
                "the key of the connection is missing, or does not fit",
            ));
        }
        let body = object(call.body(), VENDOR)?;
        let id = text(body.get("id")).ok_or_else(|| not_of(VENDOR, "the event has no id"))?;
        let replay_key = replay_key("eventbridge", &[&id]);
        let update = bodies::read_body(&body);
        Ok(Verified::new(BridgeEvent { id, body, update }, replay_key))
    }
}

impl Notification for BridgeEvent {
    fn update(&self) -> Option<&RemoteUpdate> {
        self.update.as_ref()
    }
}
