#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use mediaflow_core::engine::EventStream;
pub use mediaflow_core::executor::{DeliveryPolicy, RetryPolicy};
pub use mediaflow_core::planner::JobPlan;
#[cfg(feature = "testing")]
pub use mediaflow_core::testing;
pub use mediaflow_core::wait::Signalled;
pub use mediaflow_core::{
    Arity, BatchHandle, BatchId, BatchTicket, Builder, CancellationToken, Clock, Color, Error,
    ErrorKind, Event, EventId, EventKind, Failure, Inputs, Job, JobBuilder, JobHandle, JobId,
    Limits, Mediaflow, MessageId, Notifier, NotifyError, OpContext, Operation, Outputs,
    PlanContext, Registry, Result, Retry, Run, SystemClock, Takes, Tenants, Timestamp, Upload,
    UploadBuilder, UploadSession, Uploaded, async_trait,
};
pub use mediaflow_core::{
    codes, event, geometry, inspect, media, notify, ops, plan, report, schedule, spec, storage,
};

/// What implementors need: backends, readers of formats, engines, and what they are handed. Outside of semantic versioning
/// until 1.0: what is here may change with any release, what is not here will not.
pub mod spi {
    #[cfg(feature = "http")]
    pub use mediaflow_core::http;
    pub use mediaflow_core::{
        AnyOperation, CpuPool, RunContext, RunContextBuilder, Work, backend, engine, executor,
        outbox, planner, reader, schema_of, wait, wire,
    };
}

#[cfg(feature = "image")]
pub use mediaflow_image as image;
#[cfg(any(
    feature = "webhook",
    feature = "apns",
    feature = "courier",
    feature = "discord",
    feature = "email",
    feature = "fcm",
    feature = "file",
    feature = "google-chat",
    feature = "mattermost",
    feature = "ntfy",
    feature = "pushover",
    feature = "ses",
    feature = "slack",
    feature = "sns",
    feature = "teams",
    feature = "telegram",
    feature = "web-push",
))]
pub use mediaflow_notify as notifiers;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use mediaflow_queue as queue;
#[cfg(feature = "remote")]
pub use mediaflow_remote as remote;
#[cfg(any(feature = "s3", feature = "azure", feature = "gcs"))]
pub use mediaflow_storage as cloud;
#[cfg(feature = "video")]
pub use mediaflow_video as video;

/// What most files need: `use mediaflow::prelude::*;`.
pub mod prelude {
    pub use mediaflow_core::EventKind::{
        BatchCompleted, DeliveryFailed, DestinationDisabled, JobCancelled, JobCompleted,
        JobCreated, JobFailed, JobProgress, JobRetrying, JobStarted, JobWaiting, JobsUnclaimed,
        OutputReady, ScheduleMissed, StepCompleted, StepFailed,
    };
    pub use mediaflow_core::geometry::{Fit, Gravity};
    pub use mediaflow_core::notify::notify_fn;
    pub use mediaflow_core::ops::{Position, Resize};
    pub use mediaflow_core::spec::{Chain, JobOptions, JobSpec, Pipeline, Source};
    pub use mediaflow_core::{
        Error, Event, EventKind, Inputs, Job, Limits, Mediaflow, Notifier, NotifyError, OpContext,
        Operation, Outputs, PlanContext, Run, Tenants, async_trait,
    };

    #[cfg(feature = "image")]
    pub use crate::image::{self, ImageEncoders};
    #[cfg(feature = "webhook")]
    pub use crate::notifiers::Webhook;
    #[cfg(feature = "postgres")]
    pub use crate::queue::Postgres;
    #[cfg(feature = "sqlite")]
    pub use crate::queue::Sqlite;
    #[cfg(feature = "video")]
    pub use crate::video::{self, VideoEncoders};
}
