use std::fmt;

use mediaflow_core::RunContext;
use mediaflow_core::media::{MediaFile, Metadata, OnDamage};

use crate::pixels::fits;

/// How one file is decoded: under which job, what becomes of damage in it, and under which name it is told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) cx: &'a RunContext,
    name: &'a str,
    on_damage: OnDamage,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(file: &'a MediaFile, cx: &'a RunContext) -> Self {
        Self { cx, name: file.name(), on_damage: file.on_damage() }
    }

    /// Whether a part of the picture may be missing.
    pub(crate) fn accepts_damage(&self) -> bool {
        self.on_damage == OnDamage::Accept
    }

    /// The same, without any part that is missing: for a part of a file that is there as a whole, or not.
    #[cfg(feature = "tiff")]
    pub(crate) fn strict(self) -> Self {
        Self { on_damage: OnDamage::Refuse, ..self }
    }

    /// Notes what is wrong with the file although it is decoded.
    pub(crate) fn warn(&self, what: impl fmt::Display) {
        self.cx.warn(format!("`{}`: {what}", self.name));
    }

    /// Leaves out a profile that does not fit pixels of so many channels, and notes it.
    pub(crate) fn fit_profile(&self, metadata: &mut Metadata, channels: u8) {
        if let Some(profile) = &metadata.icc
            && let Err(why) = fits(profile, channels)
        {
            self.warn(format_args!("its colour profile was ignored: {why}"));
            metadata.icc = None;
        }
    }

    /// Notes how much of the picture is missing: so many of so many rows, or of what the format counts in their place.
    pub(crate) fn missing(&self, missing: u64, of: u64, what: &str) {
        let percent = (missing * 100).div_ceil(of.max(1));
        if missing == 0 {
            self.warn(format_args!(
                "0 % of the {what}s are missing, but what they show may be wrong"
            ));
        } else if missing * 100 < of {
            self.warn(format_args!("less than 1 % of the {what}s are missing"));
        } else {
            self.warn(format_args!("{percent} % of the {what}s are missing"));
        }
    }
}
