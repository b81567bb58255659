//! What one job may cost. Every limit is on by default.

use crate::codes;
use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds on input, work and time. Each error that a limit causes names the field to change.
///
/// They are the host's, and ceilings: a spec can ask for less, never for more. They serialise, for a child process that does
/// some of the work: times are written as `15s`, what is left out has its default.
///
/// ```
/// use mediaflow_core::Limits;
///
/// let limits = Limits { pixels: 50_000_000, ..Limits::default() };
/// assert!(limits.check_pixels(30_000, 30_000, 1).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as a literal over `Limits::default()`"
)]
pub struct Limits {
    /// Bytes of the facts of one job, as JSON. Default 256 KiB.
    pub fact_bytes: usize,
    /// Bytes of one source. Default 2 GiB.
    pub input_bytes: u64,
    /// Bytes of all sources of a job together. Default 8 GiB.
    pub job_input_bytes: u64,
    /// Bytes of a source that is decoded in memory (an image). Default 256 MiB.
    pub image_bytes: u64,
    /// Bytes of the sources that are written into the spec itself, together. Default 8 MiB.
    pub inline_bytes: u64,
    /// Width x height x frames of a source. Default 268,402,689 (16,383 squared).
    pub pixels: u64,
    /// Width or height of a result. Default 16,383.
    pub side: u32,
    /// Frames of an animation. Default 2,000.
    pub frames: u64,
    /// Bytes of metadata in a source (EXIF, XMP, ICC), after decompression. Default 16 MiB.
    pub metadata_bytes: u64,
    /// Scans of a progressive JPEG. Default 100.
    pub scans: u32,
    /// Length of a video or audio source. Default 6 hours.
    #[serde(with = "duration")]
    pub duration: Duration,
    /// Time for probing one source. Default 15 s.
    #[serde(with = "duration")]
    pub probe_time: Duration,
    /// Time in which a running step neither makes progress nor looks whether it is to stop, as [`RunContext::check`] does,
    /// before it counts as stuck and is stopped. Waiting for memory or a core is not in it. Default 60 s.
    ///
    /// [`RunContext::check`]: crate::RunContext::check
    #[serde(with = "duration")]
    pub stall_time: Duration,
    /// Time for publishing one output, and for revoking what earlier attempts have staged. Default 10 minutes.
    #[serde(with = "duration")]
    pub publish_time: Duration,
    /// Time for one attempt of a job; its spec can ask for less. Default 1 hour.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// Sources of one job. Default 1,000.
    pub inputs: usize,
    /// Keys that are looked at for one pattern of sources: all that begin as it does. Default 10,000.
    pub listed: usize,
    /// Sources of one job that are fetched at the same time. Default 8.
    pub fetches: usize,
    /// Steps of one job. Default 1,000.
    pub steps: usize,
    /// Outputs of one job. Default 500.
    pub outputs: usize,
    /// Bytes of a job's parameters, as JSON. Default 16 MiB.
    pub spec_bytes: usize,
    /// The highest priority that a job can ask for. Default 1,000.
    pub priority: i16,
    /// Bytes per second that a source by URL has to bring on average, over each time in which it could also have stalled;
    /// 0 for any. Default 1,024.
    pub source_rate: u64,
    /// Bytes of an idempotency key, a tenant, an owner, a tag, the name of a channel. Default 255.
    pub option_bytes: usize,
    /// Bytes of an address to notify. Default 4,096.
    pub address_bytes: usize,
    /// Tags of one job. Default 64.
    pub tags: usize,
    /// Jobs that one job comes after. Default 64.
    pub after: usize,
    /// Targets to notify of one job. Default 32.
    pub notify_targets: usize,
    /// Bytes of the metadata that a host gives with a job, as JSON. Default 64 KiB.
    pub option_metadata_bytes: usize,
    /// Jobs submitted together. Default 10,000.
    pub batch_jobs: usize,
    /// Bytes of the state that a backend keeps of work that goes on elsewhere, as JSON. Default 16 KiB.
    pub wait_bytes: usize,
    /// Bytes of an update about work that goes on elsewhere, as JSON. Default 256 KiB.
    pub update_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 2 << 30,
            job_input_bytes: 8 << 30,
            image_bytes: 256 << 20,
            inline_bytes: 8 << 20,
            pixels: 16_383 * 16_383,
            side: 16_383,
            frames: 2_000,
            metadata_bytes: 16 << 20,
            scans: 100,
            duration: Duration::from_secs(6 * 3600),
            probe_time: Duration::from_secs(15),
            stall_time: Duration::from_secs(60),
            publish_time: Duration::from_secs(600),
            deadline: Duration::from_secs(3600),
            inputs: 1_000,
            listed: 10_000,
            fetches: 8,
            steps: 1_000,
            outputs: 500,
            spec_bytes: 16 << 20,
            priority: 1_000,
            source_rate: 1_024,
            option_bytes: 255,
            address_bytes: 4_096,
            tags: 64,
            after: 64,
            notify_targets: 32,
            option_metadata_bytes: 64 << 10,
            batch_jobs: 10_000,
            fact_bytes: 256 << 10,
            wait_bytes: 16 << 10,
            update_bytes: 256 << 10,
        }
    }
}

impl Limits {
    /// Counts width x height x frames against [`Limits::pixels`] and frames against [`Limits::frames`].
    ///
    /// # Errors
    /// `limit.pixels` or `limit.frames`, naming the number found and the number allowed.
    pub fn check_pixels(&self, width: u32, height: u32, frames: u64) -> crate::Result<()> {
        if frames > self.frames {
            return Err(over(codes::LIMIT_FRAMES, "frames", frames, self.frames));
        }
        let pixels =
            u64::from(width).saturating_mul(u64::from(height)).saturating_mul(frames.max(1));
        if pixels > self.pixels {
            return Err(over(codes::LIMIT_PIXELS, "pixels", pixels, self.pixels)
                .with("size", format_args!("{width}x{height}")));
        }
        Ok(())
    }

    /// Counts bytes of embedded metadata against [`Limits::metadata_bytes`].
    ///
    /// # Errors
    /// `limit.metadata_bytes`.
    pub fn check_metadata(&self, bytes: u64) -> crate::Result<()> {
        if bytes > self.metadata_bytes {
            return Err(over(
                codes::LIMIT_METADATA_BYTES,
                "metadata_bytes",
                bytes,
                self.metadata_bytes,
            ));
        }
        Ok(())
    }
}

/// The error of a limit that was passed: names the field of [`Limits`], what was found and what is allowed.
pub(crate) fn over(
    code: &'static str,
    field: &'static str,
    found: u64,
    allowed: u64,
) -> crate::Error {
    crate::Error::limit(code, format!("{found} {field} are more than the limit of {allowed}"))
        .with("limit", field)
        .help(format!("send less, or raise `Limits::{field}`"))
}

/// The same where what was found is no number of things: a time, a rank.
pub(crate) fn beyond(
    code: &'static str,
    field: &'static str,
    found: impl fmt::Display,
    allowed: impl fmt::Display,
) -> crate::Error {
    crate::Error::limit(code, format!("a {field} of {found} is more than the limit of {allowed}"))
        .with("limit", field)
        .help(format!("ask for less, or raise `Limits::{field}`"))
}

/// The bytes of a value's JSON form, counted without writing it.
pub(crate) fn json_length(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither the writer nor JSON values with text for names can fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Compares a count with its limit: see [`over`].
pub(crate) fn at_most(
    code: &'static str,
    field: &'static str,
    found: usize,
    allowed: usize,
) -> crate::Result<()> {
    if found > allowed { Err(over(code, field, found as u64, allowed as u64)) } else { Ok(()) }
}

mod duration {
    //! A duration as people write it: `90s`, `1h 30m`.
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_come_back_from_json_as_they_were() {
        let limits =
            Limits { pixels: 7, probe_time: Duration::from_millis(1500), ..Limits::default() };
        let json = serde_json::to_value(&limits).unwrap();
        assert_eq!(json["probe_time"], "1s 500ms");
        assert_eq!(serde_json::from_value::<Limits>(json).unwrap(), limits);
        serde_json::from_str::<Limits>("{\"pixel\": 7}").unwrap_err();
    }
}
