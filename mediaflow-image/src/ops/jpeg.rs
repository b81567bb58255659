use async_trait::async_trait;
use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::Schema;

use super::flatten::check_opaque;
use super::{check_range, encoded, into_file, with_channels};
use crate::encode::{self, Jpeg};

#[async_trait]
impl Operation for Jpeg {
    const KIND: &'static str = "image.jpeg";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = *self;
        into_file(inputs, cx, Format::JPEG, move |image, cx| encode::jpeg(image, &params, cx)).await
    }

    fn validate(&self) -> Result<()> {
        check_range("quality", f64::from(self.quality), 1.0, 100.0)?;
        check_opaque(self.background)
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = encoded(input, Format::JPEG)?;
        let channels = match info.channels {
            0 => 0,
            1 => 1,
            2 if self.background.is_grey() => 1,
            _ => 3,
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
