use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};

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
