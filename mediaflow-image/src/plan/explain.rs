use mediaflow_core::geometry::Rect;
use mediaflow_core::media::OnDamage;
use mediaflow_core::ops::Kernel;
use mediaflow_core::plan::{Explanation, Stage};

use super::compile::is_file;
use super::estimate;
use super::work::{ImagePlan, What, Work};
use crate::formats;
use crate::pixels::{Bounds, Turn};

pub(super) fn explain(plan: &ImagePlan) -> Explanation {
    let decodes = plan
        .works
        .iter()
        .filter(|work| matches!(&work.what, What::Source { info, .. } if is_file(info)));
    let decodes = u32::try_from(decodes.count()).unwrap_or(u32::MAX);
    let explanation = Explanation::new("image", estimate::estimate(plan)).with_decodes(decodes);
    plan.works.iter().map(|work| stage(plan, work)).fold(explanation, Explanation::with_stage)
}

fn stage(plan: &ImagePlan, work: &Work) -> Stage {
    let (width, height) = estimate::size(work);
    let (action, detail) = stage_text(plan, work);
    let stage =
        Stage::new(action, detail).with_steps(work.steps.iter().cloned()).with_size(width, height);
    let from = match &work.what {
        What::Copy { info, .. } => Some(info.stored_size()),
        _ => work.from.first().map(|index| plan.works[*index].size),
    };
    match (crop(work), from) {
        (Some(crop), Some(from)) if !covers(crop, from) => stage.with_crop(crop),
        _ => stage,
    }
}

fn stage_text(plan: &ImagePlan, work: &Work) -> (&'static str, String) {
    match &work.what {
        What::Source { name, info } if is_file(info) => {
            let (width, height) = info.stored_size();
            let eighths = estimate::eighths(info, work);
            let scale = match eighths {
                1 => "1/8",
                2 => "1/4",
                4 => "1/2",
                _ => "full size",
            };
            let damage = match plan.on_damage {
                OnDamage::Accept => ", as far as it goes if it is damaged",
                _ => "",
            };
            let codec = formats::of(&info.format);
            let streams = codec.is_some_and(|codec| codec.by_rows(info));
            let tells = codec.map_or("", |codec| codec.tells(eighths));
            let rows = match work.pass {
                Some(_) => ", by rows",
                None if streams => ", as a whole",
                None => "",
            };
            let format = &info.format;
            let of = format!("`{name}`, {format} of {width}x{height}");
            ("decode", format!("{of}, at {scale}{tells}{rows}{damage}"))
        }
        What::Source { name, .. } => ("take", format!("`{name}`, already decoded")),
        What::Resample { kernel, linear, .. } => {
            let light = if *linear { " in linear light" } else { "" };
            ("resize", format!("{}{light}, from {}", kernel_name(*kernel), origin(plan, work)))
        }
        What::Cut { .. } => ("crop", format!("from {}", origin(plan, work))),
        What::Finish { turn, tones, canvas } => {
            let mut done = Vec::new();
            if *turn != Turn::NONE {
                done.push("turn upright or as asked".into());
            }
            if !tones.is_none() {
                done.push(tones.names());
            }
            if canvas.is_some() {
                done.push("lay on a canvas".into());
            }
            ("finish", done.join(", "))
        }
        What::Whole(whole) => whole.explain(),
        What::Facts(finder) => ("find", finder.explain()),
        What::File(encoder) => ("encode", encoder.explain()),
        What::Copy { name, info, part, encoder } => {
            let (width, height) = info.stored_size();
            let how = encoder.copies(info, part).unwrap_or_default();
            let format = &info.format;
            ("copy", format!("`{name}`, {format} of {width}x{height}, without a loss: {how}"))
        }
    }
}

/// The name of what a work takes from, for people.
fn origin(plan: &ImagePlan, work: &Work) -> String {
    let Some(from) = work.from.first().map(|index| &plan.works[*index]) else {
        return String::new();
    };
    match (&from.what, from.steps.first()) {
        (What::Source { name, .. }, _) => format!("`{name}`"),
        (_, Some(step)) => format!("`{step}`"),
        (_, None) => "the step before".to_owned(),
    }
}

fn crop(work: &Work) -> Option<Rect> {
    match work.what {
        What::Resample { crop, .. } | What::Cut { crop } => Some(crop),
        What::Copy { part, .. } => {
            let Bounds { left, top, width, height } = part.crop;
            let [x, y, width, height] = [left, top, width, height].map(f64::from);
            Some(Rect { x, y, width, height })
        }
        _ => None,
    }
}

fn covers(crop: Rect, (width, height): (u32, u32)) -> bool {
    crop.x.abs() < 0.5
        && crop.y.abs() < 0.5
        && (crop.width - f64::from(width)).abs() < 0.5
        && (crop.height - f64::from(height)).abs() < 0.5
}

fn kernel_name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Nearest => "nearest",
        Kernel::Bilinear => "bilinear",
        Kernel::CatmullRom => "catmull_rom",
        Kernel::Mitchell => "mitchell",
        Kernel::Lanczos3 => "lanczos3",
    }
}
