use std::io::{self, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use mediaflow::media::{Frame, FrameReader, FrameSource, Frames, Image, Layout, MediaFile, Stop};
use mediaflow::spi::RunContext;
use mediaflow::{Failure, Limits, Result};

use super::parent::{Counted, Sandbox};
use super::wire::{self, Task, What};

/// How often a pass that waits for a frame asks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// What stands before a frame, before an error, and at the end.
const FRAME: u8 = 1;
const ERROR: u8 = 2;
const END: u8 = 0;

/// Where frames are pulled from: each pass is a child of its own, which goes with it.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    sandbox: Sandbox,
    file: MediaFile,
    limits: Limits,
}

impl Origin {
    pub(super) fn new(sandbox: Sandbox, file: MediaFile, limits: Limits) -> Self {
        Self { sandbox, file, limits }
    }
}

impl FrameSource for Origin {
    fn open(&self) -> Result<Box<dyn FrameReader>> {
        let (header, body) = wire::packed("", self.file.clone().into(), &self.limits)?;
        let task = Task { limits: self.limits.clone(), what: What::Frames, media: vec![header] };
        let mut child = Command::new(&self.sandbox.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(wire::broken)?;
        let counted = Counted::one_more(&self.sandbox.children);
        let pipes = (child.stdin.take(), child.stdout.take());
        let owned = Owned { child, _counted: counted };
        let (Some(mut to), Some(from)) = pipes else { return Err(wire::died()) };
        let head = wire::head(&task)?;
        to.write_all(&head).and_then(|()| to.write_all(&body)).map_err(wire::broken)?;
        // One frame waits here, one is on the way: the child is never far ahead.
        let (sender, frames) = sync_channel(1);
        let limits = self.limits.clone();
        std::thread::spawn(move || {
            let mut from = from;
            loop {
                let next = next_of(&mut from, &limits);
                let last = !matches!(next, Ok(Some(_)));
                if sender.send(next).is_err() || last {
                    return;
                }
            }
        });
        Ok(Box::new(Pass { frames, _owned: owned }))
    }
}

struct Pass {
    frames: Receiver<Result<Option<Frame>>>,
    _owned: Owned,
}

/// A child that ends with this, whatever it does.
struct Owned {
    child: Child,
    _counted: Counted,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl FrameReader for Pass {
    fn next(&mut self, stop: &dyn Stop) -> Result<Option<Frame>> {
        loop {
            stop.check()?;
            match self.frames.recv_timeout(LOOK) {
                Ok(next) => return next,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(wire::died()),
            }
        }
    }
}

fn next_of(from: &mut ChildStdout, limits: &Limits) -> Result<Option<Frame>> {
    let numbers = |from: &mut ChildStdout| -> io::Result<u64> {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    };
    let mut what = [0];
    from.read_exact(&mut what).map_err(wire::broken)?;
    match what[0] {
        END => Ok(None),
        FRAME => {
            let mut next = || numbers(from).map_err(wire::broken);
            let [start, duration, width, height, channels] =
                [next()?, next()?, next()?, next()?, next()?];
            // What a child says is not believed.
            let side = |side| u32::try_from(side).unwrap_or(u32::MAX);
            limits.check_pixels(side(width), side(height), 1)?;
            let mut pixels = vec![0; (width * height * channels.min(4)) as usize];
            from.read_exact(&mut pixels).map_err(wire::broken)?;
            let image = Image::new(width as u32, height as u32, channels as u8, pixels)?;
            let (start, duration) = (Duration::from_nanos(start), Duration::from_nanos(duration));
            Ok(Some(Frame::new(image, start, duration)))
        }
        _ => {
            let mut failure = Vec::new();
            from.read_to_end(&mut failure).map_err(wire::broken)?;
            let failure: Failure =
                serde_json::from_slice(&failure).map_err(|e| wire::broken(e.into()))?;
            Err(failure.into())
        }
    }
}

/// The child's side: gives each frame as soon as it is made.
pub(super) fn give(frames: &Frames, cx: &RunContext) -> Result<()> {
    let (mut pass, mut to) = (frames.open(cx.limits())?, io::stdout().lock());
    while let Some(frame) = pass.next(cx)? {
        let image = frame.image.to_8_bit();
        let (width, height) = (image.width().into(), image.height().into());
        let channels = Layout::channels(image.layout()).into();
        let times = [frame.start.as_nanos() as u64, frame.duration.as_nanos() as u64];
        let numbers = [times[0], times[1], width, height, channels].map(u64::to_le_bytes);
        let written = to.write_all(&[FRAME]).and_then(|()| to.write_all(numbers.as_flattened()));
        written.and_then(|()| to.write_all(image.pixels())).map_err(wire::broken)?;
    }
    Ok(())
}

/// The child's last word: that these were all, or why not.
pub(super) fn end(results: &[(String, std::result::Result<wire::Found, Failure>)]) -> Result<()> {
    let mut to = io::stdout().lock();
    let written = match results.iter().find_map(|(_, result)| result.as_ref().err()) {
        None => to.write_all(&[END]),
        Some(failure) => to
            .write_all(&[ERROR])
            .and_then(|()| to.write_all(&serde_json::to_vec(failure).unwrap_or_default())),
    };
    written.and_then(|()| to.flush()).map_err(wire::broken)
}
