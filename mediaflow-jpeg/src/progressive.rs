use crate::Control;
use crate::area::Area;
use crate::codes::Shorts;
use crate::corners::PLACES;
use crate::differences::Differences;
use crate::failure::{Failure, Unsupported};
use crate::feed::{Data, Feed, WINDOWS};
use crate::header::{Jpeg, Scan, Tables};
use crate::planes::{Means, Planes, Size};
use crate::scans::Reader;

/// Decodes a picture in many scans, of which those are read that hold means, and slopes of colours.
pub(crate) fn decode(
    jpeg: &Jpeg<'_>,
    size: Size,
    control: &Control<'_>,
) -> Result<Planes, Failure> {
    let mut means = Means::new(&jpeg.frame, size);
    let mut given = vec![[None; 64]; jpeg.components()];
    let (mut tables, mut scan, mut at) = (jpeg.tables.clone(), jpeg.scan.clone(), jpeg.data);
    let mut windows = vec![0; WINDOWS];
    loop {
        control.check()?;
        progress(&scan, &mut given)?;
        if tables.restart != jpeg.tables.restart {
            return Err(Unsupported::Scans.into());
        }
        let area = Area::new(&jpeg.frame, &scan.indices());
        let most = area.units.div_ceil(area.every(&tables));
        let data = Data::find(jpeg.bytes, at, most)?;
        area.check(&data, tables.restart)?;
        read(jpeg, area, (&scan, &tables), &data, &mut means, &mut windows, control)?;
        at = data.end;
        let Some((next, data)) = jpeg.next(at, &mut tables)? else { break };
        (scan, at) = (next, data);
    }
    if given.iter().flatten().any(|bit| *bit != Some(0)) {
        return Err(Unsupported::Scans.into());
    }
    Ok(means.planes(&jpeg.frame))
}

/// Reads of a scan what is wanted of it.
fn read(
    jpeg: &Jpeg<'_>,
    area: Area,
    (scan, tables): (&Scan, &Tables),
    data: &Data,
    means: &mut Means,
    windows: &mut [u8],
    control: &Control<'_>,
) -> Result<(), Failure> {
    let (every, units) = (area.every(tables), area.units);
    let mut reader = Reader { area, scan, windows, control };
    let pieces = data.intervals.iter().zip((0..).step_by(every)).map(|(part, from)| {
        let feed = Feed::new(&jpeg.bytes[..part.end], part.clone(), 0);
        (feed, from..units.min(from + every))
    });
    if scan.first > 0 {
        // It has one component: that was looked at.
        let &(index, _, ac) = &scan.parts[0];
        let codes = Shorts::new(tables.ac[ac].as_ref().ok_or(Unsupported::Tables)?);
        if !means.has_corners(index) {
            return Ok(());
        }
        if scan.high == 0 && means.lacks(index, scan.low) {
            return Err(Unsupported::Scans.into());
        }
        let (is_exact, has_slopes) = (means.is_exact(index), usize::from(scan.first) <= PLACES[2]);
        for (feed, units) in pieces {
            match scan.high {
                0 if is_exact || has_slopes => reader.slopes(feed, units, &codes, means)?,
                1.. if is_exact => reader.finer(feed, units, &codes, means)?,
                _ => {}
            }
        }
        return Ok(());
    }
    if scan.high > 0 {
        for (feed, units) in pieces {
            reader.more(feed, units, means)?;
        }
        return Ok(());
    }
    for (index, ..) in &scan.parts {
        means.step(*index, &jpeg.frame, tables)?;
        means.be_exact(*index);
    }
    let codes = differences(scan, tables)?;
    for (feed, units) in pieces {
        reader.first(feed, units, &codes, means)?;
    }
    Ok(())
}

/// Notes which bits of which coefficients a scan gives, each the lowest one, by component.
pub(crate) fn progress(scan: &Scan, given: &mut [[Option<u8>; 64]]) -> Result<(), Unsupported> {
    let Scan { ref parts, first, last, high, low } = *scan;
    let means = (first, last) == (0, 0);
    let others = first > 0 && first <= last && last < 64 && parts.len() == 1;
    if !(means || others) || low > 13 || (high > 0 && high != low + 1) {
        return Err(Unsupported::Scans);
    }
    for (index, ..) in parts {
        let given = &mut given[*index];
        if !means && given[0].is_none() {
            return Err(Unsupported::Scans);
        }
        for bit in &mut given[usize::from(first)..=usize::from(last)] {
            if *bit != (high > 0).then_some(high) {
                return Err(Unsupported::Scans);
            }
            *bit = Some(low);
        }
    }
    Ok(())
}

/// How the differences of each component of a scan are coded.
pub(crate) fn differences(scan: &Scan, tables: &Tables) -> Result<Vec<Differences>, Unsupported> {
    let codes = |(_, dc, _): &(usize, usize, usize)| tables.dc[*dc].as_ref().map(Differences::new);
    scan.parts.iter().map(codes).collect::<Option<_>>().ok_or(Unsupported::Tables)
}
