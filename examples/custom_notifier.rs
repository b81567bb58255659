//! A notifier of your own: it makes one attempt and says what follows from the outcome. Repeating is the engine's work.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mediaflow::DeliveryPolicy;
use mediaflow::notify::{DeliveryContext, Message, Receipt};
use mediaflow::prelude::*;

/// A pager that is out of reach at first.
#[derive(Debug)]
struct Pager {
    unreachable: AtomicU32,
}

#[async_trait]
impl Notifier for Pager {
    fn name(&self) -> &str {
        "pager"
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == JobFailed
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let left = self
            .unreachable
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            println!("attempt {}: nobody answers", cx.attempt);
            return Err(NotifyError::retryable("nobody answers"));
        }
        // One, since the terms ask for no more in one message.
        let event = message.event();
        println!("attempt {}: {} {:?}", cx.attempt, event.kind, event.job);
        Ok(Receipt::new())
    }
}

#[tokio::main]
async fn main() -> mediaflow::Result<()> {
    let media = Mediaflow::builder()
        .storage("uploads", "file:examples/media")
        .storage("public", "memory:")
        .with(image::operations)
        .notify(Pager { unreachable: AtomicU32::new(2) })
        .delivery(DeliveryPolicy::every(Duration::from_millis(300), 10))
        .start()
        .await?;

    let broken = Pipeline::from(Source::bytes(&b"this is no picture"[..]))
        .output("public/never.jpg", |photo| photo.resize((320, 320, Fit::Cover)).jpeg(80))
        .build()?;
    let failure = media.submit(broken).await?.done().await;
    if let Err(error) = failure {
        println!("the job failed: {error}");
    }
    // Waits for the notification too.
    media.shutdown(Duration::from_secs(10)).await
}
