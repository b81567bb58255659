//! What a plan says of itself before it runs: demand, estimate, explanation.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::geometry::Rect;
use crate::wire::wire_enum;

/// How much of something is wanted: the scale at which its pictures may be had, 1.0 for all of each and 0.25 for a quarter of
/// each side, and whether all of its frames or pages are wanted, or the first only. Demands from several branches merge by
/// maximum.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Demand {
    scale: f64,
    all: bool,
}

impl Demand {
    /// All of it, at its full size.
    pub const FULL: Self = Self { scale: 1.0, all: true };
    /// Nothing: no output hangs on it.
    pub const NONE: Self = Self { scale: 0.0, all: false };

    /// All of it at this scale, kept between 0 and 1.
    #[must_use]
    pub fn scale(scale: f64) -> Self {
        let scale = if scale.is_nan() { 1.0 } else { scale.clamp(0.0, 1.0) };
        Self { scale, all: true }
    }

    /// Of frames or pages the first only.
    #[must_use]
    pub fn first(self) -> Self {
        Self { all: false, ..self }
    }

    /// The scale, from 0 to 1.
    #[must_use]
    pub fn as_scale(self) -> f64 {
        self.scale
    }

    /// Whether all frames or pages are wanted, and not the first only.
    #[must_use]
    pub fn wants_all(self) -> bool {
        self.all
    }

    /// The larger of the two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { scale: self.scale.max(other.scale), all: self.all || other.all }
    }
}

/// What a step or plan will cost. Admission counts bytes and looks at the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Estimate {
    /// Peak memory in bytes, above what the input itself takes.
    pub bytes: u64,
    /// Which kind of work it is.
    pub class: CostClass,
}

wire_enum! {
    /// Which kind of work something is. Each class has [places](crate::Builder::places) of its own in a process, so that
    /// what takes hours is not in the way of what takes a moment.
    ///
    /// A host can have classes of its own, for work that needs something scarce: `"gpu".parse()`. Their names have lower-case
    /// letters, digits and `-`, at most 32.
    ///
    /// A job is of the class of its steps; if they have several, of a host's own one first, then `video`, then `image`.
    #[derive(PartialOrd, Ord)]
    pub enum CostClass {
        /// Waits for somebody else's machine.
        Remote = "remote",
        /// Milliseconds to seconds on one core.
        Image = "image",
        /// Seconds to hours, on all cores.
        Video = "video",
    }
}

impl CostClass {
    /// Those that every host has.
    pub(crate) const BUILT_IN: [Self; 3] = [Self::Image, Self::Video, Self::Remote];

    /// Refuses a name that can not stand among those of queues.
    pub(crate) fn check(self) -> crate::Result<Self> {
        let name = self.as_str();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.len() > 32
            || !name.chars().all(fits)
            || name.starts_with('-')
            || name.ends_with('-')
        {
            return Err(crate::Error::input(
                codes::CLASS_NAME,
                "this is no name of a class of work",
            )
            .with("class", name.escape_debug())
            .help("use at most 32 lower-case letters, digits and `-`: `gpu`"));
        }
        Ok(self)
    }
}

impl Estimate {
    /// Work of this class with this peak memory in bytes.
    #[must_use]
    pub const fn of(class: CostClass, bytes: u64) -> Self {
        Self { bytes, class }
    }

    /// Work on one core with this peak memory in bytes.
    #[must_use]
    pub const fn cpu(bytes: u64) -> Self {
        Self { bytes, class: CostClass::Image }
    }

    /// Work on all cores with this peak memory in bytes.
    #[must_use]
    pub const fn video(bytes: u64) -> Self {
        Self { bytes, class: CostClass::Video }
    }

    /// Work on somebody else's machine.
    #[must_use]
    pub const fn remote() -> Self {
        Self { bytes: 0, class: CostClass::Remote }
    }

    /// Both, one after the other: the larger memory, the heavier class.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self { bytes: self.bytes.max(next.bytes), class: self.class.max(next.class) }
    }
}

/// What a plan does, told without running it. `Display` is the text for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Explanation {
    /// Who runs it: the backend's name, or the operation's kind for a step that runs by itself.
    pub backend: String,
    /// How often a source is decoded.
    pub decodes: u32,
    /// What happens, in order.
    pub stages: Vec<Stage>,
    /// What it will cost.
    pub estimate: Estimate,
}

/// One thing that a plan does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Stage {
    /// The verb: `decode`, `resize`, `encode`, `remux`.
    pub action: String,
    /// How: the scale, the kernel, the codec, the reason.
    pub detail: String,
    /// The steps of the spec that it carries out, several if they were merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// Width and height of what comes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// The part of its input that is kept, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Rect>,
}

impl Explanation {
    /// Of a plan that this backend will run.
    #[must_use]
    pub fn new(backend: impl Into<String>, estimate: Estimate) -> Self {
        Self { backend: backend.into(), decodes: 0, stages: Vec::new(), estimate }
    }

    /// With this many decodes of a source.
    #[must_use]
    pub fn with_decodes(mut self, decodes: u32) -> Self {
        self.decodes = decodes;
        self
    }

    /// With one more stage.
    #[must_use]
    pub fn with_stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }
}

impl Stage {
    /// A verb, and how.
    #[must_use]
    pub fn new(action: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { action: action.into(), detail: detail.into(), ..Self::default() }
    }

    /// With the steps that it carries out.
    #[must_use]
    pub fn with_steps(mut self, steps: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.steps.extend(steps.into_iter().map(Into::into));
        self
    }

    /// With the size of what comes out.
    #[must_use]
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width, height));
        self
    }

    /// With the part of the input that is kept.
    #[must_use]
    pub fn with_crop(mut self, crop: Rect) -> Self {
        self.crop = Some(crop);
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.estimate.bytes.div_ceil(1 << 20);
        write!(f, "{}: {} decode(s), about {mib} MiB", self.backend, self.decodes)?;
        for stage in &self.stages {
            write!(f, "\n  {:<9} {}", stage.action, stage.detail)?;
            if let Some(crop) = stage.crop {
                write!(
                    f,
                    ", crop {:.0}x{:.0}+{:.0}+{:.0}",
                    crop.width, crop.height, crop.x, crop.y
                )?;
            }
            if let Some((width, height)) = stage.size {
                write!(f, " -> {width}x{height}")?;
            }
            if !stage.steps.is_empty() {
                write!(f, "  [{}]", stage.steps.join(" + "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_is_the_larger_memory_and_the_heavier_class() {
        let own: CostClass = "gpu".parse().unwrap();
        let (small, large) = (Estimate::cpu(1), Estimate::cpu(9));
        for (one, next, together) in [
            (small, large, large),
            (Estimate::remote(), Estimate::remote(), Estimate::remote()),
            (Estimate::remote(), small, small),
            (large, Estimate::video(1), Estimate::video(9)),
            (Estimate::video(1), Estimate::of(own, 2), Estimate::of(own, 2)),
        ] {
            assert_eq!((one.then(next), next.then(one)), (together, together), "{one:?} {next:?}");
        }
    }
}
