//! The tables of a track: how large its samples are, where they lie and when they begin.

use super::boxes::{be32, be64, find};

/// The end of a cut file, and how many more samples may be looked at to find the first beyond it.
pub(super) struct End {
    pub(super) len: u64,
    pub(super) samples: u32,
}

/// The table of sample sizes: one for all, or one each.
pub(super) struct Sizes<'a> {
    all: u32,
    pub(super) count: u32,
    each: &'a [u8],
}

impl<'a> Sizes<'a> {
    pub(super) fn read(stbl: &'a [u8]) -> Option<Self> {
        let stsz = find(stbl, *b"stsz")?;
        Some(Self { all: be32(stsz, 4)?, count: be32(stsz, 8)?, each: stsz.get(12..)? })
    }

    fn of(&self, sample: u32) -> Option<u64> {
        match self.all {
            0 => be32(self.each, usize::try_from(sample).ok()?.checked_mul(4)?).map(u64::from),
            size => Some(u64::from(size)),
        }
    }
}

/// Where chunks begin, by `stco` or `co64`, and how many samples each has, by `stsc`.
pub(super) fn chunks(stbl: &[u8]) -> Option<impl Iterator<Item = (u64, u64)> + '_> {
    let stsc = find(stbl, *b"stsc")?;
    let (table, wide) = match find(stbl, *b"stco") {
        Some(table) => (table, false),
        None => (find(stbl, *b"co64")?, true),
    };
    let mut run = 0;
    let chunk = move |chunk: usize| {
        let next = |run: usize| be32(stsc, 8 + (run + 1) * 12).unwrap_or(u32::MAX);
        while usize::try_from(next(run)).ok()? <= chunk + 1 {
            run += 1;
        }
        let at = match wide {
            true => be64(table, 8 + chunk * 8)?,
            false => u64::from(be32(table, 8 + chunk * 4)?),
        };
        Some((at, u64::from(be32(stsc, 8 + run * 12 + 4)?)))
    };
    Some((0..usize::try_from(be32(table, 4)?).ok()?).map_while(chunk))
}

pub(super) fn first_sample_beyond(stbl: &[u8], sizes: &Sizes<'_>, end: &mut End) -> Option<u32> {
    let mut sample = 0;
    for (mut at, samples) in chunks(stbl)? {
        for _ in 0..samples {
            if sample >= sizes.count {
                return None;
            }
            end.samples = end.samples.checked_sub(1)?;
            at = at.checked_add(sizes.of(sample)?)?;
            if at > end.len {
                return Some(sample);
            }
            sample += 1;
        }
    }
    None
}

/// Ticks before a sample, by the run lengths of `stts`.
pub(super) fn start_of(stbl: &[u8], sample: u32) -> u64 {
    let Some(stts) = find(stbl, *b"stts") else { return 0 };
    let (mut left, mut ticks) = (u64::from(sample), 0_u64);
    for run in 0.. {
        let (Some(count), Some(delta)) = (be32(stts, 8 + run * 8), be32(stts, 12 + run * 8)) else {
            break;
        };
        let taken = left.min(u64::from(count));
        ticks = ticks.saturating_add(taken * u64::from(delta));
        left -= taken;
        if left == 0 {
            break;
        }
    }
    ticks
}

/// The samples of a track in the order in which they are shown, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Presented {
    /// When the last one begins to be shown.
    pub(super) last: i64,
    /// It is also decoded last.
    pub(super) in_order: bool,
    /// How long it is shown. One that others are decoded after does not say so: as long as the shortest.
    pub(super) step: u32,
    /// How long all samples are, in the order in which they are decoded.
    pub(super) decoded: i64,
}

impl Presented {
    /// Reads the tables of how long samples are, and of how much later they are shown than decoded, which may be empty; nothing
    /// if there is no sample.
    pub(super) fn read(stts: &[u8], ctts: &[u8]) -> Option<Self> {
        let run = |table: &[u8], run: usize| {
            Some((be32(table, run.checked_mul(8)? + 8)?, be32(table, run * 8 + 12)?))
        };
        let mut offsets = (0..).map_while(|number| run(ctts, number));
        // Of the offsets, how many samples still have this one.
        let (mut left, mut offset) = offsets.next().unwrap_or((u32::MAX, 0));
        let (mut decoded, mut shown, mut least) = (0_i64, None, u32::MAX);
        let (mut in_order, mut length) = (false, 0);
        for (mut samples, delta) in (0..).map_while(|number| run(stts, number)) {
            if samples > 0 {
                (least, length) = (least.min(delta), delta);
            }
            while samples > 0 {
                while left == 0 {
                    (left, offset) = offsets.next().unwrap_or((u32::MAX, 0));
                }
                let together = samples.min(left);
                let before = i64::from(together - 1) * i64::from(delta);
                let begin = decoded.saturating_add(before);
                let last = begin.saturating_add(offset.cast_signed().into());
                in_order = shown.is_none_or(|shown| last >= shown);
                shown = shown.max(Some(last));
                decoded = begin.saturating_add(delta.into());
                (samples, left) = (samples - together, left - together);
            }
        }
        let step = if in_order { length } else { least };
        Some(Self { last: shown?, in_order, step, decoded })
    }

    /// When the last one has been shown.
    pub(super) fn end(self) -> i64 {
        self.last.saturating_add(self.step.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(runs: &[(u32, u32)]) -> Vec<u8> {
        let number = u32::try_from(runs.len()).unwrap();
        let runs =
            runs.iter().flat_map(|(count, value)| [count.to_be_bytes(), value.to_be_bytes()]);
        [[0; 4], number.to_be_bytes()].into_iter().chain(runs).collect::<Vec<_>>().concat()
    }

    #[test]
    fn the_last_sample_is_the_one_that_is_shown_last() {
        let stts = table(&[(3, 10), (1, 40)]);
        let plain = Presented::read(&stts, &[]).unwrap();
        assert_eq!((plain.last, plain.end(), plain.decoded), (30, 70, 70));
        // The second is shown last.
        let offsets = table(&[(1, 10), (1, 60), (2, 0)]);
        let turned = Presented::read(&stts, &offsets).unwrap();
        assert_eq!((turned.last, turned.in_order, turned.end()), (70, false, 80));
        assert_eq!(Presented::read(&table(&[]), &[]), None);
        assert_eq!(Presented::read(&table(&[(0, 10)]), &[]), None);
    }
}
