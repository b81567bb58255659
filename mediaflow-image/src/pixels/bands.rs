use std::ops::Range;

use mediaflow_core::{Result, RunContext};

/// How many bytes are worked on between two looks whether to stop. A tenth of a second is enough for a hundred times as many,
/// and a look costs less than a thousandth of the work.
pub(crate) const BAND: usize = 1 << 18;

/// The one loop over rows: gives them to `work` band by band, from the top, and ends early when the job is to stop. `row` is
/// what a row costs, in bytes that are copied.
///
/// # Errors
/// What [`RunContext::check`] gives.
pub(crate) fn bands(
    rows: usize,
    row: usize,
    cx: &RunContext,
    mut work: impl FnMut(Range<usize>),
) -> Result<()> {
    try_bands(rows, row, cx, |rows| {
        work(rows);
        Ok(())
    })
}

/// The same for work that can fail.
///
/// # Errors
/// What [`RunContext::check`] and `work` give.
pub(crate) fn try_bands(
    rows: usize,
    row: usize,
    cx: &RunContext,
    mut work: impl FnMut(Range<usize>) -> Result<()>,
) -> Result<()> {
    let step = step(row);
    for top in (0..rows).step_by(step) {
        cx.check()?;
        work(top..rows.min(top + step))?;
    }
    Ok(())
}

/// How many rows are a band, of which each costs so many bytes.
pub(crate) fn step(row: usize) -> usize {
    (BAND / row.max(1)).max(1)
}
