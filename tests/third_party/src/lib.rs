//! An operation, a job and a notifier of somebody else's.

use std::sync::{Arc, Mutex, PoisonError};

use mediaflow::media::Image;
use mediaflow::notify::{DeliveryContext, Message, Receipt};
use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};

/// Keeps only one channel of light: a darkroom.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Darkroom {
    /// Which channel, from 0.
    pub channel: u8,
}

#[async_trait]
impl Operation for Darkroom {
    const KIND: &'static str = "acme.darkroom";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        let keep = usize::from(self.channel);
        let image = cx
            .cpu(move |cx| {
                cx.check()?;
                let (width, height, channels) = (image.width(), image.height(), image.channels());
                let mut pixels = image.into_pixels();
                for pixel in pixels.chunks_exact_mut(usize::from(channels)) {
                    for (index, value) in pixel.iter_mut().enumerate().take(3) {
                        *value = if index == keep { *value } else { 0 };
                    }
                }
                Image::new(width, height, channels, pixels)
            })
            .await?;
        Ok(Outputs::one(image))
    }

    fn validate(&self) -> mediaflow::Result<()> {
        match self.channel {
            0..=2 => Ok(()),
            other => Err(Error::input("darkroom.channel", "a channel is 0, 1 or 2").with("channel", other)),
        }
    }
}

/// Files an upload by its size.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileAway {
    /// What to file.
    pub source: Source,
}

#[async_trait]
impl Job for FileAway {
    const KIND: &'static str = "acme.file_away";

    async fn plan(&self, cx: &PlanContext<'_>) -> mediaflow::Result<Pipeline> {
        let info = cx.probe(&self.source).await?;
        let drawer = if info.width > 1000 { "archive/large" } else { "archive/small" };
        Pipeline::from(self.source.clone()).output(drawer, |media| media).build()
    }
}

/// Writes one line per event into a ledger.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    /// What has been written.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Notifier for Ledger {
    fn name(&self) -> &str {
        "ledger"
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind.is_terminal()
    }

    async fn notify(&self, message: &Message, _cx: &DeliveryContext) -> Result<Receipt, NotifyError> {
        let lines = message.events().iter().map(|event| event.kind.to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
        Ok(Receipt::new())
    }
}
