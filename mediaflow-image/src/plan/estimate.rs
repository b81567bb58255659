use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Estimate;

use super::compile::is_file;
use super::pass;
use super::work::{ImagePlan, What, Work};
use crate::formats;
use crate::word::Extent;

/// Peak memory, by walking through the works as one thread runs them, with another one beside it.
pub(super) fn estimate(plan: &ImagePlan) -> Estimate {
    let last_use = |index: usize| {
        let in_works = plan.works.iter().rposition(|work| work.from.contains(&index));
        if plan.exits.iter().any(|(_, exit)| *exit == index) {
            Some(plan.works.len())
        } else {
            in_works
        }
    };
    let (mut held, mut peak) = (0, 0);
    for (now, work) in plan.works.iter().enumerate() {
        peak = peak.max(held + needs(plan, now) + beside(plan, now));
        held += made(plan, now);
        for index in work.from.iter().copied().chain([now]) {
            if last_use(index).is_none_or(|last| last == now) {
                held = held.saturating_sub(result(&plan.works[index]));
            }
        }
    }
    Estimate::cpu(peak)
}

/// What a work holds while it runs.
pub(super) fn needs(plan: &ImagePlan, index: usize) -> u64 {
    made(plan, index).saturating_add(while_working(plan, &plan.works[index]))
}

/// The most that a work holds which can run at the same time as this one, because what it takes is there before. Sources can wait:
/// a second one takes as much as the first.
fn beside(plan: &ImagePlan, now: usize) -> u64 {
    let later = (now + 1..plan.works.len()).filter(|other| {
        let Work { what, from, pass, .. } = &plan.works[*other];
        let source = pass.is_some() || matches!(what, What::Source { .. });
        !source && from.iter().all(|from| *from < now)
    });
    later.map(|other| needs(plan, other)).max().unwrap_or(0)
}

/// Bytes of what there is more of once a work has ended: with a pass all of its results.
pub(super) fn made(plan: &ImagePlan, index: usize) -> u64 {
    match plan.works[index].pass {
        Some(source) if source == index => {
            pass::results(plan, source).map(|(_, work)| result(work)).sum()
        }
        Some(_) => 0,
        None => result(&plan.works[index]),
    }
}

/// Width and height of what a work makes.
pub(super) fn size(work: &Work) -> (u32, u32) {
    let (width, height) = work.size;
    match &work.what {
        What::Source { info, .. } => {
            let eighths = eighths(info, work);
            ((width * eighths).div_ceil(8), (height * eighths).div_ceil(8))
        }
        _ => (width, height),
    }
}

/// At how many eighths of its size a source is decoded; 8 for one that comes decoded.
pub(super) fn eighths(info: &MediaInfo, source: &Work) -> u32 {
    formats::of(&info.format).map_or(8, |codec| codec.eighths(source.size, source.demand))
}

/// Bytes of what a work makes.
pub(super) fn result(work: &Work) -> u64 {
    match &work.what {
        // Nobody ever has it whole.
        _ if work.pass.is_some() && !pass::is_result(work) => 0,
        What::Copy { info, .. } => info.bytes.max(pixels(work) / 2),
        // A rough half of a byte per pixel.
        what if what.is_encoder() => pixels(work) / 2,
        What::Source { info, .. } if !is_file(info) => 0,
        _ => bytes(work),
    }
}

/// What is needed beside inputs and result.
fn while_working(plan: &ImagePlan, work: &Work) -> u64 {
    let from = work.from.first().map(|index| &plan.works[*index]);
    match &work.what {
        // The file itself, and what it makes its decoder hold.
        What::Source { info, .. } if is_file(info) => {
            let decoder = || decoder(info, bytes(work), size(work), eighths(info, work));
            let decoder = work.pass.map_or_else(decoder, |source| pass::memory(plan, source));
            decoder.saturating_add(info.bytes).saturating_add(info.decoder_bytes)
        }
        // Two sets of coefficients are less than what it takes to decode a file that turns out to be damaged, and to encode it.
        What::Copy { info, encoder, .. } => {
            let picture = 2 * bytes(work);
            let decoder = decoder(info, bytes(work), work.size, 8) + info.decoder_bytes;
            info.bytes + picture + decoder.max(encoder.memory(pixels(work)))
        }
        _ if work.pass.is_some() => 0,
        // Rows are made narrower first, then fewer.
        What::Resample { linear, .. } => {
            let rows = from.map_or(0, |from| u64::from(size(from).1));
            let narrow = rows * u64::from(work.size.0) * u64::from(work.channels.max(1));
            if *linear {
                2 * narrow + 2 * bytes(work) + from.map_or(0, |from| 2 * bytes(from))
            } else {
                narrow
            }
        }
        What::Whole(whole) => {
            let output = extent(work);
            whole.memory(from.map_or(output, extent), output)
        }
        What::File(encoder) => encoder.memory(pixels(work)),
        What::Facts(_) => from.map_or(0, bytes),
        What::Source { .. } | What::Cut { .. } | What::Finish { .. } => 0,
    }
}

/// What a decoder holds beside the file, for so many bytes of a picture of this size.
fn decoder(info: &MediaInfo, bytes: u64, (width, height): (u32, u32), eighths: u32) -> u64 {
    formats::of(&info.format).map_or(0, |codec| {
        let pixels = u64::from(width) * u64::from(height);
        let parts = codec.memory_in_parts(info, eighths, bytes);
        codec.memory(bytes, pixels, eighths).saturating_add(parts)
    })
}

fn bytes(work: &Work) -> u64 {
    let Extent { width, height, channels } = extent(work);
    width * height * channels
}

fn extent(work: &Work) -> Extent {
    let (width, height) = size(work);
    let channels = if work.channels == 0 { 4 } else { work.channels };
    Extent { width: width.into(), height: height.into(), channels: channels.into() }
}

/// Of its result.
pub(super) fn pixels(work: &Work) -> u64 {
    u64::from(work.size.0) * u64::from(work.size.1)
}
