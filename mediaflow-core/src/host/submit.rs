use super::{JobHandle, Mediaflow};
use crate::Result;
use crate::planner::JobPlan;
use crate::spec::{IntoSpec, JobOptions, JobSpec, setters};

/// A job that is about to be submitted, with its [options](JobOptions): see [`Mediaflow::job`].
#[derive(Debug)]
#[must_use = "nothing happens before `submit()`"]
pub struct JobBuilder {
    media: Mediaflow,
    spec: Result<JobSpec>,
    options: JobOptions,
}

impl Mediaflow {
    /// A job to be submitted with options: who is told, whose it is, how urgent it is.
    ///
    /// ```
    /// use mediaflow_core::Mediaflow;
    /// use mediaflow_core::spec::{Pipeline, Source};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mediaflow_core::Result<()> {
    /// let media = Mediaflow::builder().storage("public", "memory:").start().await?;
    /// let gif = &b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..];
    /// let copy = Pipeline::from(Source::bytes(gif)).output("public/dot.gif", |picture| picture).build()?;
    ///
    /// let job = media.job(copy).owner("user-7").priority(10).tag("avatar").submit().await?;
    /// job.done().await?;
    /// # media.shutdown(std::time::Duration::from_secs(5)).await
    /// # }
    /// ```
    pub fn job(&self, job: impl IntoSpec) -> JobBuilder {
        let spec = job.into_spec();
        // Those that a spec has are where the builder begins.
        let options = spec.as_ref().map(|spec| spec.options.clone()).unwrap_or_default();
        JobBuilder { media: self.clone(), spec, options }
    }
}

impl JobBuilder {
    setters!();

    fn options_mut(&mut self) -> &mut JobOptions {
        &mut self.options
    }

    /// Submits it: see [`Mediaflow::submit`].
    ///
    /// # Errors
    /// Those of [`Mediaflow::submit`].
    pub async fn submit(self) -> Result<JobHandle> {
        let media = self.media.clone();
        media.submit(self).await
    }

    /// What it would do: see [`Mediaflow::plan`].
    ///
    /// # Errors
    /// Those of [`Mediaflow::plan`].
    pub async fn plan(self) -> Result<JobPlan> {
        let media = self.media.clone();
        media.plan(self).await
    }
}

/// For a batch, or a schedule.
impl IntoSpec for JobBuilder {
    fn into_spec(self) -> Result<JobSpec> {
        self.spec.map(|spec| spec.with_options(self.options))
    }
}
