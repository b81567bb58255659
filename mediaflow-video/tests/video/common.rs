//! The clip, variants of it, a context to run in, and what `ffprobe` says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use mediaflow_core::backend::{Backend, Group};
use mediaflow_core::media::{Blob, Format, Media, MediaFile, MediaInfo, OnDamage, Scratch};
use mediaflow_core::plan::{Demand, Explanation};
use mediaflow_core::{
    AnyOperation, CancellationToken, CpuPool, Inputs, Limits, Operation, Outputs, Reader as _,
    Registry, Result, RunContext,
};
use mediaflow_video::{VideoBackend, VideoReader};
use serde_json::Value;
use tempfile::TempDir;

/// 5.31 s: 132 frames of 1280x720 at 25/s, 5.1 sound.
pub(crate) fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/media/bunny.mp4")
}

/// A folder for one test, and everything that a plan needs to run in it.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) limits: Limits,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: Arc<Mutex<Vec<f32>>>,
    pub(crate) cancel_at: f32,
    pub(crate) on_damage: OnDamage,
}

/// Steps as a list: name, operation, where it takes from.
pub(crate) type Steps<'a> = Vec<(&'a str, AnyOperation, &'a str)>;

pub(crate) fn step<'a>(
    name: &'a str,
    op: impl Operation,
    from: &'a str,
) -> (&'a str, AnyOperation, &'a str) {
    (name, AnyOperation::new(op), from)
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            limits: Limits::default(),
            cancel: CancellationToken::new(),
            progress: Arc::default(),
            cancel_at: f32::INFINITY,
            on_damage: OnDamage::Refuse,
        }
    }

    pub(crate) fn cx(&self) -> RunContext {
        let (cancel, cancel_at, seen) =
            (self.cancel.clone(), self.cancel_at, Arc::clone(&self.progress));
        RunContext::builder(CpuPool::new(2), Scratch::in_folder(self.folder.path()))
            .limits(self.limits.clone())
            .cancellation(self.cancel.clone())
            .on_progress(move |done| {
                seen.lock().unwrap().push(done);
                if done >= cancel_at {
                    cancel.cancel();
                }
            })
            .build(None)
    }

    pub(crate) fn left_behind(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) async fn probe(&self, path: &Path) -> Result<MediaInfo> {
        let file = file(path)?.with_on_damage(self.on_damage);
        VideoReader::new().probe(&file, &self.cx()).await
    }

    pub(crate) async fn group(
        &self,
        path: &Path,
        steps: Steps<'_>,
        exits: &[&str],
    ) -> Result<Group> {
        let info = self.probe(path).await?;
        let mut group = Group::new(self.limits.clone()).with_input("source", info, Demand::FULL);
        for (name, op, from) in steps {
            group = group.with_step(name, op, &[from])?;
        }
        Ok(exits.iter().fold(group, |group, exit| group.with_exit(*exit)))
    }

    pub(crate) async fn explain(
        &self,
        path: &Path,
        steps: Steps<'_>,
        exits: &[&str],
    ) -> Result<Explanation> {
        Ok(VideoBackend::new().plan(&self.group(path, steps, exits).await?)?.explain())
    }

    /// Plans and runs; the results by exit, each verified against what was planned.
    pub(crate) async fn run(
        &self,
        path: &Path,
        steps: Steps<'_>,
        exits: &[&str],
    ) -> Result<(BTreeMap<String, Media>, RunContext)> {
        let (backend, cx) = (VideoBackend::new(), self.cx());
        let group = self.group(path, steps, exits).await?;
        let inputs = Inputs::new().and("source", file(path)?.with_on_damage(self.on_damage));
        let mut outputs: Outputs = backend.plan(&group)?.run(inputs, &cx).await?.into_outputs()?;
        let mut results = BTreeMap::new();
        for exit in exits {
            let media = outputs.take(exit)?;
            if let Media::File(file) = &media {
                VideoReader::new().verify(file, &group.step(exit).unwrap().output, &cx).await?;
            }
            results.insert((*exit).to_owned(), media);
        }
        Ok((results, cx))
    }
}

pub(crate) fn file(path: &Path) -> Result<MediaFile> {
    let mut registry = Registry::new();
    mediaflow_video::operations(&mut registry);
    let blob = Blob::file(path)?;
    let head = blob.head(Format::SNIFF_BYTES)?;
    let name = path.file_name().unwrap().to_string_lossy();
    match registry.sniff(&head) {
        Some(format) if !blob.is_empty() => Ok(MediaFile::new(name, format, blob)),
        _ => MediaFile::sniff(name, blob),
    }
}

pub(crate) fn path_of(media: &Media) -> &Path {
    let Media::File(file) = media else { panic!("{media:?} is no file") };
    file.blob().path().unwrap()
}

/// Writes a variant of the clip with `ffmpeg`.
pub(crate) fn variant(bench: &Bench, name: &str, arguments: &[&str]) -> PathBuf {
    let path = bench.folder.path().join(name);
    let clip = clip();
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&clip)
        .args(arguments)
        .arg(&path)
        .status()
        .expect("ffmpeg is installed by `make test`");
    assert!(made.success());
    path
}

/// What `ffprobe` says of a file, with its frames counted.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) video: Value,
    pub(crate) audio: Option<Value>,
    pub(crate) seconds: f64,
}

impl Seen {
    pub(crate) fn of(path: &Path) -> Self {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json"])
            .arg(path)
            .output()
            .expect("ffprobe is installed by `make test`");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "ffprobe complains");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let stream = |kind: &str| {
            json["streams"].as_array().unwrap().iter().find(|s| s["codec_type"] == kind).cloned()
        };
        Self {
            video: stream("video").unwrap(),
            audio: stream("audio"),
            seconds: json["format"]["duration"].as_str().unwrap().parse().unwrap(),
        }
    }

    pub(crate) fn size(&self) -> (u64, u64) {
        (self.video["width"].as_u64().unwrap(), self.video["height"].as_u64().unwrap())
    }

    pub(crate) fn frames(&self) -> u64 {
        self.video["nb_read_frames"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn start(stream: &Value) -> f64 {
        stream["start_time"].as_str().unwrap().parse().unwrap()
    }
}
