//! What one job may cost. Every limit is on by default.

use std::time::Duration;

/// Bounds on input, work and time. Each error that a limit causes names the field to change.
///
/// ```
/// use mediaflow_core::Limits;
///
/// let limits = Limits { pixels: 50_000_000, ..Limits::default() };
/// assert!(limits.check_pixels(30_000, 30_000, 1).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as a literal over `Limits::default()`"
)]
pub struct Limits {
    /// Bytes of one source. Default 2 GiB.
    pub input_bytes: u64,
    /// Bytes of a source that is decoded in memory (an image). Default 256 MiB.
    pub image_bytes: u64,
    /// Bytes of a source that is written into the spec itself. Default 8 MiB.
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
    pub duration: Duration,
    /// Time for probing one source. Default 15 s.
    pub probe_time: Duration,
    /// Time without any progress before a running step counts as stuck. Default 60 s.
    pub stall_time: Duration,
    /// Time for one attempt of a job whose spec gives no deadline. Default 1 hour.
    pub deadline: Duration,
    /// Steps of one job. Default 1,000.
    pub steps: usize,
    /// Outputs of one job. Default 500.
    pub outputs: usize,
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
            deadline: Duration::from_secs(3600),
            steps: 1_000,
            outputs: 500,
            source_rate: 1_024,
            option_bytes: 255,
            address_bytes: 4_096,
            tags: 64,
            after: 64,
            notify_targets: 32,
            option_metadata_bytes: 64 << 10,
            batch_jobs: 10_000,
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
            return Err(over("limit.frames", "frames", frames, self.frames));
        }
        let pixels =
            u64::from(width).saturating_mul(u64::from(height)).saturating_mul(frames.max(1));
        if pixels > self.pixels {
            return Err(over("limit.pixels", "pixels", pixels, self.pixels)
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
            return Err(over("limit.metadata_bytes", "metadata_bytes", bytes, self.metadata_bytes));
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

/// Compares a count with its limit: see [`over`].
pub(crate) fn at_most(
    code: &'static str,
    field: &'static str,
    found: usize,
    allowed: usize,
) -> crate::Result<()> {
    if found > allowed { Err(over(code, field, found as u64, allowed as u64)) } else { Ok(()) }
}
