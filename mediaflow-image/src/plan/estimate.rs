use mediaflow_core::plan::Estimate;

use super::compile::is_file;
use super::work::{ImagePlan, What, Work};
use crate::decode::eighths_for;

/// Peak memory, by walking through the works as they will run.
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
        let made = result(work);
        peak = peak.max(held + made + while_working(plan, work));
        held += made;
        for index in work.from.iter().copied().chain([now]) {
            if last_use(index).is_none_or(|last| last == now) {
                held = held.saturating_sub(result(&plan.works[index]));
            }
        }
    }
    Estimate::cpu(peak)
}

/// Width and height of what a work makes.
pub(super) fn size(work: &Work) -> (u32, u32) {
    let (width, height) = work.size;
    match &work.what {
        What::Source { info, .. } if info.format.name() == "jpeg" => {
            let eighths = eighths_for(width, height, work.demand);
            ((width * eighths).div_ceil(8), (height * eighths).div_ceil(8))
        }
        _ => (width, height),
    }
}

fn bytes(work: &Work) -> u64 {
    let (width, height) = size(work);
    let channels = if work.channels == 0 { 4 } else { work.channels };
    u64::from(width) * u64::from(height) * u64::from(channels)
}

fn result(work: &Work) -> u64 {
    match &work.what {
        // A rough half of a byte per pixel.
        what if what.is_encoder() => pixels(work) / 2,
        What::Source { info, .. } if !is_file(info) => 0,
        _ => bytes(work),
    }
}

/// What is needed beside input and result.
fn while_working(plan: &ImagePlan, work: &Work) -> u64 {
    let from = work.from.first().map(|index| &plan.works[*index]);
    match &work.what {
        // The pure-Rust decoder holds planes; libjpeg-turbo a few rows.
        What::Source { info, .. } if is_file(info) && !cfg!(feature = "turbo") => bytes(work),
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
        What::Jpeg(how) if how.progressive => pixels(work) * 4,
        What::Jpeg(_) => pixels(work),
        What::Png(_) => pixels(work) * 2,
        What::Webp(_) => pixels(work) * 8,
        _ => 0,
    }
}

fn pixels(work: &Work) -> u64 {
    u64::from(work.size.0) * u64::from(work.size.1)
}
