#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use mediaflow_core::*;

#[cfg(feature = "image")]
pub use mediaflow_image as image;
#[cfg(feature = "webhook")]
pub use mediaflow_notify as notifiers;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use mediaflow_queue as queue;
#[cfg(any(feature = "s3", feature = "azure", feature = "gcs"))]
pub use mediaflow_storage as cloud;
#[cfg(feature = "video")]
pub use mediaflow_video as video;

/// What most files need: `use mediaflow::prelude::*;`.
pub mod prelude {
    pub use mediaflow_core::EventKind::{
        BatchCompleted, DeliveryFailed, DestinationDisabled, JobCancelled, JobCompleted,
        JobCreated, JobFailed, JobProgress, JobStarted, JobWaiting, JobsUnclaimed, OutputReady,
        ScheduleMissed, StepCompleted, StepFailed,
    };
    pub use mediaflow_core::geometry::{Fit, Gravity};
    pub use mediaflow_core::notify::notify_fn;
    pub use mediaflow_core::spec::{Chain, JobOptions, JobSpec, Pipeline, Source};
    pub use mediaflow_core::{
        Error, Event, EventKind, Inputs, Job, Limits, Mediaflow, Notifier, NotifyError, OpContext,
        Operation, Outputs, PlanContext, Tenants, async_trait,
    };

    #[cfg(feature = "image")]
    pub use crate::image::{self, ImageSteps};
    #[cfg(feature = "webhook")]
    pub use crate::notifiers::Webhook;
    #[cfg(feature = "postgres")]
    pub use crate::queue::Postgres;
    #[cfg(feature = "sqlite")]
    pub use crate::queue::Sqlite;
    #[cfg(feature = "video")]
    pub use crate::video::{self, VideoSteps};
}
