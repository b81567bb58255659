//! How many jobs of one tenant run at once.
//!
//! Uses: plan.

use std::collections::BTreeMap;

use crate::plan::CostClass;

/// How many jobs of one tenant are under way at once, by class of work; what is above that waits, and is begun when another
/// job of the same tenant ends. So a tenant that submits 100,000 jobs does not keep another one's first photo waiting.
///
/// It counts in the whole fleet, so all processes are given the same. A job without a
/// [tenant](crate::spec::JobOptions::tenant) is not counted, and neither is a class of which nothing is said. While it
/// waits for its moment, for another attempt, for other jobs or for somebody else's machine, a job takes nothing of the
/// share.
///
/// ```
/// use mediaflow_core::{Mediaflow, Tenants};
///
/// let tenants = Tenants::new()
///     .at_once("image", 8)
///     .at_once("video", 1)
///     .at_once_of("studio", "video", 4);
/// let media = Mediaflow::builder().tenants(tenants);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tenants {
    all: BTreeMap<String, usize>,
    named: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Tenants {
    /// As many as there are places.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most so many jobs of this class for each tenant, at least one.
    pub fn at_once(mut self, class: &str, jobs: usize) -> Self {
        self.all.insert(class.to_owned(), jobs.max(1));
        self
    }

    /// The same for one tenant, in place of what is said of all.
    pub fn at_once_of(mut self, tenant: impl Into<String>, class: &str, jobs: usize) -> Self {
        let own = self.named.entry(tenant.into()).or_default();
        own.insert(class.to_owned(), jobs.max(1));
        self
    }

    /// The share of a tenant in a class of work, if it has one.
    pub(crate) fn share(&self, tenant: &str, class: CostClass) -> Option<usize> {
        let own = self.named.get(tenant).and_then(|own| own.get(class.as_str()));
        own.or_else(|| self.all.get(class.as_str())).copied()
    }

    /// The classes of which something is said.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &str> {
        self.named.values().chain([&self.all]).flat_map(BTreeMap::keys).map(String::as_str)
    }
}
