//! A file before it is opened: what its boxes say, and how it is shown to a demuxer.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mediaflow_core::Result;

use super::overlay::Overlay;
use super::place::Kind;
use crate::container::Told;
use crate::isobmff::timeline::Timeline;
use crate::isobmff::{self, Structure, Track};
use crate::mpegts::{self, Transport};
use crate::{container, error};

/// Tracks of one kind that are tried, one after the other.
const TRIED: usize = 8;

/// A file, and what its boxes say of it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    pub(crate) structure: Option<Arc<Structure>>,
    pub(crate) transport: Option<Arc<Transport>>,
    /// How long its container says that it is, where that is exact.
    pub(crate) told: Told,
}

/// One way to show a file to a demuxer.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// What a demuxer is shown in place of bytes of the file.
    pub(super) overlay: Overlay,
    pub(super) timeline: Arc<Timeline>,
    /// The number of the track in the index.
    pub(super) track: Option<usize>,
}

impl Origin {
    /// Looks at the boxes.
    ///
    /// # Errors
    /// `video.no_moov`, `video.malformed`, `video.io`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let structure = isobmff::inspect(&mut File::open(path).map_err(error::io)?)?;
        Self::new(path, structure)
    }

    /// A file whose boxes are known, or that has none.
    ///
    /// # Errors
    /// `video.io`.
    pub(crate) fn new(path: &Path, structure: Option<Structure>) -> Result<Self> {
        let mut file = File::open(path).map_err(error::io)?;
        let transport = match structure {
            Some(_) => None,
            None => mpegts::inspect(&mut file).map_err(error::io)?.map(Arc::new),
        };
        let told = container::matroska_length(&mut file).map_err(error::io)?;
        let (path, structure) = (path.to_owned(), structure.map(Arc::new));
        Ok(Self { path, structure, transport, told })
    }

    /// The ways in which a stream of this kind may be found, the best first. A film in boxes is shown one track at a time, as
    /// if it had no other and no edit list: what demuxers make of these is not always what they say.
    pub(super) fn views(&self, kind: Kind) -> Vec<View> {
        // Of an index without tracks, which is compressed or strange, the demuxer may know more.
        let known = self.structure.as_ref().filter(|structure| !structure.tracks.is_empty());
        let Some(structure) = known else {
            return vec![View { overlay: self.overlay(Vec::new()), ..View::default() }];
        };
        let handler = match kind {
            Kind::Video => *b"vide",
            Kind::Audio => *b"soun",
        };
        let view = |track: usize| View {
            overlay: self.overlay(structure.hidden(|other| other == track)),
            timeline: Arc::new(structure.tracks[track].timeline.clone()),
            track: Some(track),
        };
        structure.played(handler).into_iter().take(TRIED).map(view).collect()
    }

    /// Whether the boxes say when the first picture and the first sound are shown.
    pub(crate) fn has_times(&self) -> bool {
        self.begin().is_some()
    }

    /// When the first picture or sound is shown, if the boxes say so.
    pub(super) fn begin(&self) -> Option<i64> {
        let structure = self.structure.as_ref().filter(|structure| !structure.fragmented)?;
        self.has_edits().then(|| structure.begin())
    }

    /// Whether the boxes say when what is shown.
    fn has_edits(&self) -> bool {
        self.structure.as_ref().is_some_and(|structure| !structure.tracks.is_empty())
    }

    /// What to put in place of bytes of the file, so that a demuxer sees pictures and sound alone.
    pub(crate) fn shown(&self) -> Overlay {
        let Some(structure) = self.structure.as_ref().filter(|_| self.has_edits()) else {
            return self.overlay(Vec::new());
        };
        let shown = [*b"vide", *b"soun"].map(|handler| structure.played(handler).first().copied());
        self.overlay(structure.hidden(|track| shown.contains(&Some(track))))
    }

    /// The same with everything that has a length and a language: what a file says of itself.
    pub(crate) fn described(&self) -> Overlay {
        const MEDIA: [[u8; 4]; 6] = [*b"vide", *b"soun", *b"text", *b"sbtl", *b"subt", *b"clcp"];
        let Some(structure) = self.structure.as_ref().filter(|_| self.has_edits()) else {
            return self.overlay(Vec::new());
        };
        self.overlay(structure.hidden(|track| MEDIA.contains(&structure.tracks[track].handler)))
    }

    fn overlay(&self, bytes: Vec<(u64, Vec<u8>)>) -> Overlay {
        let amended = self.transport.as_ref().filter(|transport| transport.is_amended());
        Overlay { bytes, packets: amended.map(|of| (Arc::clone(of), self.path.clone())) }
    }

    /// When the media of the first stream of a kind is shown.
    pub(crate) fn timeline(&self, kind: Kind) -> Arc<Timeline> {
        self.views(kind).into_iter().next().unwrap_or_default().timeline
    }

    pub(super) fn track(&self, view: &View) -> Option<&Track> {
        self.structure.as_ref()?.tracks.get(view.track?)
    }
}
