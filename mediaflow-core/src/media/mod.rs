//! What flows between steps: what is decoded (a picture, frames, sound, pages), encoded files, and facts.
//!
//! A picture is in memory as a whole. Frames, sound and pages are pulled, by plain calls that block: see [`Frames`].
//!
//! Uses: codes, error, limits, wire.

mod audio;
mod blob;
mod bundle;
mod facts;
mod file;
mod format;
mod frames;
mod image;
mod info;
mod pages;
mod pixels;
mod policy;
mod stop;
mod xmp;

pub use audio::{Audio, AudioBlock, AudioReader, AudioSource, ChannelLayout, OpenAudio};
pub use blob::{Blob, ReadSeek, Scratch};
pub use bundle::Bundle;
pub use facts::Facts;
pub use file::{MediaFile, OnDamage};
pub use format::Format;
pub use frames::{Frame, FrameReader, FrameSource, Frames, Loops, OpenFrames};
pub use image::{Image, Metadata};
pub(crate) use info::seconds;
pub use info::{MediaInfo, Medium, StreamInfo, StreamKind};
pub use pages::{PageSource, Pages};
pub use pixels::{ColorSpace, Depth, Layout};
pub use policy::MetadataPolicy;
pub use stop::Stop;
pub use xmp::upright_xmp;

use crate::codes;
use crate::{Error, Result};

/// One input or result of a step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Media {
    /// One decoded picture, of any depth.
    Image(Image),
    /// Decoded pictures one after the other.
    Frames(Frames),
    /// Decoded sound.
    Audio(Audio),
    /// Pages that can be rendered.
    Pages(Pages),
    /// An encoded file: a source, or what an encoder made.
    File(MediaFile),
    /// Several files.
    Bundle(Bundle),
    /// What was found out.
    Facts(Facts),
}

impl Media {
    /// The decoded pixels of a picture, with 8 bits. Pixel work if they have more: for the CPU pool.
    ///
    /// # Errors
    /// `media.not_decoded` if this is an encoded file; `media.frames`, `media.audio`, `media.pages`, `media.bundle` or
    /// `media.facts` if it is something else.
    pub fn into_image(self) -> Result<Image> {
        match self {
            Self::Image(image) => Ok(image.to_8_bit()),
            other => Err(other.is_no("one picture")),
        }
    }

    /// The frames.
    ///
    /// # Errors
    /// `media.no_frames` if this is one picture; else as [`Media::into_image`].
    pub fn into_frames(self) -> Result<Frames> {
        match self {
            Self::Frames(frames) => Ok(frames),
            Self::Image(_) => {
                Err(Error::input(codes::MEDIA_NO_FRAMES, "frames are needed, not one picture")
                    .help("whatever reads the format decodes one picture of it only"))
            }
            other => Err(other.is_no("frames")),
        }
    }

    /// The sound.
    ///
    /// # Errors
    /// `media.no_audio` if this is a picture; else as [`Media::into_image`].
    pub fn into_audio(self) -> Result<Audio> {
        match self {
            Self::Audio(audio) => Ok(audio),
            Self::Image(_) => {
                Err(Error::input(codes::MEDIA_NO_AUDIO, "sound is needed, not a picture"))
            }
            other => Err(other.is_no("sound")),
        }
    }

    /// The pages.
    ///
    /// # Errors
    /// `media.no_pages` if this is a picture; else as [`Media::into_image`].
    pub fn into_pages(self) -> Result<Pages> {
        match self {
            Self::Pages(pages) => Ok(pages),
            Self::Image(_) => {
                Err(Error::input(codes::MEDIA_NO_PAGES, "pages are needed, not one picture"))
            }
            other => Err(other.is_no("pages")),
        }
    }

    /// The encoded file.
    ///
    /// # Errors
    /// `media.not_encoded` if this is decoded, `media.bundle` or `media.facts` if it is something else.
    pub fn into_file(self) -> Result<MediaFile> {
        match self {
            Self::File(file) => Ok(file),
            other @ (Self::Bundle(_) | Self::Facts(_)) => Err(other.is_no("one encoded file")),
            decoded => {
                let what = format!("an encoded file is needed, not {}", decoded.what());
                let error = Error::input(codes::MEDIA_NOT_ENCODED, what)
                    .help("end the output with an encoder, for instance `.jpeg(82)`");
                let MediaInfo { width, height, .. } = decoded.info();
                let size = format_args!("{width}x{height}");
                Err(if width == 0 { error } else { error.with("size", size) })
            }
        }
    }

    /// The facts.
    ///
    /// # Errors
    /// `media.no_facts` if this is something to see or hear.
    pub fn into_facts(self) -> Result<Facts> {
        match self {
            Self::Facts(facts) => Ok(facts),
            other => {
                let what = format!("facts are needed, not {}", other.what());
                Err(Error::input(codes::MEDIA_NO_FACTS, what)
                    .help("end the fact with a step that gives some"))
            }
        }
    }

    /// What is known of it without decoding: of what is decoded all, of a file its format and size.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        match self {
            Self::Image(image) => image.info(),
            Self::Frames(frames) => frames.info(),
            Self::Audio(audio) => audio.info(),
            Self::Pages(pages) => pages.info(),
            Self::File(file) => MediaInfo::new(file.format().clone()).with_bytes(file.blob().len()),
            Self::Bundle(_) => Bundle::info(Format::RAW),
            Self::Facts(_) => Facts::info(),
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Image(_) => "a decoded picture",
            Self::Frames(_) => "frames",
            Self::Audio(_) => "sound",
            Self::Pages(_) => "pages",
            Self::File(_) => "an encoded file",
            Self::Bundle(_) => "several files",
            Self::Facts(_) => "facts",
        }
    }

    /// The error of whoever needs something else.
    fn is_no(&self, needed: &str) -> Error {
        let what = format!("the step needs {needed}, not {}", self.what());
        match self {
            Self::Image(_) => Error::input(codes::MEDIA_IMAGE, what),
            Self::Frames(_) => Error::input(codes::MEDIA_FRAMES, what)
                .help("take a picture first, with `poster`, or let the step take frames"),
            Self::Audio(_) => Error::input(codes::MEDIA_AUDIO, what),
            Self::Pages(_) => Error::input(codes::MEDIA_PAGES, what),
            Self::File(file) => Error::input(codes::MEDIA_NOT_DECODED, what)
                .with("media", file.name())
                .help("put the step before the encoder"),
            Self::Bundle(_) => Error::input(codes::MEDIA_BUNDLE, what).help(
                "keep them at a place with a pattern, for instance `public/page-{page:03}.png`",
            ),
            Self::Facts(_) => Error::input(codes::MEDIA_FACTS, what)
                .help("keep facts in the report, with `fact()`"),
        }
    }
}

impl From<Frames> for Media {
    fn from(frames: Frames) -> Self {
        Self::Frames(frames)
    }
}

impl From<Audio> for Media {
    fn from(audio: Audio) -> Self {
        Self::Audio(audio)
    }
}

impl From<Pages> for Media {
    fn from(pages: Pages) -> Self {
        Self::Pages(pages)
    }
}

impl From<Bundle> for Media {
    fn from(bundle: Bundle) -> Self {
        Self::Bundle(bundle)
    }
}

impl From<Facts> for Media {
    fn from(facts: Facts) -> Self {
        Self::Facts(facts)
    }
}

impl From<Image> for Media {
    fn from(image: Image) -> Self {
        Self::Image(image)
    }
}

impl From<MediaFile> for Media {
    fn from(file: MediaFile) -> Self {
        Self::File(file)
    }
}
