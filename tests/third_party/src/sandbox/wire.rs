use super::frames::Origin;
use mediaflow::media::{
    Depth, Format, Frames, Image, Layout, Loops, Media, MediaFile, MediaInfo, OnDamage,
};
use mediaflow::plan::Demand;
use mediaflow::spi::backend::Group;
use mediaflow::{Error, Failure, Inputs, Limits, Registry, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What a child is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) limits: Limits,
    pub(super) what: What,
    pub(super) media: Vec<Header>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum What {
    Group(Box<Steps>),
    Probe,
    Decode(Wanted),
    /// All frames, one by one.
    Frames,
    Verify(Box<MediaInfo>),
}

/// A group, and whose it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Steps {
    pub(super) backend: String,
    inputs: Vec<(String, MediaInfo, Wanted)>,
    steps: Vec<Step>,
    pub(super) exits: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Step {
    name: String,
    op: String,
    v: u32,
    with: Map<String, Value>,
    from: Vec<String>,
}

/// A demand.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    scale: f64,
    all: bool,
}

/// What came of it: of a group by the names of its exits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) results: Vec<(String, std::result::Result<Found, Failure>)>,
    pub(super) decodes: u32,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Found {
    Media(Header),
    Info(Box<MediaInfo>),
}

/// What is said of media before their bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    name: String,
    bytes: u64,
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Pixels {
        width: u32,
        height: u32,
        channels: u8,
        sixteen: bool,
    },
    File {
        name: String,
        format: Format,
        on_damage: OnDamage,
    },
    Facts(Value),
    /// How they are; none of them follows.
    Frames {
        width: u32,
        height: u32,
        channels: u8,
        count: Option<u64>,
        loops: Option<u32>,
    },
}

impl From<Demand> for Wanted {
    fn from(demand: Demand) -> Self {
        Self { scale: demand.as_scale(), all: demand.wants_all() }
    }
}

impl From<Wanted> for Demand {
    fn from(wanted: Wanted) -> Self {
        let demand = Self::scale(wanted.scale);
        if wanted.all { demand } else { demand.first() }
    }
}

impl Steps {
    pub(super) fn of(backend: &str, group: &Group) -> Result<Self> {
        let inputs = group.inputs.iter();
        let inputs =
            inputs.map(|input| (input.name.clone(), input.info.clone(), input.demand.into()));
        let step = |step: &mediaflow::spi::backend::GroupStep| {
            let Value::Object(with) = step.op.params()? else {
                return Err(Error::internal("sandbox.params", "parameters are an object"));
            };
            let (name, op, v) = (step.name.clone(), step.op.kind().to_owned(), step.op.version());
            Ok(Step { name, op, v, with, from: step.from.clone() })
        };
        Ok(Self {
            backend: backend.to_owned(),
            inputs: inputs.collect(),
            steps: group.steps.iter().map(step).collect::<Result<_>>()?,
            exits: group.exits.clone(),
        })
    }

    /// The names of its inputs.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|(name, ..)| name.as_str())
    }

    pub(super) fn group(&self, registry: &Registry, limits: &Limits) -> Result<Group> {
        let mut group = Group::new(limits.clone());
        for (name, info, wanted) in &self.inputs {
            group = group.with_input(name, info.clone(), (*wanted).into());
        }
        for step in &self.steps {
            let from: Vec<&str> = step.from.iter().map(String::as_str).collect();
            group = group.with_step(
                &step.name,
                registry.parse(&step.op, step.v, &step.with)?,
                &from,
            )?;
        }
        Ok(self.exits.iter().fold(group, |group, exit| group.with_exit(exit)))
    }
}

/// The header of media, and their bytes. Blocking, for files.
pub(super) fn packed(name: &str, media: Media, limits: &Limits) -> Result<(Header, Vec<u8>)> {
    let (kind, bytes) = match media {
        Media::Image(image) => {
            let (width, height, channels) = (image.width(), image.height(), image.channels());
            let sixteen = image.depth() == Depth::Sixteen;
            (Kind::Pixels { width, height, channels, sixteen }, image.into_pixels())
        }
        Media::File(file) => {
            let (name, format) = (file.name().to_owned(), file.format().clone());
            let on_damage = file.on_damage();
            (Kind::File { name, format, on_damage }, file.blob().read(limits.image_bytes)?.into())
        }
        Media::Facts(facts) => (Kind::Facts(facts.into_value()), Vec::new()),
        Media::Frames(frames) => {
            let (width, height) = (frames.width(), frames.height());
            let (channels, count) = (frames.layout().channels(), frames.count());
            let loops = match frames.loops() {
                Loops::Times(times) => Some(times),
                _ => None,
            };
            (Kind::Frames { width, height, channels, count, loops }, Vec::new())
        }
        _ => {
            return Err(Error::unsupported("sandbox.media", "this goes over no pipe yet")
                .with("input", name));
        }
    };
    Ok((Header { name: name.to_owned(), bytes: bytes.len() as u64, kind }, bytes))
}

impl Header {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The media of these bytes. Frames are pulled from the origin.
    pub(super) async fn read(
        self,
        from: &mut (impl AsyncRead + Unpin + Send),
        origin: Option<&Origin>,
    ) -> Result<Media> {
        let mut bytes = Vec::new();
        from.take(self.bytes).read_to_end(&mut bytes).await.map_err(broken)?;
        if bytes.len() as u64 != self.bytes {
            return Err(died());
        }
        Ok(match self.kind {
            Kind::Pixels { width, height, channels, sixteen } => {
                let layout = Layout::of_channels(channels);
                let layout =
                    layout.ok_or_else(|| broken(std::io::ErrorKind::InvalidData.into()))?;
                let depth = if sixteen { Depth::Sixteen } else { Depth::Eight };
                Image::typed(width, height, layout, depth, bytes)?.into()
            }
            Kind::File { name, format, on_damage } => {
                MediaFile::new(name, format, bytes.into()).with_on_damage(on_damage).into()
            }
            Kind::Facts(facts) => mediaflow::media::Facts::new(facts)?.into(),
            Kind::Frames { width, height, channels, count, loops } => {
                let (Some(layout), Some(origin)) = (Layout::of_channels(channels), origin) else {
                    return Err(broken(std::io::ErrorKind::InvalidData.into()));
                };
                let frames = Frames::new(width, height, layout, origin.clone());
                let frames = frames.with_loops(loops.map_or(Loops::Forever, Loops::Times));
                count.map_or(frames.clone(), |count| frames.with_count(count)).into()
            }
        })
    }
}

/// All that is behind a task.
pub(super) async fn inputs(
    headers: Vec<Header>,
    from: &mut (impl AsyncRead + Unpin + Send),
) -> Result<Inputs> {
    let mut inputs = Inputs::new();
    for header in headers {
        let name = header.name().to_owned();
        inputs = inputs.and(name, header.read(from, None).await?);
    }
    Ok(inputs)
}

/// The most bytes of a header.
const HEADER: u32 = 16 << 20;

/// A header as it is written: its length, and JSON.
pub(super) fn head(header: &impl Serialize) -> Result<Vec<u8>> {
    let header = serde_json::to_vec(header).map_err(|e| broken(e.into()))?;
    Ok([&(header.len() as u32).to_le_bytes()[..], &header].concat())
}

pub(super) async fn write(
    header: &impl Serialize,
    bodies: &[Vec<u8>],
    to: &mut (impl AsyncWrite + Unpin + Send),
) -> Result<()> {
    let head = head(header)?;
    let written = async {
        to.write_all(&head).await?;
        for body in bodies {
            to.write_all(body).await?;
        }
        to.flush().await
    };
    written.await.map_err(broken)
}

pub(super) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin + Send),
) -> Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await.map_err(broken)?;
    let length = u32::from_le_bytes(length);
    if length > HEADER {
        return Err(broken(std::io::ErrorKind::InvalidData.into()));
    }
    let mut header = vec![0; length as usize];
    from.read_exact(&mut header).await.map_err(broken)?;
    serde_json::from_slice(&header).map_err(|e| broken(e.into()))
}

pub(super) fn broken(cause: std::io::Error) -> Error {
    died().because(cause)
}

/// The child is gone, or talks nonsense. The same input would do it again.
pub(super) fn died() -> Error {
    Error::backend("sandbox.died", "the process that did the work ended before it was done")
        .retrying(mediaflow::Retry::Never)
}
