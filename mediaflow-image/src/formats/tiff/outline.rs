use std::collections::BTreeSet;

use mediaflow_core::{Limits, Result};

use super::directory::{Directories, Directory, Order};
use super::layout::{Layout, Packing, is_beside, palette};
use super::metadata;
use crate::codec::{Header, Walk};

/// What is where in a file, and of which directory the picture is.
pub(super) struct Outline {
    pub(super) header: Header,
    pub(super) layout: Layout,
    pub(super) palette: Vec<[u8; 3]>,
    pub(super) order: Order,
    pub(super) directory: Directory,
    /// What is wrong beside the picture.
    pub(super) damage: Option<&'static str>,
}

/// Walks from directory to directory. The picture is the first page that is not a small version of another one.
pub(super) fn read(walk: &mut Walk, limits: &Limits) -> Result<Outline> {
    let format = walk.format().clone();
    let (mut file, first) = Directories::open(walk)?;
    let (mut at, mut seen, mut pages, mut damage) = (first, BTreeSet::new(), 0, None);
    let (mut chosen, mut small): (Option<Directory>, Option<Directory>) = (None, None);
    while at != 0 {
        if !seen.insert(at) {
            damage = Some("the list of its pages is a circle");
            break;
        }
        limits.check_pixels(1, 1, seen.len() as u64)?;
        let found = file.directory(at).and_then(|found| Ok((is_beside(&mut file, &found)?, found)));
        let (beside, found) = match found {
            Ok(found) => found,
            Err(error) if chosen.is_none() => return Err(error),
            Err(_) => {
                damage = Some("the list of its pages is damaged");
                break;
            }
        };
        at = found.next;
        pages += u64::from(!beside);
        let place = if beside { &mut small } else { &mut chosen };
        place.get_or_insert(found);
    }
    let Some(directory) = chosen.or(small) else {
        return Err(file.walk.corrupt("there is no picture in it"));
    };
    metadata::check(&directory, limits)?;
    let layout = Layout::read(&mut file, &directory)?;
    limits.check_pixels(layout.width, layout.height, 1)?;
    let mut header = Header::new(format);
    (header.width, header.height) = (layout.width, layout.height);
    (header.channels, header.orientation) = (layout.channels(), layout.orientation);
    (header.depth, header.icc) = (layout.bits, metadata::has_profile(&directory));
    header.pages = if pages > 1 { pages } else { 0 };
    // One part of a photo is there twice.
    let inner = u64::from(matches!(layout.packing, Packing::Inner { .. })) + 1;
    header.decoder_bytes = layout.band().saturating_mul(inner);
    let palette = palette(&mut file, &layout, limits)?;
    let order = file.order;
    Ok(Outline { header, layout, palette, order, directory, damage })
}
