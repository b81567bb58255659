//! Small real work that leaves traces: who did it, how often, and whether a result is whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mediaflow_core::media::{Blob, Format, MediaFile};
use mediaflow_core::spec::{JobSpec, Pipeline};
use mediaflow_core::testing::dot;
use mediaflow_core::{
    Error, Inputs, OpContext, Operation, Outputs, Result, Run, Takes, async_trait,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::child;

/// A step that takes some time and makes a picture which tells its maker. Two workers never make the same bytes, so
/// that the result of one can not be taken for that of the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Toil {
    pub(super) name: String,
    /// Where it notes that it ran.
    pub(super) folder: PathBuf,
    pub(super) millis: u64,
    pub(super) bytes: usize,
    pub(super) fails: Fails,
    /// The worker of this stamp is stopped here, as by `SIGSTOP`.
    pub(super) stops: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fails {
    Never,
    Once,
    Always,
}

impl Toil {
    pub(super) fn new(folder: &Path, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            folder: folder.to_owned(),
            millis: 3,
            bytes: 30_000,
            fails: Fails::Never,
            stops: None,
        }
    }

    /// A job of this work, with so many outputs: `out/{name}/{number}.gif`.
    pub(super) fn job(&self, outputs: usize) -> JobSpec {
        let mut pipeline = Pipeline::from(dot());
        for number in 0..outputs {
            let step = Self { name: format!("{}/{number}", self.name), ..self.clone() };
            let place = format!("out/{}/{number}.gif", self.name);
            pipeline = pipeline.output(place, |source| source.then(step));
        }
        JobSpec::new(&pipeline.build().unwrap()).unwrap()
    }

    fn note(&self) -> std::io::Result<()> {
        let mut runs =
            std::fs::File::options().append(true).create(true).open(self.folder.join("runs"))?;
        // One write: lines of several processes do not mix.
        runs.write_all(format!("{} {}\n", self.name, child::stamp()).as_bytes())
    }

    fn first_time(&self) -> bool {
        let mark = self.folder.join(format!("mark-{}", self.name.replace('/', "-")));
        std::fs::File::create_new(mark).is_ok()
    }
}

impl Operation for Toil {
    const KIND: &'static str = "fault.toil";
}

#[async_trait]
impl Run for Toil {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, _inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        self.note().map_err(|e| Error::internal("fault.note", "no note").because(e))?;
        child::stop_if(self.stops.as_deref());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(self.millis)) => {}
            error = cx.stopped() => return Err(error),
        }
        match self.fails {
            Fails::Once if self.first_time() => {
                Err(Error::transient("fault.once", "the first attempt fails"))
            }
            Fails::Always => Err(Error::input("fault.always", "no attempt helps")),
            Fails::Never | Fails::Once => {
                let blob = Blob::bytes(picture(&self.name, self.bytes));
                Ok(Outputs::one(MediaFile::new(&self.name, Format::GIF, blob)))
            }
        }
    }
}

/// A batch that takes more than one transaction.
pub(super) fn large(folder: &Path, name: &str) -> Vec<JobSpec> {
    let job = |number| Toil { bytes: 100, ..Toil::new(folder, format!("{name}-{number}")) }.job(1);
    (0..150).map(job).collect()
}

/// A job that copies, as many others do: its result is reused.
pub(super) fn copy(name: &str) -> JobSpec {
    let place = format!("out/{name}/0.gif");
    let pipeline = Pipeline::from(dot()).output(place, |source| source).build().unwrap();
    JobSpec::new(&pipeline).unwrap()
}

const HEAD: &[u8] = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";

/// Head, who made it, noise, and a checksum over all that: half of it is never whole.
fn picture(name: &str, bytes: usize) -> Vec<u8> {
    let mut picture = HEAD.to_vec();
    picture.extend_from_slice(format!("{name} {}\n", child::stamp()).as_bytes());
    let mut random = fastrand::Rng::with_seed(picture.iter().map(|b| u64::from(*b)).sum());
    picture.extend(std::iter::repeat_with(|| random.u8(..)).take(bytes));
    let sum = Sha256::digest(&picture);
    picture.extend_from_slice(&sum);
    picture
}

/// Whether a result is as it was made.
pub(super) fn is_whole(found: &[u8]) -> bool {
    found == HEAD
        || found
            .split_last_chunk::<32>()
            .is_some_and(|(picture, sum)| Sha256::digest(picture).as_slice() == sum)
}

/// Who made it.
pub(super) fn maker(found: &[u8]) -> Option<String> {
    let line = found.strip_prefix(HEAD)?.split(|b| *b == b'\n').next()?;
    String::from_utf8_lossy(line).rsplit(' ').next().map(str::to_owned)
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How often each step ran, in whatever process.
pub(super) fn runs(folder: &Path) -> Vec<(String, String)> {
    let noted = std::fs::read_to_string(folder.join("runs")).unwrap_or_default();
    let pair = |line: &str| line.split_once(' ').map(|(name, by)| (name.to_owned(), by.to_owned()));
    noted.lines().filter_map(pair).collect()
}
