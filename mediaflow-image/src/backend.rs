use mediaflow_core::Result;
use mediaflow_core::backend::{Backend, Capability, Group, Plan};
use mediaflow_core::media::Medium;

use crate::plan::ImagePlan;
use crate::{formats, plan};

/// Runs all steps on one source as one plan. See the [crate documentation](crate).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ImageBackend {}

impl ImageBackend {
    /// The backend. It has no settings: limits and threads are the engine's.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

impl Backend for ImageBackend {
    fn name(&self) -> &str {
        crate::NAME
    }

    fn capability(&self) -> Capability {
        let kinds: Vec<_> = plan::words().map(|word| word.kind).collect();
        let formats: Vec<_> = formats::specs().into_iter().map(|spec| spec.format).collect();
        Capability::new(kinds, [Medium::Still, Medium::Animation]).opening(formats).decoding()
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        Ok(Box::new(ImagePlan::new(group)?))
    }
}
