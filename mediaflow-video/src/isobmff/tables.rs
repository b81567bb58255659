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
