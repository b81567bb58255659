use mediaflow_core::backend::{Backend, Capability, Group, Plan};
use mediaflow_core::media::{Format, Medium};
use mediaflow_core::ops::{Fps, Poster, Resize, Trim};
use mediaflow_core::plan::CostClass;
use mediaflow_core::{Operation, Result};

use crate::NAME;
use crate::container::formats;
use crate::mp4::Mp4;
use crate::plan::VideoPlan;

/// Runs steps on video with GStreamer.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct VideoBackend;

impl VideoBackend {
    /// The backend. Plugins are looked for when they are needed, so this never fails.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Backend for VideoBackend {
    fn name(&self) -> &str {
        NAME
    }

    fn capability(&self) -> Capability {
        let kinds = [Resize::KIND, Trim::KIND, Fps::KIND, Mp4::KIND, Poster::KIND];
        let names: Vec<Format> = formats().into_iter().map(|spec| spec.format).collect();
        Capability::new(kinds, [Medium::Video]).opening(names).class(CostClass::Video)
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        Ok(Box::new(VideoPlan::read(group)?))
    }
}
