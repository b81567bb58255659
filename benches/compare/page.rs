//! The table, for the terminal and for the documents.

use super::cases::Case;
use super::measured::{Measured, Picture, Sound};
use super::verdict::Mark;

/// What came of one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) ours: Result<Measured, String>,
    pub(crate) theirs: Measured,
    pub(crate) likeness: Option<f64>,
    pub(crate) marks: Vec<Mark>,
}

pub(crate) const HEAD: &str = "| source | made of it | frames | first, last frame | length | SSIM | sound from, to | levels | colours | verdict |\n\
    |---|---|---|---|---|---|---|---|---|---|";

impl Row {
    /// Differences without a reason.
    pub(crate) fn unexplained(&self) -> Vec<Mark> {
        let is_explained =
            |mark: &&Mark| self.case.differs.iter().any(|(explained, _)| explained == *mark);
        self.marks.iter().filter(|mark| !is_explained(mark)).copied().collect()
    }

    /// Reasons without a difference.
    pub(crate) fn superfluous(&self) -> Vec<Mark> {
        let explained = self.case.differs.iter().map(|(mark, _)| *mark);
        explained.filter(|mark| !self.marks.contains(mark)).collect()
    }

    /// A line of the table: what is ours, and behind a stroke what is `ffmpeg`'s, where it reads otherwise.
    pub(crate) fn line(&self) -> String {
        let ours = self.ours.as_ref().ok();
        let absent = || "-".to_owned();
        let both = |of: fn(&Measured) -> Option<String>| {
            let theirs = of(&self.theirs).unwrap_or_else(absent);
            let ours = ours.and_then(of).unwrap_or_else(absent);
            if ours == theirs { ours } else { format!("{ours} / {theirs}") }
        };
        let pictures =
            ours.and_then(|ours| Some((ours.picture.as_ref()?, self.theirs.picture.as_ref()?)));
        let cells = [
            self.case.name.to_owned(),
            self.case.words.to_owned(),
            both(|seen| Some(seen.picture.as_ref()?.times.len().to_string())),
            both(|seen| seen.picture.as_ref().map(Picture::ends)),
            both(|seen| Some(format!("{:.3}", seen.seconds))),
            self.likeness.map_or_else(absent, |ssim| format!("{ssim:.4}")),
            both(|seen| seen.sound.as_ref().map(Sound::ends)),
            both(|seen| seen.sound.as_ref().map(Sound::said)),
            pictures.map_or_else(absent, |(ours, theirs)| ours.colours_apart(theirs).to_string()),
            self.verdict(),
        ];
        format!("| {} |", cells.join(" | "))
    }

    /// `same`, or what differs and why.
    fn verdict(&self) -> String {
        const UNKNOWN: &str = "**nobody knows why**";
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for mark in &self.marks {
            let found = self.case.differs.iter().find(|(explained, _)| explained == mark);
            let reason = found.map_or(UNKNOWN, |(_, reason)| *reason);
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, marks)) => marks.push(mark.name()),
                None => reasons.push((reason, vec![mark.name()])),
            }
        }
        let said = |(reason, marks): (&str, Vec<&str>)| {
            let verb = if marks.len() > 1 { "differ" } else { "differs" };
            format!("{} {verb}: {reason}", marks.join(", "))
        };
        let said: Vec<String> = reasons.into_iter().map(said).collect();
        if said.is_empty() { "same".to_owned() } else { said.join("; ") }
    }
}

impl Picture {
    fn ends(&self) -> String {
        let time = |time: Option<&f64>| time.map_or_else(|| "-".to_owned(), |t| format!("{t:.3}"));
        format!("{}, {}", time(self.times.first()), time(self.times.last()))
    }
}

impl Sound {
    fn ends(&self) -> String {
        format!("{:.2}, {:.2}", self.heard.0, self.heard.1)
    }

    fn said(&self) -> String {
        self.levels.iter().map(|level| format!("{level:.1}")).collect::<Vec<_>>().join(", ")
    }
}
