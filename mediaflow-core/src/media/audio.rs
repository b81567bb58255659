use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Format, MediaInfo, Medium, Stop, StreamInfo, StreamKind};
use crate::codes;
use crate::{Error, Result};

/// Sound, pulled in blocks of samples: never all of it is in memory. Blocking, as [`Frames`](super::Frames) are.
#[derive(Clone)]
pub struct Audio {
    rate: u32,
    channels: ChannelLayout,
    duration: Option<Duration>,
    source: Arc<dyn AudioSource>,
}

/// Where sound comes from: a decoder, or a step on the sound of another.
pub trait AudioSource: fmt::Debug + Send + Sync + 'static {
    /// A new pass, from the first sample. Blocking. Every pass gives the same.
    ///
    /// # Errors
    /// What is wrong with the source.
    fn open(&self) -> Result<Box<dyn AudioReader>>;
}

/// One pass over sound.
pub trait AudioReader: Send {
    /// The next block, of any length; none after the last. Blocking.
    ///
    /// # Errors
    /// What is wrong with the source, or that the work is to stop. Nothing comes after an error.
    fn next(&mut self, stop: &dyn Stop) -> Result<Option<AudioBlock>>;
}

/// Some samples.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AudioBlock {
    /// How many samples of each channel were before it.
    pub start: u64,
    /// From -1 to 1, those of one moment side by side, in the order of the channels.
    pub samples: Vec<f32>,
}

/// Which channels there are, in the order of WAVE files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelLayout {
    /// One.
    Mono,
    /// Left, right.
    Stereo,
    /// Left, right, centre, low frequencies, left and right behind.
    Surround51,
    /// Left, right, centre, low frequencies, left and right behind, left and right beside.
    Surround71,
    /// So many, of which nothing is known.
    Discrete(u16),
}

impl ChannelLayout {
    /// How many there are.
    #[must_use]
    pub fn channels(self) -> u16 {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
            Self::Surround51 => 6,
            Self::Surround71 => 8,
            Self::Discrete(channels) => channels,
        }
    }
}

impl AudioBlock {
    /// Samples of which `start` of each channel were before.
    #[must_use]
    pub fn new(start: u64, samples: Vec<f32>) -> Self {
        Self { start, samples }
    }
}

impl Audio {
    /// Sound of `rate` samples per second in each of these channels.
    #[must_use]
    pub fn new(rate: u32, channels: ChannelLayout, source: impl AudioSource) -> Self {
        Self { rate, channels, duration: None, source: Arc::new(source) }
    }

    /// Of which it is known how long it takes.
    #[must_use]
    pub fn with_duration(self, duration: Duration) -> Self {
        Self { duration: Some(duration), ..self }
    }

    /// Samples per second in each channel.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Its channels.
    #[must_use]
    pub fn channels(&self) -> ChannelLayout {
        self.channels
    }

    /// How long it takes, if that is known.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// A new pass, from the first sample. Blocking.
    ///
    /// # Errors
    /// `audio.shape` without a rate or channels, or what the source gives.
    pub fn open(&self) -> Result<OpenAudio> {
        if self.rate == 0 || self.channels.channels() == 0 {
            return Err(Error::internal(codes::AUDIO_SHAPE, "sound has a rate and channels"));
        }
        let channels = usize::from(self.channels.channels());
        Ok(OpenAudio { channels, reader: self.source.open()?, given: 0 })
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        let mut stream = StreamInfo::new(StreamKind::Audio, "raw");
        stream.sample_rate = Some(self.rate);
        stream.channels = Some(self.channels.channels().into());
        let (streams, duration) = (vec![stream], self.duration);
        MediaInfo { duration, streams, ..MediaInfo::new(Format::RAW).with_medium(Medium::Audio) }
    }
}

/// A pass over [`Audio`] that looks at what it gives.
pub struct OpenAudio {
    channels: usize,
    reader: Box<dyn AudioReader>,
    given: u64,
}

impl OpenAudio {
    /// The next block; none after the last. Blocking.
    ///
    /// # Errors
    /// What the source gives; `audio.shape` if a block has not as many samples of each channel, or does not begin where the
    /// one before it ended.
    pub fn next(&mut self, stop: &dyn Stop) -> Result<Option<AudioBlock>> {
        stop.check()?;
        let Some(block) = self.reader.next(stop)? else { return Ok(None) };
        if !block.samples.len().is_multiple_of(self.channels) || block.start != self.given {
            return Err(Error::internal(
                codes::AUDIO_SHAPE,
                "a block of sound does not fit the others",
            )
            .with("start", block.start)
            .with("expected", self.given)
            .with("samples", block.samples.len()));
        }
        self.given += (block.samples.len() / self.channels) as u64;
        Ok(Some(block))
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audio({} Hz, {:?}, {:?})", self.rate, self.channels, self.source)
    }
}

impl fmt::Debug for OpenAudio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenAudio({} channels, {} given)", self.channels, self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of so many samples, each from there.
    #[derive(Clone, Debug)]
    struct Given(Vec<(u64, usize)>);

    impl AudioSource for Given {
        fn open(&self) -> Result<Box<dyn AudioReader>> {
            Ok(Box::new(self.clone()))
        }
    }

    impl AudioReader for Given {
        fn next(&mut self, _stop: &dyn Stop) -> Result<Option<AudioBlock>> {
            let next = (!self.0.is_empty()).then(|| self.0.remove(0));
            Ok(next.map(|(start, samples)| AudioBlock::new(start, vec![0.5; samples])))
        }
    }

    struct Never;

    impl Stop for Never {
        fn check(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn blocks_follow_one_another() {
        let of = |blocks: &[(u64, usize)]| {
            Audio::new(48_000, ChannelLayout::Stereo, Given(blocks.to_vec())).open()
        };
        let mut whole = of(&[(0, 4), (2, 2)]).unwrap();
        assert_eq!(whole.next(&Never).unwrap().unwrap().samples.len(), 4);
        assert_eq!(whole.next(&Never).unwrap().unwrap().start, 2);
        assert_eq!(whole.next(&Never).unwrap(), None);
        for wrong in [&[(0, 3)][..], &[(0, 2), (2, 2)]] {
            let mut pass = of(wrong).unwrap();
            let error = loop {
                match pass.next(&Never) {
                    Ok(block) => assert!(block.is_some(), "{wrong:?}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.code(), "audio.shape", "{wrong:?}");
        }
        let info = Audio::new(8_000, ChannelLayout::Mono, Given(Vec::new())).info();
        assert_eq!(info.stream(StreamKind::Audio).unwrap().sample_rate, Some(8_000));
    }
}
