use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::After;
use crate::codes;
use crate::limits::{at_most, beyond, json_length};
use crate::{Error, Limits, Result, Timestamp};

/// How a job is run and who is told. All have defaults.
///
/// ```
/// use std::time::Duration;
/// use mediaflow_core::spec::JobOptions;
///
/// let options = JobOptions::new().owner("user-7").deadline(Duration::from_secs(90)).tag("avatar");
/// assert_eq!(serde_json::to_value(&options).unwrap()["deadline"], "1m 30s");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct JobOptions {
    /// Submitting again with the same key gives the first job back instead of a second one: while it waits or runs, and
    /// after it has succeeded, at least in part, for as long as the engine keeps the key. After it has failed or was
    /// cancelled, the key is free, and a new job runs.
    ///
    /// A key is bound to [what was asked for](super::JobSpec::digest): another job under it is refused with
    /// `job.key_reused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Higher runs earlier, up to [`Limits::priority`]. Default 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i16,
    /// Time for one attempt, [`Limits::deadline`] at most, which is the default.
    #[serde(skip_serializing_if = "Option::is_none", with = "duration")]
    #[schemars(with = "Option<String>")]
    pub deadline: Option<Duration>,
    /// Not before this moment. Default: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub run_at: Option<Timestamp>,
    /// Whether outputs that were made before, from the same bytes by the same steps, may be copied instead of made
    /// again, by an engine that remembers them. Default: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse: Option<bool>,
    /// How often to try at most: less often than the host's [retry policy](crate::executor::RetryPolicy) says, which is the
    /// default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Whose job it is among those who share the host: idempotency keys, results that are used again,
    /// [shares](crate::Tenants) and the jobs that it can come after are each tenant's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Not before these jobs have ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After>,
    /// Who asked for it: goes into every event, for notifiers that tell the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Notifiers to tell by name, each at its own address or at one of this job's in place of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<NotifyTarget>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the host wants to find again in events and reports.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
}

/// A notifier to tell, by its name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NotifyTarget {
    /// The name of a notifier that the host has configured; secrets stay there.
    pub channel: String,
    /// An address in place of the notifier's own: the `notification_url` of one call. Without it this is the notifier's own, so
    /// that a job can name both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl fmt::Debug for NotifyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may be a secret.
        f.debug_struct("NotifyTarget")
            .field("channel", &self.channel)
            .field("to", &self.to.as_ref().map(|_| "[REDACTED]"))
            .finish()
    }
}

/// The options of a job, one verb for each: of the options themselves, and of whatever else has some (`options_mut`).
macro_rules! setters {
    () => {
        /// Submitting again with the same key gives the first job back.
        pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
            self.options_mut().idempotency_key = Some(key.into());
            self
        }

        /// Higher runs earlier.
        pub fn priority(mut self, priority: i16) -> Self {
            self.options_mut().priority = priority;
            self
        }

        /// Time for one attempt.
        pub fn deadline(mut self, deadline: std::time::Duration) -> Self {
            self.options_mut().deadline = Some(deadline);
            self
        }

        /// Not before this moment.
        pub fn run_at(mut self, moment: $crate::Timestamp) -> Self {
            self.options_mut().run_at = Some(moment);
            self
        }

        /// Whether outputs that were made before may be copied instead of made again.
        pub fn reuse(mut self, reuse: bool) -> Self {
            self.options_mut().reuse = Some(reuse);
            self
        }

        /// How often to try at most, at least once.
        pub fn max_attempts(mut self, attempts: u32) -> Self {
            self.options_mut().max_attempts = Some(attempts.max(1));
            self
        }

        /// Whose job it is among those who share the host.
        pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
            self.options_mut().tenant = Some(tenant.into());
            self
        }

        /// Not before this job has ended, and not at all if it fails.
        pub fn after(self, job: $crate::JobId) -> Self {
            self.after_with(job, $crate::spec::OnFailure::Fail)
        }

        /// Not before this job has ended.
        pub fn after_with(
            mut self,
            job: $crate::JobId,
            on_failure: $crate::spec::OnFailure,
        ) -> Self {
            self.options_mut().after.push($crate::spec::After::new(job, on_failure));
            self
        }

        /// Who asked for it.
        pub fn owner(mut self, owner: impl Into<String>) -> Self {
            self.options_mut().owner = Some(owner.into());
            self
        }

        /// Tells this notifier at this address, in place of its own. Called again, at that one too.
        pub fn notify(mut self, channel: impl Into<String>, to: impl Into<String>) -> Self {
            self.options_mut()
                .notify
                .push($crate::spec::NotifyTarget { channel: channel.into(), to: Some(to.into()) });
            self
        }

        /// Tells this notifier at its own address, also where [`notify`](Self::notify) gives another one.
        pub fn notify_own(mut self, channel: impl Into<String>) -> Self {
            self.options_mut()
                .notify
                .push($crate::spec::NotifyTarget { channel: channel.into(), to: None });
            self
        }

        /// A word to find it by.
        pub fn tag(mut self, tag: impl Into<String>) -> Self {
            self.options_mut().tags.push(tag.into());
            self
        }

        /// Something to find again in events and reports.
        pub fn metadata(
            mut self,
            name: impl Into<String>,
            value: impl Into<serde_json::Value>,
        ) -> Self {
            self.options_mut().metadata.insert(name.into(), value.into());
            self
        }
    };
}
pub(crate) use setters;

impl JobOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    setters!();

    fn options_mut(&mut self) -> &mut Self {
        self
    }

    /// Counts what stands in them against the limits.
    ///
    /// # Errors
    /// `limit.deadline`, `limit.priority`, `limit.option_bytes`, `limit.address_bytes`, `limit.tags`, `limit.after`, `limit.notify_targets`,
    /// `limit.option_metadata_bytes`, each naming the option; `spec.tenant`, `spec.idempotency_key`.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        let named = |option: &'static str| move |e: Error| e.with("option", option);
        if let Some(asked) = self.deadline.filter(|asked| *asked > limits.deadline) {
            let shown = humantime::format_duration;
            let error =
                beyond(codes::LIMIT_DEADLINE, "deadline", shown(asked), shown(limits.deadline));
            return Err(named("deadline")(error));
        }
        if self.priority > limits.priority {
            let error = beyond(codes::LIMIT_PRIORITY, "priority", self.priority, limits.priority);
            return Err(named("priority")(error));
        }
        let short = |text: &str| {
            at_most(codes::LIMIT_OPTION_BYTES, "option_bytes", text.len(), limits.option_bytes)
        };
        self.idempotency_key.as_deref().map_or(Ok(()), short).map_err(named("idempotency_key"))?;
        if self.idempotency_key.as_deref().is_some_and(|key| key.contains(char::is_control)) {
            return Err(Error::input(
                codes::SPEC_IDEMPOTENCY_KEY,
                "an idempotency key has no control characters",
            ));
        }
        self.owner.as_deref().map_or(Ok(()), short).map_err(named("owner"))?;
        self.tenant.as_deref().map_or(Ok(()), short).map_err(named("tenant"))?;
        if let Some(tenant) = &self.tenant
            && (tenant.is_empty() || tenant.contains(char::is_control))
        {
            return Err(Error::input(codes::SPEC_TENANT, "this is no name of a tenant")
                .with("tenant", tenant.escape_debug())
                .help("name it by something without control characters, or leave it out"));
        }
        at_most(codes::LIMIT_AFTER, "after", self.after.len(), limits.after)?;
        at_most(codes::LIMIT_TAGS, "tags", self.tags.len(), limits.tags)?;
        self.tags.iter().try_for_each(|tag| short(tag)).map_err(named("tags"))?;
        let targets = self.notify.len();
        at_most(codes::LIMIT_NOTIFY_TARGETS, "notify_targets", targets, limits.notify_targets)?;
        for target in &self.notify {
            let length = target.to.as_deref().map_or(0, str::len);
            short(&target.channel)
                .and_then(|()| {
                    at_most(
                        codes::LIMIT_ADDRESS_BYTES,
                        "address_bytes",
                        length,
                        limits.address_bytes,
                    )
                })
                .map_err(named("notify"))?;
        }
        let (code, field) = (codes::LIMIT_OPTION_METADATA_BYTES, "option_metadata_bytes");
        at_most(code, field, json_length(&self.metadata), limits.option_metadata_bytes)
            .map_err(named("metadata"))
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_zero(priority: &i16) -> bool {
    *priority == 0
}

mod duration {
    //! A duration as people write it: `90s`, `1h 30m`.
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| humantime::format_duration(time).to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| humantime::parse_duration(&text).map_err(de::Error::custom))
            .transpose()
    }
}
