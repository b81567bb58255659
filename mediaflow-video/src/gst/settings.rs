//! What is written, and how it is encoded.

use std::path::PathBuf;

use mediaflow_core::geometry::FitBox;

/// One file to write.
#[derive(Clone, Debug)]
pub(crate) struct Rendition {
    pub(crate) path: PathBuf,
    /// What the picture is put into, one after the other.
    pub(crate) boxes: Vec<FitBox>,
    pub(crate) fps: Option<f64>,
    pub(crate) video: H264,
    pub(crate) audio: Option<Aac>,
}

/// How H.264 is encoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct H264 {
    /// Constant rate factor, 0 to 51.
    pub(crate) crf: u8,
    /// x264's name.
    pub(crate) preset: &'static str,
    /// `baseline`, `main`, `high`.
    pub(crate) profile: &'static str,
    /// Frames from one key frame to the next at most; the encoder's choice without.
    pub(crate) gop: Option<u32>,
}

impl H264 {
    /// So many frames x264 looks ahead with its preset.
    pub(crate) fn look_ahead(&self) -> u64 {
        match self.preset {
            "ultrafast" | "superfast" => 0,
            "veryfast" => 10,
            "faster" => 20,
            "fast" => 30,
            "slow" => 50,
            "slower" | "veryslow" => 60,
            _ => 40,
        }
    }

    /// Whether frames are made of later ones.
    pub(crate) fn waits_for_later(&self) -> bool {
        self.preset != "ultrafast"
    }
}

/// How AAC is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aac {
    /// Bits per second.
    pub(crate) bitrate: u32,
}
