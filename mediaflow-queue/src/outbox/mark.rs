use std::collections::BTreeSet;
use std::fmt;

/// What is noted of an event that was looked at and is still there: the channels that it is routed for, and the builds that
/// could not read it. In the tables it is `|mail|push|?3f0c?a917`, with either part alone or none. An earlier build wrote
/// `?` for what it could not read, without saying which build that was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) channels: BTreeSet<String>,
    readers: BTreeSet<String>,
}

impl Mark {
    pub(super) fn read(text: &str) -> Self {
        // No build has a `|` in its name; a channel may have a `?`.
        let (channels, readers) = text.rsplit_once('|').unwrap_or(("", text));
        let names = |text: &str, sign| {
            text.split(sign).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Self { channels: names(channels, '|'), readers: names(readers, '?') }
    }

    /// Whether a process of this build has something to do for one of its channels. What the build could not read once, it
    /// does not read again.
    pub(super) fn is_for(&self, reader: &str, channels: &[String]) -> bool {
        !self.readers.contains(reader)
            && channels.iter().any(|channel| !self.channels.contains(channel))
    }

    /// This build can not read it.
    pub(super) fn left_by(mut self, reader: &str) -> Self {
        self.readers.insert(reader.to_owned());
        self
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channels.iter().try_for_each(|channel| write!(f, "|{channel}"))?;
        if !self.channels.is_empty() {
            f.write_str("|")?;
        }
        self.readers.iter().try_for_each(|reader| write!(f, "?{reader}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        for text in ["", "|mail|", "|mail|push|", "?a", "?a?b", "|mail|?a", "|push|who?|?a?b"] {
            assert_eq!(Mark::read(text).to_string(), text);
        }
        let own = ["mail".to_owned()];
        let is_for = |text: &str| Mark::read(text).is_for("a", &own);
        assert!(["", "?", "?b", "|push|", "|push|?b"].into_iter().all(is_for));
        assert!(!["?a", "?a?b", "|mail|", "|mail|?b", "|push|?a"].into_iter().any(is_for));
        assert_eq!(Mark::read("|mail|?b").left_by("a").to_string(), "|mail|?a?b");
        assert_eq!(Mark::read("?").left_by("a").to_string(), "?a", "whoever wrote it");
    }
}
