use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codes;
use crate::{Error, Result};

/// The name under which bytes are staged: for whom, in which attempt, and which of its results. Whoever knows the
/// ticket can take them up; whoever knows the job can revoke the results of its earlier attempts.
///
/// Written as `{job}.{fence}.{name}`, the fence with 20 digits, so that names sort by fence.
///
/// ```
/// use mediaflow_core::storage::Ticket;
///
/// let ticket = Ticket::new("job-7", 3, "thumb")?;
/// assert_eq!(ticket.to_string(), "job-7.00000000000000000003.thumb");
/// assert_eq!(ticket.to_string().parse::<Ticket>()?, ticket);
/// assert_eq!(Ticket::new("../up", 1, "x").unwrap_err().code(), "storage.ticket");
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ticket {
    job: String,
    fence: u64,
    name: String,
}

impl Ticket {
    /// The folder below the root of a storage in which staged bytes wait. It is never listed, and no key leads into it.
    pub const FOLDER: &str = ".mediaflow";

    /// A ticket for the result `name` of the attempt `fence` at `job`.
    ///
    /// # Errors
    /// `storage.ticket` unless `job` and `name` have 1 to 100 characters out of `A-Z a-z 0-9 _ -`.
    pub fn new(job: impl Into<String>, fence: u64, name: impl Into<String>) -> Result<Self> {
        let (job, name) = (job.into(), name.into());
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        for part in [&job, &name] {
            if part.is_empty() || part.len() > 100 || !part.chars().all(valid) {
                let part = part.escape_debug();
                return Err(Error::input(codes::STORAGE_TICKET, "this can not name staged bytes")
                    .with("part", part)
                    .help("use 1 to 100 letters, digits, `-` and `_`"));
            }
        }
        Ok(Self { job, fence, name })
    }

    /// A ticket that nobody else has, of the job `put`.
    #[must_use]
    pub fn unique() -> Self {
        Self { job: "put".to_owned(), fence: 0, name: Uuid::now_v7().simple().to_string() }
    }

    /// Whose bytes they are.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The attempt that staged them: a later one has a higher fence.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Which result of the attempt they are.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a ticket with this name of a job is one of these jobs, or of a part of one, `{job}-{number}`.
    #[must_use]
    pub fn is_for(name: &str, jobs: &BTreeSet<String>) -> bool {
        let part = name.rsplit_once('-').filter(|(_, number)| number.parse::<u32>().is_ok());
        jobs.contains(name) || part.is_some_and(|(job, _)| jobs.contains(job))
    }

    /// Whose the file of this name is, if it is a staged one, whole or half-written.
    #[must_use]
    pub fn job_of(file_name: &str) -> Option<&str> {
        let (job, rest) = file_name.split_once('.')?;
        Self::fence_of(job, file_name).filter(|_| rest.contains('.')).map(|_| job)
    }

    /// The fence in the name of a staged file, if the file is one of this job; whatever follows the fence.
    #[must_use]
    pub fn fence_of(job: &str, file_name: &str) -> Option<u64> {
        let rest = file_name.strip_prefix(job)?.strip_prefix('.')?;
        rest.split('.').next()?.parse().ok()
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:020}.{}", self.job, self.fence, self.name)
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, '.');
        let (job, fence, name) = (parts.next(), parts.next(), parts.next());
        match (job, fence.and_then(|fence| fence.parse().ok()), name) {
            (Some(job), Some(fence), Some(name)) => Self::new(job, fence, name),
            _ => Err(Error::input(codes::STORAGE_TICKET, "this is no ticket")
                .with("ticket", text.escape_debug())
                .help("a ticket is written as `job.fence.name`")),
        }
    }
}

impl TryFrom<String> for Ticket {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.to_string()
    }
}
