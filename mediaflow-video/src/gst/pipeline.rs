//! A pipeline that is watched while it runs and taken down whatever happens.
//!
//! The bus is polled with a timeout instead of running a main loop: each turn looks at cancellation, the deadline
//! and a counter that every buffer advances. No host has to run a loop for us, and nothing waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::{Error, Result, codes};

use super::missing;
use crate::error;

/// How long a cancelled pipeline goes on at most.
const TURN: Duration = Duration::from_millis(50);

/// Posted on the bus by those who have seen something.
const NEWS: &str = "mediaflow-news";

/// What stops a pipeline from outside, and who hears how far it is.
pub(crate) struct Watch<'a> {
    /// Fails once the work is cancelled or past its deadline.
    pub(crate) check: &'a (dyn Fn() -> Result<()> + Send + Sync),
    /// The longest time without a buffer anywhere.
    pub(crate) stall: Duration,
    /// Hears fractions from 0 to 1, never falling.
    pub(crate) progress: &'a (dyn Fn(f64) + Send + Sync),
}

/// Counts buffers: while it advances, the pipeline is alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Beats with every buffer that passes the pad.
    pub(crate) fn listen(&self, pad: &gst::Pad) {
        let pulse = self.clone();
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(mask, move |_, _| {
            pulse.beat();
            gst::PadProbeReturn::Ok
        });
    }
}

/// A pipeline that its drop takes to `Null`: threads joined, files closed.
#[derive(Debug)]
pub(crate) struct Running {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    pulse: Pulse,
    missing: Option<Error>,
}

impl Running {
    pub(crate) fn new() -> Result<Self> {
        super::init()?;
        let pipeline = gst::Pipeline::new();
        let bus = pipeline.bus().ok_or_else(|| error::pipeline("a pipeline without a bus"))?;
        Ok(Self { pipeline, bus, pulse: Pulse::default(), missing: None })
    }

    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    pub(crate) fn bus(&self) -> &gst::Bus {
        &self.bus
    }

    /// What was said so far concerns nobody any more.
    pub(crate) fn forget(&self) {
        while self.bus.pop().is_some() {}
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// A plugin that was asked for and is not installed; told once.
    pub(crate) fn take_missing(&mut self) -> Option<Error> {
        self.missing.take()
    }

    /// Asks for a state; a refusal is told with the cause that the bus has.
    ///
    /// The elements are asked as well, the last added first: a pipeline that waits for one of them on its way to a state only
    /// notes what it is asked for, and what was added meanwhile would stay where it is.
    pub(crate) fn set_state(&mut self, state: gst::State) -> Result<()> {
        let pipeline = self.pipeline.set_state(state).is_ok();
        let elements =
            || self.pipeline.children().iter().all(|e| e.sync_state_with_parent().is_ok());
        if pipeline && elements() {
            return Ok(());
        }
        while let Some(message) = self.bus.pop() {
            self.look(&message)?;
        }
        Err(error::pipeline(format!("the pipeline does not go to {state:?}")))
    }

    /// Waits until `done` gives a value. It is called with each message, and with none when a turn passed without.
    ///
    /// # Errors
    /// What the pipeline reports, what `Watch::check` says, `video.stalled`, or what `done` returns.
    pub(crate) fn wait<T>(
        &mut self,
        phase: &'static str,
        watch: &Watch<'_>,
        mut done: impl FnMut(Option<&gst::MessageRef>) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut alive = (self.pulse.count(), Instant::now());
        loop {
            (watch.check)()?;
            let now = Instant::now();
            let count = self.pulse.count();
            if count != alive.0 {
                alive = (count, now);
            } else if now.duration_since(alive.1) > watch.stall {
                return Err(error::stalled(watch.stall).with("phase", phase));
            }
            let message = self.bus.timed_pop(clock_time(TURN));
            if let Some(message) = &message {
                self.look(message)?;
            }
            if let Some(value) = done(message.as_deref())? {
                return Ok(value);
            }
        }
    }

    /// Errors end the wait; a missing plugin is kept until it is known whether its stream is wanted.
    fn look(&mut self, message: &gst::MessageRef) -> Result<()> {
        match message.view() {
            gst::MessageView::Error(failure) => {
                Err(self.missing.take().unwrap_or_else(|| from_failure(failure)))
            }
            gst::MessageView::Warning(warning) => {
                tracing::debug!(warning = %warning.error(), debug = ?warning.debug(), "pipeline");
                Ok(())
            }
            gst::MessageView::Element(_) => {
                self.missing = missing::from_message(message).or(self.missing.take());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing can be done about a refusal, and the elements are released either way.
        let _refused = self.pipeline.set_state(gst::State::Null);
    }
}

/// Wakes the thread that waits at the bus.
pub(crate) fn post_news(bus: &gst::Bus) {
    // The bus refuses messages only while the pipeline goes down, when nobody waits for them.
    let _refused = bus.post(gst::message::Application::new(gst::Structure::new_empty(NEWS)));
}

pub(crate) fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1))
}

/// Some decoders call damage a failure of their library.
fn is_decoder(source: Option<&gst::Object>) -> bool {
    let element = source.and_then(|source| source.downcast_ref::<gst::Element>());
    let class = element.and_then(|element| element.metadata(gst::ELEMENT_METADATA_KLASS));
    class.is_some_and(|class| class.contains("Decoder"))
}

/// A failure on the bus, sorted by who can do something about it.
fn from_failure(failure: &gst::message::Error) -> Error {
    let cause = failure.error();
    let element = failure.src().map(|source| source.name().to_string()).unwrap_or_default();
    let detail =
        failure.debug().map(|debug| debug.to_string()).unwrap_or_else(|| cause.to_string());
    let error = match cause.kind::<gst::ResourceError>() {
        Some(gst::ResourceError::NoSpaceLeft) => {
            Error::transient(codes::VIDEO_NO_SPACE, "the disk is full")
                .help("free space for temporary files")
        }
        Some(gst::ResourceError::Write | gst::ResourceError::OpenWrite) => {
            Error::transient(codes::VIDEO_IO, "the result can not be written")
        }
        Some(_) => Error::transient(codes::VIDEO_IO, "the source can not be read"),
        None if cause.is::<gst::StreamError>() || is_decoder(failure.src()) => {
            error::not_decodable(cause.message())
        }
        None => error::pipeline(cause.message()),
    };
    error.with("element", element).because(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Running {
        let mut running = Running::new().unwrap();
        let (source, sink) =
            (super::super::make("appsrc").unwrap(), super::super::make("fakesink").unwrap());
        super::super::chain(running.pipeline(), &[&source, &sink]).unwrap();
        running.set_state(gst::State::Playing).unwrap();
        running
    }

    #[test]
    fn a_pipeline_in_which_nothing_moves_is_stalled() {
        let stall = Duration::from_millis(120);
        let watch = Watch { check: &|| Ok(()), stall, progress: &|_| {} };
        let error = silent().wait("waiting", &watch, |_| Ok(None::<()>)).unwrap_err();
        assert_eq!((error.code(), error.fact("phase")), ("video.stalled", Some("waiting")));
    }

    #[test]
    fn a_beating_pulse_keeps_it_alive() {
        let mut running = silent();
        let pulse = running.pulse().clone();
        let watch =
            Watch { check: &|| Ok(()), stall: Duration::from_millis(120), progress: &|_| {} };
        let mut turns = 0;
        let waited = running.wait("waiting", &watch, |_| {
            pulse.beat();
            turns += 1;
            Ok((turns > 8).then_some(()))
        });
        waited.unwrap();
    }

    #[test]
    fn what_comes_while_others_are_on_their_way_is_started() {
        let mut running = Running::new().unwrap();
        let element = |name| super::super::make(name).unwrap();
        // Nothing comes to this one: it is on its way for ever.
        running.pipeline().add(&element("fakesink")).unwrap();
        running.set_state(gst::State::Paused).unwrap();
        let late = [element("audiotestsrc"), element("identity")];
        super::super::chain(running.pipeline(), &[&late[0], &late[1]]).unwrap();

        running.set_state(gst::State::Paused).unwrap();
        for element in &late {
            assert_eq!(element.state(gst::ClockTime::from_seconds(5)).1, gst::State::Paused);
        }
    }

    #[test]
    fn a_failing_check_ends_the_wait() {
        let watch = Watch {
            check: &|| Err(Error::cancelled()),
            stall: Duration::from_secs(60),
            progress: &|_| {},
        };
        let error = silent().wait("waiting", &watch, |_| Ok(None::<()>)).unwrap_err();
        assert_eq!(error.code(), "job.cancelled");
    }
}
