//! A file before it is opened: what its boxes say, and how it is shown to a demuxer.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::Result;

use super::place::Kind;
use crate::error;
use crate::isobmff::timeline::Timeline;
use crate::isobmff::{self, Structure, Track};

/// Tracks of one kind that are tried, one after the other.
const TRIED: usize = 8;

/// A file, and what its boxes say of it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    pub(crate) structure: Option<Arc<Structure>>,
}

/// One way to show a file to a demuxer.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// What to put in place of bytes of the file, and where.
    pub(super) hidden: Vec<(u64, Vec<u8>)>,
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
        let mut file = File::open(path).map_err(error::io)?;
        let structure = isobmff::inspect(&mut file)?.map(Arc::new);
        Ok(Self { path: path.to_owned(), structure })
    }

    /// The ways in which a stream of this kind may be found, the best first. A film in boxes is shown one track at a time, as
    /// if it had no other and no edit list: what demuxers make of these is not always what they say.
    pub(super) fn views(&self, kind: Kind) -> Vec<View> {
        let Some(structure) = &self.structure else { return vec![View::default()] };
        if structure.tracks.is_empty() {
            // The index is compressed, or strange: the demuxer may know more.
            return vec![View::default()];
        }
        let handler = match kind {
            Kind::Video => *b"vide",
            Kind::Audio => *b"soun",
        };
        let view = |track: usize| View {
            hidden: structure.hidden(|other| other == track),
            timeline: Arc::new(structure.tracks[track].timeline.clone()),
            track: Some(track),
        };
        structure.played(handler).into_iter().take(TRIED).map(view).collect()
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
    pub(crate) fn shown(&self) -> Vec<(u64, Vec<u8>)> {
        let Some(structure) = self.structure.as_ref().filter(|_| self.has_edits()) else {
            return Vec::new();
        };
        let shown = [*b"vide", *b"soun"].map(|handler| structure.played(handler).first().copied());
        structure.hidden(|track| shown.contains(&Some(track)))
    }

    /// The same with everything that has a length and a language: what a file says of itself.
    pub(crate) fn described(&self) -> Vec<(u64, Vec<u8>)> {
        const MEDIA: [[u8; 4]; 6] = [*b"vide", *b"soun", *b"text", *b"sbtl", *b"subt", *b"clcp"];
        let Some(structure) = self.structure.as_ref().filter(|_| self.has_edits()) else {
            return Vec::new();
        };
        structure.hidden(|track| MEDIA.contains(&structure.tracks[track].handler))
    }

    /// When the media of the first stream of a kind is shown.
    pub(crate) fn timeline(&self, kind: Kind) -> Arc<Timeline> {
        self.views(kind).into_iter().next().unwrap_or_default().timeline
    }

    pub(super) fn track(&self, view: &View) -> Option<&Track> {
        self.structure.as_ref()?.tracks.get(view.track?)
    }
}

/// Shows other bytes than the file's to whoever reads from this pad.
pub(crate) fn put_over(pad: &gst::Pad, hidden: Vec<(u64, Vec<u8>)>) {
    if hidden.is_empty() {
        return;
    }
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let offset = info.offset;
        if let Some(buffer) = info.buffer_mut() {
            // All ones: it has none.
            let known = buffer.offset();
            let start = if known == u64::MAX { offset } else { known };
            write_over(buffer, start, &hidden);
        }
        gst::PadProbeReturn::Ok
    });
}

fn write_over(buffer: &mut gst::Buffer, start: u64, hidden: &[(u64, Vec<u8>)]) {
    let end = start.saturating_add(buffer.size() as u64);
    let touches = |at: u64| at < end && at.saturating_add(8) > start;
    if !hidden.iter().any(|(at, _)| touches(*at)) {
        return;
    }
    let Ok(mut map) = buffer.make_mut().map_writable() else { return };
    for (at, bytes) in hidden.iter().filter(|(at, _)| touches(*at)) {
        for (at, byte) in (*at..).zip(bytes) {
            let place = at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
            if let Some(place) = place.and_then(|place| map.as_mut_slice().get_mut(place)) {
                *place = *byte;
            }
        }
    }
}
