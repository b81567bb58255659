//! When the samples of a track are shown, by its edit list (ISO/IEC 14496-12, 8.6.6).
//!
//! Times are nanoseconds. *Media* time is that of the stored samples, as a demuxer without any edit list gives it; *shown*
//! time is that of the film.

use super::boxes::{be32, be64, find_in};

const SECOND: i128 = 1_000_000_000;

/// Parts of a list that are looked at.
const PIECES: usize = 4096;

/// Parts that follow one another within this are one.
const SEAM: i64 = 1_000_000;

/// When the samples of a track are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// In the order in which they are shown; media times never fall.
    pieces: Vec<Piece>,
    /// The list goes back in the media: what it repeats is left out.
    pub(crate) repeats: bool,
}

/// A part of the media that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it begins in the media.
    pub(crate) media: i64,
    /// Where it ends in the media; [`i64::MAX`] is open.
    pub(crate) end: i64,
    /// When its begin is shown.
    pub(crate) shown: i64,
}

impl Piece {
    /// When a time of the media is shown.
    pub(crate) fn place(&self, media: i64) -> i64 {
        media.saturating_sub(self.media).saturating_add(self.shown)
    }

    /// When its end is shown.
    pub(crate) fn shown_end(&self) -> i64 {
        if self.end == i64::MAX { i64::MAX } else { self.place(self.end) }
    }
}

impl Default for Timeline {
    /// Everything is shown when it is stored.
    fn default() -> Self {
        Self::shifted(0)
    }
}

/// The clocks of a track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales {
    /// Ticks of the film in a second.
    pub(super) movie: u32,
    /// Ticks of the media in a second.
    pub(super) media: u32,
}

impl Timeline {
    /// Everything is shown so much later than it is stored.
    pub(crate) fn shifted(by: i64) -> Self {
        Self { pieces: vec![Piece { media: 0, end: i64::MAX, shown: by }], repeats: false }
    }

    /// Reads the edit list of a `trak`. A demuxer gives all media times `lead` ticks too late; nothing of the media lies at or
    /// behind `end` ticks.
    pub(super) fn read(trak: &[u8], scales: Scales, lead: u32, end: u64) -> Self {
        let unedited = || Self::shifted(-nanoseconds(lead.into(), scales.media));
        let Some(elst) = find_in(trak, &[*b"edts", *b"elst"]) else { return unedited() };
        let mut timeline = Self { pieces: Vec::new(), repeats: false };
        let mut clock = 0;
        for (length, start) in entries(elst).take(PIECES) {
            let length = nanoseconds(length.into(), scales.movie);
            let is_there = u64::try_from(start).is_ok_and(|start| end == 0 || start < end);
            if is_there {
                let media = nanoseconds(i128::from(start) + i128::from(lead), scales.media);
                // A fragmented file does not know its length: zero is open.
                let end = if length == 0 { i64::MAX } else { media.saturating_add(length) };
                timeline.add(Piece { media, end, shown: clock });
            }
            clock = clock.saturating_add(length);
        }
        if timeline.pieces.is_empty() { unedited() } else { timeline }
    }

    fn add(&mut self, piece: Piece) {
        match self.pieces.last_mut() {
            Some(last) if piece.media.saturating_add(SEAM) < last.end => self.repeats = true,
            Some(last)
                if piece.media.abs_diff(last.end) <= SEAM.unsigned_abs()
                    && piece.shown.abs_diff(last.shown_end()) <= SEAM.unsigned_abs() =>
            {
                last.end = last.end.max(piece.end);
            }
            _ => self.pieces.push(piece),
        }
    }

    /// When the first of the media is shown.
    pub(crate) fn begin(&self) -> i64 {
        self.pieces.first().map_or(0, |piece| piece.shown)
    }

    /// The same, so much later.
    pub(crate) fn later(&self, by: i64) -> Self {
        let later = |piece: &Piece| Piece { shown: piece.shown.saturating_add(by), ..*piece };
        Self { pieces: self.pieces.iter().map(later).collect(), repeats: self.repeats }
    }

    /// The first piece of which something lies in these times of the media.
    pub(crate) fn piece(&self, from: i64, until: i64) -> Option<Piece> {
        self.pieces.iter().find(|piece| from < piece.end && until > piece.media).copied()
    }

    /// The time of the media that is shown at a time, or next after it.
    pub(crate) fn media(&self, shown: i64) -> i64 {
        let next = self.pieces.iter().find(|piece| shown < piece.shown_end());
        let media = |piece: &Piece| {
            let at = piece.media.saturating_add(shown.saturating_sub(piece.shown));
            // The first piece of a track without a list may begin before its media does.
            if piece.end == i64::MAX && piece.media == 0 { at } else { at.max(piece.media) }
        };
        match next.or(self.pieces.last()) {
            Some(piece) => media(piece).max(0),
            None => shown.max(0),
        }
    }

    /// When the last of the media is shown that ends at this time; nothing if the list does not end before.
    pub(crate) fn end(&self) -> Option<i64> {
        self.pieces.last().map(Piece::shown_end).filter(|end| *end != i64::MAX)
    }

    /// When the last of media of this length has been shown.
    pub(crate) fn end_of(&self, media: i64) -> i64 {
        let mut shown = self.pieces.iter().filter(|piece| piece.media < media);
        shown.next_back().map_or(media, |piece| piece.place(piece.end.min(media)))
    }

    /// Whether it leaves nothing out and moves nothing.
    #[cfg(test)]
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Length in ticks of the film, start in ticks of the media; -1 is an empty one.
pub(super) fn entries(elst: &[u8]) -> impl Iterator<Item = (u64, i64)> + '_ {
    let wide = elst.first() == Some(&1);
    let number = be32(elst, 4).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    (0..number).map_while(move |entry| match wide {
        true => {
            let at = 8 + entry.checked_mul(20)?;
            Some((be64(elst, at)?, be64(elst, at + 8)?.cast_signed()))
        }
        false => {
            let at = 8 + entry.checked_mul(12)?;
            Some((be32(elst, at)?.into(), be32(elst, at + 4)?.cast_signed().into()))
        }
    })
}

pub(super) fn nanoseconds(ticks: i128, per_second: u32) -> i64 {
    let exact = ticks * SECOND;
    let scale = i128::from(per_second.max(1));
    i64::try_from((exact + scale / 2).div_euclid(scale)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALES: Scales = Scales { movie: 1000, media: 48_000 };

    fn list(entries: &[(u32, i32)]) -> Vec<u8> {
        let mut elst = vec![0; 4];
        elst.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        for (length, start) in entries {
            elst.extend(length.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend([0, 1, 0, 0]);
        }
        wrap(*b"edts", &wrap(*b"elst", &elst))
    }

    fn wrap(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        [&(u32::try_from(body.len()).unwrap() + 8).to_be_bytes()[..], &kind, body].concat()
    }

    #[test]
    fn a_track_without_a_list_is_shown_as_it_is_stored() {
        assert!(Timeline::read(&[], SCALES, 0, 0).is_plain());
        assert_eq!(Timeline::read(&[], SCALES, 4800, 0).media(0), 100_000_000);
    }

    #[test]
    fn priming_and_a_late_begin() {
        let timeline = Timeline::read(&list(&[(2000, -1), (3000, 1024)]), SCALES, 0, 200_000);
        let piece = timeline.piece(0, 30_000_000).unwrap();
        assert_eq!((piece.media, piece.shown), (21_333_333, 2_000_000_000));
        assert_eq!(timeline.end(), Some(5_000_000_000));
        assert_eq!(timeline.media(0), 21_333_333);
        assert_eq!(timeline.media(3_000_000_000), 1_021_333_333);
    }

    #[test]
    fn pieces_that_join_are_one_and_those_that_go_back_are_left_out() {
        let timeline =
            Timeline::read(&list(&[(1000, 0), (1000, 48_000), (500, 0)]), SCALES, 0, 100_000);
        assert_eq!(timeline.pieces.len(), 1);
        assert!(timeline.repeats);
        assert_eq!(timeline.end(), Some(2_000_000_000));
    }

    #[test]
    fn a_list_that_shows_nothing_of_the_media_is_none() {
        assert!(Timeline::read(&list(&[(1000, 96_000)]), SCALES, 0, 96_000).is_plain());
    }

    #[test]
    fn no_list_gives_a_part_that_ends_before_it_begins() {
        let fine = Scales { movie: 1_000_000, media: 10_000 };
        let lists: [&[(u32, i32)]; 3] = [
            &[(200, 999), (100, 992)],
            &[(1, 1000), (1, 1000), (5, 995)],
            &[(u32::MAX, i32::MAX), (0, 0), (7, i32::MAX)],
        ];
        for entries in lists {
            let timeline = Timeline::read(&list(entries), fine, 0, 0);
            assert!(timeline.pieces.iter().all(|piece| piece.media <= piece.end), "{timeline:?}");
        }
    }

    #[test]
    fn a_fragmented_file_leaves_the_end_open() {
        let timeline = Timeline::read(&list(&[(0, 4800)]), SCALES, 0, 0);
        assert_eq!((timeline.end(), timeline.media(0)), (None, 100_000_000));
    }
}
