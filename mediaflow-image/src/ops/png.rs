use async_trait::async_trait;
use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::Schema;

use super::{check_range, encoded, into_file};
use crate::encode::{self, Png};

#[async_trait]
impl Operation for Png {
    const KIND: &'static str = "image.png";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = *self;
        into_file(inputs, cx, Format::PNG, move |image, cx| encode::png(&image, &params, cx)).await
    }

    fn validate(&self) -> Result<()> {
        check_range("effort", f64::from(self.effort), 0.0, 10.0)
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        encoded(input, Format::PNG)
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}
