//! The same conversion by mediaflow, as a host asks for it, and by the command line of `ffmpeg`, as its friend writes it.

use std::path::{Path, PathBuf};

use mediaflow::prelude::*;
use mediaflow::video::Mp4;

use super::cases::{Case, Work};
use super::{Result, ffmpeg};

/// So that what an encoder takes away hides nothing else.
const CRF: u8 = 14;
const SOUND_BITS: u32 = 192_000;

/// An engine whose storages are the folders of the sources and of the results.
pub(crate) struct Host {
    media: Mediaflow,
    out: PathBuf,
}

impl Host {
    pub(crate) async fn start(folders: [&Path; 2], out: &Path) -> Result<Self> {
        let mut builder = Mediaflow::builder().storage("out", &place(out));
        for (name, folder) in ["drawn", "committed"].into_iter().zip(folders) {
            builder = builder.storage(name, &place(folder));
        }
        let media = builder.with(video::operations).start().await?;
        Ok(Self { media, out: out.to_owned() })
    }

    /// The result, or the code of what it failed with.
    pub(crate) async fn convert(
        &self,
        case: &Case,
        source: &Path,
    ) -> Result<Result<PathBuf, String>> {
        let name = source.file_name().ok_or("a source has a name")?.to_string_lossy();
        let storage = if case.is_committed() { "committed" } else { "drawn" };
        let result = self.out.join(case.result_name(&name));
        let place = format!("out/{}", case.result_name(&name));
        let mp4 = Mp4::crf(CRF).audio_bitrate(SOUND_BITS);
        let pipeline =
            Pipeline::from(format!("{storage}/{name}")).output(place, |clip| match case.work {
                Work::Film { steps, .. } => steps(clip).mp4(mp4),
                Work::Copy => clip,
            });
        let pipeline = pipeline.build()?;
        // The result of an earlier run must not be taken for one of this.
        if result.exists() {
            std::fs::remove_file(&result)?;
        }
        let done = self.media.submit(pipeline).await?.done().await;
        Ok(match done {
            Ok(_) => Ok(result),
            Err(error) => Err(format!("{}: {error}", error.code())),
        })
    }
}

fn place(folder: &Path) -> String {
    format!("file:{}", folder.display())
}

/// What `ffmpeg` makes of it.
pub(crate) fn by_ffmpeg(case: &Case, source: &Path, out: &Path) -> Result<PathBuf> {
    let name = source.file_name().ok_or("a source has a name")?.to_string_lossy();
    let result = out.join(case.result_name(&name));
    let source = source.to_string_lossy();
    let (crf, bits) = (CRF.to_string(), SOUND_BITS.to_string());
    let mut arguments = Vec::new();
    match case.work {
        Work::Film { seek, filters, output, .. } => {
            arguments.extend(seek.split_whitespace());
            arguments.extend(["-i", &source, "-map", "0:v:0", "-map", "0:a:0?", "-vf", filters]);
            let picture = "-c:v libx264 -preset medium -profile:v high -pix_fmt yuv420p -fps_mode passthrough \
                -enc_time_base -1 -video_track_timescale 90000 -crf";
            arguments.extend(picture.split_whitespace());
            arguments.push(&crf);
            arguments.extend("-c:a aac -aac_ms 0 -b:a".split_whitespace());
            arguments.push(&bits);
            arguments.extend(output.split_whitespace());
            arguments.extend("-map_metadata -1 -movflags +faststart".split_whitespace());
        }
        Work::Copy => arguments.extend(["-i", &source, "-c", "copy", "-map_metadata", "-1"]),
    }
    ffmpeg::make(&arguments, &result)?;
    Ok(result)
}
