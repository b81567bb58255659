use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize as _;

use super::digest::hex;
use super::{JobSpec, Pipeline, Place, Source};

/// What a process must know to run a job: its kind, its operations, and the storages and channels of its host by name.
///
/// It is read from the spec alone, so that an engine can store its text beside the job and ask it before it hands the
/// job out, also in a process that knows none of it. The text is canonical: one entry each, in order, with a space
/// between them.
///
/// ```
/// use mediaflow_core::spec::{JobOptions, JobSpec, Needs, Pipeline};
///
/// let copy = Pipeline::from("uploads/cat.jpg").output("public/cat.jpg", |photo| photo).build()?;
/// let options = JobOptions::new().notify("webhook", "https://example.com/hook");
/// let needs = JobSpec::new(&copy)?.with_options(options).needs();
/// assert_eq!(needs.to_string(), "channel:webhook job:pipeline@1 storage:public storage:uploads");
/// assert_eq!(needs.to_string().parse(), Ok(needs));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs(BTreeSet<String>);

/// One thing that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need<'a> {
    /// A job of this kind, in this version or a newer one.
    Job(&'a str, u32),
    /// An operation of this kind, in this version or a newer one.
    Operation(&'a str, u32),
    /// A storage of this name.
    Storage(&'a str),
    /// A notifier of this name.
    Channel(&'a str),
    /// How engines of a newer version go on with jobs.
    Feature(&'a str),
    /// Something that is said of an output beside its step, in this version or a newer one.
    Output(&'a str, u32),
    /// Something that only a newer version can have written.
    Unknown,
}

impl Needs {
    /// The text of each.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// A short name for exactly these.
    #[must_use]
    pub fn digest(&self) -> String {
        use sha2::Digest as _;
        hex(&sha2::Sha256::digest(self.to_string())[..16])
    }

    /// The same of a job of which some waits: only who knows of that can go on with it.
    #[must_use]
    pub fn waiting(mut self) -> Self {
        self.add("feature", Self::WAIT);
        self.add("feature", Self::UPRIGHT);
        self
    }

    /// The name of what it takes to go on after a wait.
    const WAIT: &str = "wait";
    /// Of what it takes to read sizes as they are seen, which is how a job that waits has written them.
    const UPRIGHT: &str = "upright";
    /// Of what it takes to run after other jobs.
    const AFTER: &str = "after";
    /// Of what it takes to keep tenants apart.
    const TENANT: &str = "tenant";

    /// Of what it takes to have many sources under one name.
    const SETS: &str = "sets";
    /// Of what it takes to accept damaged sources.
    const ON_DAMAGE: &str = "on_damage";
    /// Of what it takes to refuse sources by rules.
    const ACCEPT: &str = "accept";

    /// What this version can do with jobs.
    pub(crate) const FEATURES: [&str; 7] = [
        Self::WAIT,
        Self::UPRIGHT,
        Self::AFTER,
        Self::TENANT,
        Self::SETS,
        Self::ON_DAMAGE,
        Self::ACCEPT,
    ];

    pub(crate) fn each(&self) -> impl Iterator<Item = Need<'_>> {
        self.iter().map(Need::read)
    }

    pub(crate) fn add(&mut self, class: &str, name: impl fmt::Display) {
        // A name can have any characters; those that would end an entry are written as `%20` and so on.
        let mut entry = format!("{class}:");
        for c in name.to_string().chars() {
            if c.is_whitespace() || c.is_control() || c == '%' {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    entry.push_str(&format!("%{byte:02x}"));
                }
            } else {
                entry.push(c);
            }
        }
        self.0.insert(entry);
    }
}

impl<'a> Need<'a> {
    fn read(entry: &'a str) -> Self {
        let versioned = |name: &'a str| {
            let (kind, version) = name.split_once('@').unwrap_or((name, "1"));
            version.parse().ok().map(|version| (kind, version))
        };
        match entry.split_once(':') {
            Some(("job", name)) => versioned(name).map(|(kind, v)| Self::Job(kind, v)),
            Some(("op", name)) => versioned(name).map(|(kind, v)| Self::Operation(kind, v)),
            Some(("storage", name)) => Some(Self::Storage(name)),
            Some(("channel", name)) => Some(Self::Channel(name)),
            Some(("feature", name)) => Some(Self::Feature(name)),
            Some(("output", name)) => versioned(name).map(|(what, v)| Self::Output(what, v)),
            _ => None,
        }
        .unwrap_or(Self::Unknown)
    }
}

impl JobSpec {
    /// The kinds of the operations that it requires, as far as is said there.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        let needed = self.requires.iter().map(|entry| match entry.split_once(':') {
            Some(_) => Need::read(entry),
            None => {
                entry.split_once('@').map_or(Need::Unknown, |(kind, _)| Need::Operation(kind, 1))
            }
        });
        needed.filter_map(|need| match need {
            Need::Operation(kind, _) => Some(kind),
            _ => None,
        })
    }

    /// What a process must know to run this. Of a custom job this is what its [`requires`](crate::Job::requires) says,
    /// beside its kind and the channels to tell: its storages are known when it has planned.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        needs.add("job", format_args!("{}@{}", self.kind, self.v));
        for entry in &self.requires {
            // A custom job can name anything as `class:name`; without a class it is an operation.
            let (class, name) = entry.split_once(':').unwrap_or(("op", entry));
            needs.add(class, name);
        }
        for target in &self.options.notify {
            needs.add("channel", &target.channel);
        }
        if !self.predecessors().is_empty() {
            needs.add("feature", Needs::AFTER);
        }
        if self.options.tenant.is_some() {
            needs.add("feature", Needs::TENANT);
        }
        if self.kind == Pipeline::WIRE
            && let Ok(pipeline) = Pipeline::deserialize(&self.with)
        {
            for step in pipeline.steps.values() {
                needs.add("op", format_args!("{}@{}", step.op, step.v));
            }
            for (_, source) in pipeline.sources() {
                if let Source::Key(place) | Source::Output { output: place, .. } = source {
                    needs.add_storage(place);
                }
            }
            if !pipeline.sets.is_empty() {
                needs.add("feature", Needs::SETS);
            }
            if !pipeline.on_damage.is_refuse() {
                needs.add("feature", Needs::ON_DAMAGE);
            }
            if !pipeline.accept.is_empty() {
                needs.add("feature", Needs::ACCEPT);
            }
            pipeline.outputs.keys().for_each(|place| needs.add_storage(place));
            if pipeline.outputs.values().any(|output| !output.is_plain()) {
                needs.add("output", "put@1");
            }
            if pipeline
                .outputs
                .keys()
                .any(|place| place.parse().is_ok_and(|place: Place| place.is_pattern()))
            {
                needs.add("output", "pattern@1");
            }
            if pipeline.source.is_none() {
                needs.add("output", "sourceless@1");
            }
            if !pipeline.facts.is_empty() {
                needs.add("output", "facts@1");
            }
        }
        needs
    }
}

impl Needs {
    /// That of a place. What is no place has no storage; the check of the spec refuses it.
    fn add_storage(&mut self, place: &str) {
        if let Ok(place) = place.parse::<Place>() {
            self.add("storage", place.storage);
        }
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{entry}")?;
        }
        Ok(())
    }
}

impl FromStr for Needs {
    type Err = std::convert::Infallible;

    /// Reads any text: what this version does not understand is kept, and known by nobody here.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.split_whitespace().map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::JobOptions;

    fn spec(kind: &str, requires: &[&str], with: &serde_json::Value) -> JobSpec {
        serde_json::from_value(
            json!({ "schema": "mediaflow.job/1", "kind": kind, "v": 2, "requires": requires, "with": with }),
        )
        .unwrap()
    }

    #[test]
    fn a_pipeline_needs_its_operations_storages_and_channels() {
        let with = json!({
            "source": "uploads/a.jpg",
            "inputs": { "logo": "brand/logo.png", "other": "https://example.com/x.png" },
            "steps": { "small": { "op": "image.resize", "v": 3, "from": ["source"] } },
            "outputs": { "public/a.jpg": { "from": "small" }, "archive/a.jpg": { "from": "source" } },
        });
        let options =
            JobOptions::new().notify("webhook", "https://a/").notify("webhook", "https://b/");
        // Whatever `requires` says: a spec may come from outside.
        let needs = spec("pipeline", &[], &with).with_options(options).needs();
        assert_eq!(
            needs.to_string(),
            "channel:webhook job:pipeline@2 op:image.resize@3 storage:archive storage:brand storage:public storage:uploads"
        );
    }

    #[test]
    fn a_custom_job_needs_what_it_says() {
        let needs =
            spec("acme.archive", &["image.jpeg@2", "storage:cold", "gpu:cuda@12"], &json!({}))
                .needs();
        assert_eq!(
            needs.to_string(),
            "gpu:cuda@12 job:acme.archive@2 op:image.jpeg@2 storage:cold"
        );
        let read: Vec<_> = needs.each().collect();
        assert_eq!(
            read,
            [
                Need::Unknown,
                Need::Job("acme.archive", 2),
                Need::Operation("image.jpeg", 2),
                Need::Storage("cold")
            ]
        );
    }

    #[test]
    fn what_is_stored_with_an_output_is_a_need() {
        let with = json!({
            "source": "uploads/a.jpg",
            "outputs": { "public/a.jpg": { "from": "source", "precondition": "if_none_match" } },
        });
        let needs = spec("pipeline", &[], &with).needs();
        assert_eq!(needs.to_string(), "job:pipeline@2 output:put@1 storage:public storage:uploads");
        assert!(needs.each().any(|need| need == Need::Output("put", 1)));
    }

    #[test]
    fn damaged_sources_are_accepted_by_who_knows_of_that() {
        let with = |on_damage: &str| {
            json!({
                "source": "uploads/a.jpg",
                "on_damage": on_damage,
                "outputs": { "public/a.jpg": { "from": "source" } },
            })
        };
        let needs = |on_damage: &str| spec("pipeline", &[], &with(on_damage)).needs().to_string();
        assert!(needs("accept").contains("feature:on_damage"));
        assert!(!needs("refuse").contains("feature:"));
    }

    #[test]
    fn rules_for_sources_are_kept_by_who_knows_of_them() {
        let with = json!({
            "source": "uploads/a.jpg",
            "accept": { "source": { "bytes": { "max": 9 } } },
            "outputs": { "public/a.jpg": { "from": "source" } },
        });
        assert!(spec("pipeline", &[], &with).needs().to_string().contains("feature:accept"));
    }

    #[test]
    fn no_name_can_pass_for_two() {
        let options = JobOptions::new().notify("a storage:b%", "x");
        let needs = spec("acme.archive", &[], &json!({})).with_options(options).needs();
        assert_eq!(needs.to_string(), "channel:a%20storage:b%25 job:acme.archive@2");
        assert_eq!(needs.to_string().parse(), Ok(needs));
    }

    #[test]
    fn a_version_that_is_none_is_unknown() {
        let needs: Needs = "op:image.jpeg@x word job:a@1".parse().unwrap();
        let read: Vec<_> = needs.each().collect();
        assert_eq!(read, [Need::Job("a", 1), Need::Unknown, Need::Unknown]);
    }
}
