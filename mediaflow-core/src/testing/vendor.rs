use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use super::fake::FakeReader;
use super::soon;
use crate::backend::{Backend, Capability, Group, Plan};
use crate::media::{Blob, Format, MediaFile, MediaInfo, Medium};
use crate::operation::{Inputs, Operation, Outputs};
use crate::plan::{CostClass, Estimate, Explanation, Stage};
use crate::wait::{Ran, Update, Wait};
use crate::{Error, Registry, Result, RunContext};

/// The step that a [`FakeVendor`] claims: made elsewhere, in its own time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FakeEncode {
    /// What the vendor knows it by.
    pub name: String,
    /// How often the backend asks the vendor, in milliseconds. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<u64>,
    /// How long the vendor may take, in milliseconds.
    pub until: u64,
}

impl FakeEncode {
    /// A step that the vendor knows by this name. It may take an hour, and is not asked for.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), poll: None, until: 3_600_000 }
    }

    /// The backend asks the vendor this often.
    #[must_use]
    pub fn polled(self, every: Duration) -> Self {
        Self { poll: Some(millis(every)), ..self }
    }

    /// It may take so long.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { until: millis(time), ..self }
    }
}

impl Operation for FakeEncode {
    const KIND: &'static str = "fake.encode";

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(MediaInfo::still(Format::GIF, 1, 1))
    }
}

/// Somebody else's encoder, with a memory of its own: files in a folder, so that it outlives a process that uses it. As
/// real ones do, it begins work once for each idempotency key. Clones share.
#[derive(Clone)]
pub struct FakeVendor {
    folder: PathBuf,
    _own: Option<Arc<TempDir>>,
    answers: watch::Sender<bool>,
}

/// What a vendor was given to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VendorJob {
    /// The vendor's name for it, and the key of the wait.
    pub key: String,
    /// The name of the step.
    pub step: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    exits: Vec<String>,
    poll: Option<u64>,
}

impl FakeVendor {
    /// With a folder of its own, which goes with it.
    ///
    /// # Panics
    /// If the folder can not be made.
    #[must_use]
    pub fn new() -> Self {
        let own = tempfile::tempdir().expect("a folder for the vendor");
        let folder = own.path().to_owned();
        Self { folder, _own: Some(Arc::new(own)), answers: watch::Sender::new(true) }
    }

    /// With this folder, which other processes may use, too.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), _own: None, answers: watch::Sender::new(true) }
    }

    /// Registers the backend and its step: `.with(vendor.operations())`.
    pub fn operations(&self) -> impl FnOnce(&mut Registry) + use<> {
        let backend = self.clone();
        move |registry| {
            registry.word::<FakeEncode>().reader(FakeReader {}).backend(backend);
        }
    }

    /// Begins what it is given, and does not answer until [`FakeVendor::answer`].
    pub fn hold(&self) {
        self.answers.send_replace(false);
    }

    /// Answers again.
    pub fn answer(&self) {
        self.answers.send_replace(true);
    }

    /// What it has begun.
    ///
    /// # Panics
    /// If its folder can not be read.
    #[must_use]
    pub fn jobs(&self) -> Vec<VendorJob> {
        self.all("job").iter().map(|text| serde_json::from_str(text).expect("a job")).collect()
    }

    /// Waits until it has begun a step of this name.
    pub async fn begun(&self, step: &str) -> VendorJob {
        self.until(&format!("work at {step}"), |this| {
            this.jobs().into_iter().find(|job| job.step == step)
        })
        .await
    }

    /// Is done with something: whoever asks hears it.
    ///
    /// # Panics
    /// If its folder can not be written.
    pub fn finish(&self, job: &VendorJob) {
        self.write(&job.key, "done", "").expect("a vendor writes down what is done");
    }

    /// Waits until it was told to stop something.
    pub async fn stopped(&self, job: &VendorJob) {
        let path = self.path(&job.key, "stopped");
        self.until("end of the work elsewhere", |_| path.exists().then_some(())).await;
    }

    /// How often somebody went on with its work, with an update or without.
    #[must_use]
    pub fn asked(&self) -> usize {
        fs::read(self.folder.join("asked")).map_or(0, |asked| asked.len())
    }

    async fn until<T: Send>(
        &self,
        what: &str,
        look: impl Fn(&Self) -> Option<T> + Send + Sync,
    ) -> T {
        let looking = async {
            loop {
                if let Some(found) = look(self) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(what, looking).await
    }

    /// The content of all files with this ending.
    fn all(&self, ending: &str) -> Vec<String> {
        let files = fs::read_dir(&self.folder).expect("the vendor's folder");
        let files = files.flatten().map(|entry| entry.path());
        let mut found: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|found| found == ending))
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect();
        found.sort();
        found
    }

    fn path(&self, key: &str, ending: &str) -> PathBuf {
        let name = key.rsplit('/').next().unwrap_or(key);
        self.folder.join(format!("{name}.{ending}"))
    }

    /// Writes a file whole, unless it is there.
    fn write(&self, key: &str, ending: &str, text: &str) -> Result<()> {
        let wrong = |e| Error::transient("fake.vendor", "the vendor has no disk").because(e);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(wrong)?;
        file.write_all(text.as_bytes()).map_err(wrong)?;
        match file.persist_noclobber(self.path(key, ending)) {
            Err(e) if e.error.kind() != ErrorKind::AlreadyExists => Err(wrong(e.error)),
            _ => Ok(()),
        }
    }

    fn begin(&self, key: &str, step: &str) -> Result<()> {
        let job = VendorJob { key: key.to_owned(), step: step.to_owned() };
        self.write(key, "job", &json!(job).to_string())
    }

    fn note_asked(&self) {
        let asked =
            fs::OpenOptions::new().create(true).append(true).open(self.folder.join("asked"));
        let _ = asked.and_then(|mut asked| asked.write_all(b"."));
    }

    fn is_done(&self, key: &str) -> bool {
        Path::exists(&self.path(key, "done"))
    }

    /// Its answer comes when it comes, whatever becomes of who waits for it.
    async fn answers(&self) {
        let _ = self.answers.subscribe().wait_for(|answers| *answers).await;
    }
}

impl Default for FakeVendor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeVendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeVendor")
    }
}

#[async_trait]
impl Backend for FakeVendor {
    fn name(&self) -> &str {
        "vendor"
    }

    fn capability(&self) -> Capability {
        Capability::new([FakeEncode::KIND], [Medium::Still, Medium::File])
            .opening([Format::GIF])
            .waiting()
            .class(CostClass::Remote)
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        Ok(Box::new(Encoding { vendor: self.clone(), group: group.clone() }))
    }

    async fn resume(&self, wait: &Wait, update: Option<&Update>, cx: &RunContext) -> Result<Ran> {
        self.note_asked();
        let state: State = wait.state()?;
        let said = match update {
            Some(update) => update.data["state"]
                .as_str()
                .ok_or_else(|| Update::unreadable("`state` is no text"))?
                .to_owned(),
            None if self.is_done(&wait.key) => "done".to_owned(),
            None => "working".to_owned(),
        };
        match said.as_str() {
            "done" => {
                let made = |outputs: Outputs, exit: &String| {
                    let file =
                        MediaFile::new(exit, Format::GIF, Blob::bytes(super::fake::DOT.to_vec()));
                    outputs.and(exit, Ok(file.into()))
                };
                Ok(state.exits.iter().fold(Outputs::new(), made).into())
            }
            "working" => {
                let done = update.and_then(|update| f32::deserialize(&update.data["done"]).ok());
                let mut wait = wait.clone().progress(done.unwrap_or_default());
                wait.poll_at = state.poll.map(|poll| cx.now().plus(Duration::from_millis(poll)));
                Ok(Ran::Waiting(wait))
            }
            "failed" => Err(Error::input("vendor.failed", "the vendor could not do it")),
            "busy" => Err(Error::transient("vendor.busy", "the vendor is busy")),
            other => Err(Update::unreadable(format!("`{other}` is no state"))),
        }
    }

    async fn abandon(&self, wait: &Wait) -> Result<()> {
        self.write(&wait.key, "stopped", "")
    }
}

#[derive(Debug)]
struct Encoding {
    vendor: FakeVendor,
    group: Group,
}

#[async_trait]
impl Plan for Encoding {
    fn explain(&self) -> Explanation {
        let names = self.group.steps.iter().map(|step| step.name.clone());
        Explanation::new("vendor", self.estimate())
            .with_stage(Stage::new("encode", "elsewhere").with_steps(names))
    }

    fn estimate(&self) -> Estimate {
        Estimate { class: CostClass::Remote, ..Estimate::cpu(1) }
    }

    async fn run(self: Box<Self>, _inputs: Inputs, cx: &RunContext) -> Result<Ran> {
        let step = self.group.steps.iter().find_map(|step| step.op.downcast_ref::<FakeEncode>());
        let step = step.ok_or_else(|| Error::internal("fake.encode", "the vendor has no step"))?;
        let key = format!("vendor/{}", cx.idempotency_key());
        self.vendor.begin(&key, &step.name)?;
        self.vendor.answers().await;
        let after = |millis| cx.now().plus(Duration::from_millis(millis));
        let state = State { exits: self.group.exits.clone(), poll: step.poll };
        let mut wait = Wait::new(key, after(step.until)).with_state(1, &state)?;
        wait.poll_at = step.poll.map(after);
        Ok(Ran::Waiting(wait))
    }
}

/// What the vendor says when it is done, for [`Mediaflow::signal`](crate::Mediaflow::signal).
#[must_use]
pub fn vendor_done() -> Value {
    json!({ "state": "done" })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
