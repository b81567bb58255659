//! The table, for the terminal and for the documents.

use super::peer::{Case, Measured};

/// What counts as the same.
const MEAN: f64 = 2.0;
const SSIM: f64 = 0.98;

pub(crate) const HEAD: &str =
    "| case | size | mean difference | SSIM | verdict |\n|---|---|---|---|---|";

/// What came of one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    /// Or what mediaflow has failed with.
    pub(crate) measured: Result<Measured, String>,
}

impl Row {
    pub(crate) fn is_same(&self) -> bool {
        self.measured.as_ref().is_ok_and(|seen| {
            seen.mean.is_some_and(|mean| mean <= MEAN) && seen.ssim.is_some_and(|ssim| ssim >= SSIM)
        })
    }

    /// A difference without a reason, or a reason without a difference.
    pub(crate) fn is_wrong(&self) -> bool {
        self.is_same() == self.case.differs.is_some()
    }

    pub(crate) fn line(&self) -> String {
        let absent = || "-".to_owned();
        let [size, mean, ssim] = match &self.measured {
            Ok(seen) => [
                if seen.ours == seen.theirs {
                    format!("{} x {}", seen.ours.0, seen.ours.1)
                } else {
                    let ((w, h), (v, g)) = (seen.ours, seen.theirs);
                    format!("{w} x {h} / {v} x {g}")
                },
                seen.mean.map_or_else(absent, |mean| format!("{mean:.2}")),
                seen.ssim.map_or_else(absent, |ssim| format!("{ssim:.4}")),
            ],
            Err(_) => [absent(), absent(), absent()],
        };
        format!("| {} | {size} | {mean} | {ssim} | {} |", self.case.name, self.verdict())
    }

    fn verdict(&self) -> String {
        match (self.is_same(), &self.case.differs, &self.measured) {
            (true, None, _) => "same".to_owned(),
            (true, Some(reason), _) => format!("**same, no longer: {reason}**"),
            (false, Some(reason), _) => reason.clone(),
            (false, None, Ok(_)) => "**nobody knows why**".to_owned(),
            (false, None, Err(error)) => format!("**{error}**"),
        }
    }
}
