//! In which form a unit gets its inputs.

use crate::media::Media;
use crate::operation::{Inputs, Takes};
use crate::planner::Unit;
use crate::{Result, RunContext};

/// Gives one picture each to whoever takes no more: of frames and pages the first, and to a backend with 8 bits.
pub(super) async fn given(unit: &Unit, inputs: Inputs, cx: &RunContext) -> Result<Inputs> {
    let eight = match unit {
        Unit::Group { takes_any: false, .. } => true,
        Unit::Step { op, .. } if op.takes() == Takes::Decoded => false,
        _ => return Ok(inputs),
    };
    let mut given = Inputs::new();
    for (name, media) in inputs.into_named() {
        let picture = picture(media, eight, cx).await.map_err(|e| e.with("input", &name))?;
        given = given.and(name, picture);
    }
    Ok(given)
}

async fn picture(media: Media, eight: bool, cx: &RunContext) -> Result<Media> {
    let image = match media {
        Media::Frames(frames) => cx.cpu(move |cx| frames.first(cx.limits(), cx)).await?,
        Media::Pages(pages) => {
            let first = move |cx: &RunContext| pages.render(0, pages.size(0)?, cx.limits(), cx);
            cx.cpu(first).await?
        }
        Media::Image(image) => image,
        other => return Ok(other),
    };
    if eight && image.depth().bits() > 8 {
        return cx.cpu(move |_| Ok(Media::from(image.to_8_bit()))).await;
    }
    Ok(image.into())
}
