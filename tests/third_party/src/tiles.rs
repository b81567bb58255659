use mediaflow::Arity;
use mediaflow::media::{Bundle, Format, Image, MediaFile, MediaInfo, Medium};
use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};

use crate::format::{RAWF, rawf};

/// Cuts pictures into square tiles, and leaves out those of a single colour: how many files that gives is not known before.
/// The last file is the index.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiles {
    /// The side of a tile in pixels.
    pub side: u32,
}

impl Operation for Tiles {
    const KIND: &'static str = "acme.tiles";
    const MEDIA: &'static [Medium] = &[Medium::Still, Medium::Animation];

    fn arity(&self) -> Arity {
        Arity::AtLeast(1)
    }

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Bundle
    }

    fn validate(&self) -> mediaflow::Result<()> {
        if self.side > 0 {
            return Ok(());
        }
        Err(Error::input("tiles.side", "a tile has a side"))
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(Bundle::info(Format::RAW))
    }
}

#[async_trait]
impl Run for Tiles {
    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        let side = self.side;
        let images = (0..inputs.len()).map(|at| inputs.get(at)?.clone().into_image());
        let images: Vec<Image> = images.collect::<mediaflow::Result<_>>()?;
        let bundle = cx
            .cpu(move |cx| {
                let (mut bundle, mut names) = (Bundle::new(), String::new());
                for (picture, image) in images.iter().enumerate() {
                    for y in 0..image.height() / side {
                        cx.check()?;
                        for x in 0..image.width() / side {
                            let Some(tile) = tile(image, (x, y), side)? else { continue };
                            let name = format!("{picture}-{x}-{y}");
                            names += &format!("{name}\n");
                            let file =
                                MediaFile::new(&*name, Format::named(RAWF), rawf(&tile).into());
                            bundle = bundle.with(name, file)?;
                        }
                    }
                }
                let index =
                    MediaFile::new("index", Format::named("index"), names.into_bytes().into());
                bundle.with("index", index)
            })
            .await?;
        Ok(Outputs::one(bundle))
    }
}

/// One tile, if it has more than one colour.
fn tile(image: &Image, (x, y): (u32, u32), side: u32) -> mediaflow::Result<Option<Image>> {
    let channels = usize::from(image.channels());
    let (from, width) = ((x * side) as usize * channels, side as usize * channels);
    let rows = image.rows().skip((y * side) as usize).take(side as usize);
    let pixels = rows.flat_map(|row| row[from..from + width].chunks_exact(channels));
    let colours: Vec<[u8; 3]> =
        pixels.map(|pixel| [0, 1, 2].map(|at| pixel[at.min(channels - 1)])).collect();
    if colours.iter().all(|colour| *colour == colours[0]) {
        return Ok(None);
    }
    Image::new(side, side, 3, colours.into_flattened()).map(Some)
}
