use async_trait::async_trait;
use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::Schema;

use super::{check_range, encoded, into_file, with_channels};
use crate::encode::{self, Webp};

#[async_trait]
impl Operation for Webp {
    const KIND: &'static str = "image.webp";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = *self;
        into_file(inputs, cx, Format::WEBP, move |image, cx| encode::webp(image, &params, cx)).await
    }

    fn validate(&self) -> Result<()> {
        check_range("quality", f64::from(self.quality), 1.0, 100.0)?;
        check_range("effort", f64::from(self.effort), 0.0, 6.0)
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = encoded(input, Format::WEBP)?;
        let channels = match info.channels {
            1 => 3,
            2 => 4,
            channels => channels,
        };
        Ok(with_channels(info, channels))
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}
