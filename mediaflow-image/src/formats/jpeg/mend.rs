//! Copies of damaged files that decoders understand. A decoder follows the letter of the format, or gives up: what is to be
//! read of a file that does not is found out here.

use std::borrow::Cow;

use mediaflow_core::{Result, RunContext};
use mediaflow_jpeg::{Codes, Control, Layout};

use super::frame::{Frame, Scan, Tables};
use super::outline::Outline;
use super::segment::{DHT, DQT, DRI, EOI, SOI, SOS, Segment, is_beside, marker};

/// How many scans are given up, one after the other, until the rest can be read.
const TRIES: usize = 8;

/// A picture of which something is missing.
pub(super) struct Mended<'a> {
    /// Files that hold it, those with more of it first.
    pub(super) versions: Box<dyn Iterator<Item = Vec<u8>> + 'a>,
    /// So many of so many rows are not there.
    pub(super) missing: u64,
    pub(super) of: u64,
}

/// Whether the file has an end marker behind its first scan.
pub(super) fn is_ended(bytes: &[u8], outline: &Outline) -> bool {
    let data = bytes.get(outline.data()..).unwrap_or_default();
    data.windows(2).rev().any(|pair| pair == [0xFF, EOI])
}

/// The file as its decoder can be given it; `None` if that is how it is.
pub(super) fn mended(bytes: &[u8], outline: &Outline, ended: bool) -> Option<Vec<u8>> {
    let odd = is_odd(bytes, outline);
    match (ended, outline.mend || odd) {
        (true, false) => None,
        (false, false) => Some(closed(bytes.to_vec())),
        (true, true) => Some(plain(bytes, outline)),
        (false, true) => Some(closed(plain(bytes, outline))),
    }
}

/// Whether a scan of a baseline picture has parameters that only progressive ones have. Some cameras write zeros or worse.
fn is_odd(bytes: &[u8], outline: &Outline) -> bool {
    if outline.frame.is_progressive() {
        return false;
    }
    let is_odd = |scan: &Segment| bytes[scan.content.end - 3..scan.content.end] != [0, 63, 0];
    let all_in_one = outline.frame.scan(&bytes[outline.scan.content.clone()]);
    let several = all_in_one.is_none_or(|scan| scan.parts.len() < outline.frame.components.len());
    is_odd(&outline.scan) || several && scans(bytes, outline).any(|scan| is_odd(&scan.header))
}

/// The file with nothing but the picture, and with parameters of its scans as they should be.
pub(super) fn plain(bytes: &[u8], outline: &Outline) -> Vec<u8> {
    let mut plain = vec![0xFF, SOI];
    for segment in outline.segments.iter().filter(|segment| is_needed(segment, bytes)) {
        put(segment, bytes, &mut plain);
    }
    let moved = plain.len();
    plain.extend_from_slice(&bytes[outline.scan.at..]);
    if !outline.frame.is_progressive() {
        for scan in scans(bytes, outline) {
            let end = scan.header.content.end - outline.scan.at + moved;
            if let Some(parameters) = plain.get_mut(end - 3..end) {
                parameters.copy_from_slice(&[0, 63, 0]);
            }
        }
    }
    plain
}

/// Tables, the frame, and what says how colours are coded.
fn is_needed(segment: &Segment, bytes: &[u8]) -> bool {
    let data = &bytes[segment.content.clone()];
    match segment.marker {
        0xE0 => data.starts_with(b"JFIF\0") || data.starts_with(b"AVI1"),
        0xEE => data.starts_with(b"Adobe") && data.get(11).is_some_and(|how| *how <= 2),
        marker => matches!(marker, DQT | DRI | 0xC0..=0xCF),
    }
}

fn put(segment: &Segment, bytes: &[u8], to: &mut Vec<u8>) {
    let data = &bytes[segment.content.clone()];
    to.extend([0xFF, segment.marker]);
    to.extend(u16::try_from(data.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    to.extend_from_slice(data);
}

/// With an end marker in the place of what may be left of one.
fn closed(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last() == Some(&0xFF) {
        bytes.pop();
    }
    bytes.extend([0xFF, EOI]);
    bytes
}

/// A scan, with the segments that come before it and after the one before.
struct Part {
    tables: Vec<Segment>,
    header: Segment,
    /// Behind its data.
    end: usize,
}

/// The scans of a picture.
fn scans<'a>(bytes: &'a [u8], outline: &Outline) -> impl Iterator<Item = Part> + 'a {
    let mut next = Some((Vec::new(), outline.scan.clone()));
    std::iter::from_fn(move || {
        let (tables, header) = next.take()?;
        let end = end_of_data(bytes, header.content.end);
        next = segments(bytes, end);
        Some(Part { tables, header, end })
    })
}

/// How many scans a decoder may find at most. What is thought to be one in a comment is none; where it is not known what follows
/// the last one, everything that looks like one counts.
pub(super) fn count_scans(bytes: &[u8], outline: &Outline) -> usize {
    let (mut count, mut end) = (0, outline.data());
    for part in scans(bytes, outline) {
        (count, end) = (count + 1, part.end);
    }
    loop {
        let Some((name, place)) = marker(bytes, end).filter(|(name, _)| *name != EOI) else {
            return count;
        };
        let Some(len) = bytes.get(place + 1..place + 3).filter(|_| is_beside(name)) else { break };
        end = place + 1 + usize::from(u16::from_be_bytes([len[0], len[1]])).max(2);
    }
    let rest = bytes.get(end..).unwrap_or_default();
    count + rest.windows(2).filter(|pair| *pair == [0xFF, SOS]).count()
}

/// Behind the data that begins here: at the next marker that is none of its own.
fn end_of_data(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some((name, place)) = marker(bytes, at) {
        if !matches!(name, 0xD0..=0xD7) {
            return place - 1;
        }
        at = place + 1;
    }
    bytes.len()
}

/// The segments from here to the next scan, and that.
fn segments(bytes: &[u8], mut at: usize) -> Option<(Vec<Segment>, Segment)> {
    let mut tables = Vec::new();
    loop {
        let (name, place) = marker(bytes, at)?;
        if name == EOI {
            return None;
        }
        let len = bytes.get(place + 1..place + 3)?;
        let end = place + 1 + usize::from(u16::from_be_bytes([len[0], len[1]]));
        if end < place + 3 || end > bytes.len() {
            return None;
        }
        let segment = Segment { marker: name, at: place - 1, content: place + 3..end };
        if name == SOS {
            return (segment.content.len() >= 6).then_some((tables, segment));
        }
        tables.push(segment);
        at = end;
    }
}

/// Whether the scans give all of the picture, if each is whole.
pub(super) fn has_all_scans(bytes: &[u8], outline: &Outline) -> bool {
    let frame = &outline.frame;
    // The lowest bit of each coefficient that is there, by component.
    let mut lowest = vec![[u8::MAX; 64]; frame.components.len()];
    for scan in scans(bytes, outline) {
        let Some(scan) = frame.scan(&bytes[scan.header.content.clone()]) else { return false };
        let (first, last, low) = match frame.is_progressive() {
            true => (scan.first, scan.last, scan.low),
            false => (0, 63, 0),
        };
        for index in scan.parts.iter().filter_map(|(part, ..)| frame.index(*part)) {
            let bits = lowest.get_mut(index).into_iter().flatten();
            let given = bits.take(usize::from(last.min(63)) + 1).skip(usize::from(first));
            given.for_each(|bit| *bit = low);
        }
    }
    lowest.iter().flatten().all(|low| *low == 0)
}

/// What can be read of a picture: scans that break off go on as flat, and of a progressive one those that can not be read are
/// left out, the last ones first. `None` if there is nothing of it.
///
/// # Errors
/// What [`RunContext::check`] gives.
pub(super) fn readable<'a>(
    bytes: &'a [u8],
    outline: &'a Outline,
    cx: &RunContext,
) -> Result<Option<Mended<'a>>> {
    let frame = &outline.frame;
    let Some(mut tables) = Tables::of(&outline.segments, bytes) else { return Ok(None) };
    let mut head = vec![0xFF, SOI];
    for segment in outline.segments.iter().filter(|segment| is_needed(segment, bytes)) {
        if segment.marker != DHT {
            put(segment, bytes, &mut head);
        }
    }
    tables.complete();
    tables.put_codes(&mut head);
    let (mut missing, mut of, mut parts) = (0, 1, Vec::new());
    let mut absent: Vec<_> = frame.components.clone();
    let mut numbers = None;
    for part in scans(bytes, outline) {
        let mut made = Vec::new();
        for segment in &part.tables {
            let taken = tables.take(segment, bytes).is_some();
            if taken && matches!(segment.marker, DQT | DRI) {
                put(segment, bytes, &mut made);
            }
        }
        if part.tables.iter().any(|segment| segment.marker == DHT) {
            tables.complete();
            tables.put_codes(&mut made);
        }
        let Some(mut scan) = frame.scan(&bytes[part.header.content.clone()]) else { break };
        put(&part.header, bytes, &mut made);
        if !frame.is_progressive() {
            let end = made.len();
            made[end - 3..].copy_from_slice(&[0, 63, 0]);
            scan = Scan { first: 0, last: 63, high: 0, low: 0, ..scan };
        }
        let data = &bytes[part.header.content.end..part.end];
        // What refines a picture is left as it is.
        let coarse = !frame.is_progressive() || (scan.first == 0 && scan.high == 0);
        let data = if coarse {
            let Some(Rebuilt { data, rows, lost }) = rebuilt(data, frame, &scan, &tables, cx)?
            else {
                break;
            };
            // Without the other components a row has no colour, and is still there.
            let shows = scan.parts.iter().any(|(part, ..)| frame.index(*part) == Some(0));
            (missing, of) = (missing.max(if shows { lost } else { 0 }), rows);
            absent.retain(|part| {
                !scan.parts.iter().any(|(there, ..)| frame.index(*there) == frame.index(*part))
            });
            numbers = scan.parts.last().map(|(_, dc, ac)| (*dc, *ac));
            Cow::Owned(data)
        } else {
            Cow::Borrowed(data)
        };
        made.extend_from_slice(&data);
        parts.push(made);
    }
    if parts.is_empty() || missing >= of {
        return Ok(None);
    }
    if let Some((dc, ac)) = numbers.filter(|_| !frame.is_progressive()) {
        for part in absent {
            let scan = Scan { parts: vec![(part, dc, ac)], first: 0, last: 63, high: 0, low: 0 };
            let Some(flat) = rebuilt(&[], frame, &scan, &tables, cx)? else { break };
            let header = [0xFF, SOS, 0, 8, 1, part.id, dc << 4 | ac, 0, 63, 0];
            parts.push([&header[..], &flat.data].concat());
        }
    }
    let fewest = parts.len().saturating_sub(TRIES).max(1);
    let counts = (fewest..=parts.len()).rev().chain((fewest > 1).then_some(1));
    let versions = counts.map(move |count| {
        let mut file = head.clone();
        parts[..count].iter().for_each(|part| file.extend_from_slice(part));
        closed(file)
    });
    Ok(Some(Mended { versions: Box::new(versions), missing, of }))
}

/// The data of a scan with all of its units: those that can not be read go on as flat.
struct Rebuilt {
    data: Vec<u8>,
    /// Rows of the picture, and how many of them are not there.
    rows: u64,
    lost: u64,
}

/// Reads the codes of a scan that gives whole blocks, or the first bits of them, and writes it anew with all that is missing.
/// `None` if its tables do not do for that.
///
/// # Errors
/// What [`RunContext::check`] gives.
fn rebuilt(
    data: &[u8],
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    cx: &RunContext,
) -> Result<Option<Rebuilt>> {
    let Some((layout, units)) = layout(frame, scan, tables) else { return Ok(None) };
    let stop = || cx.check().is_err();
    let control = Control::new(cx.limits().image_bytes).stopped_by(&stop);
    let Ok(rebuilt) = layout.rebuilt(data, &control) else { return cx.check().map(|()| None) };
    let rows = u64::from(frame.height);
    let lost = (rebuilt.lost * rows).div_ceil(units.max(1));
    Ok(Some(Rebuilt { data: rebuilt.data, rows, lost }))
}

/// The units of a scan, and how many there are.
fn layout(frame: &Frame, scan: &Scan, tables: &Tables) -> Option<(Layout, u64)> {
    let units = match &*scan.parts {
        [(part, ..)] => frame.blocks(*part),
        _ => frame.units(),
    };
    let codes = |wanted: u8| {
        let (_, lengths, symbols) = tables.huffman.iter().find(|(kind, ..)| *kind == wanted)?;
        Codes::new(lengths, symbols).ok()
    };
    let mut layout = Layout::new(units, tables.restart);
    for (part, dc, ac) in &scan.parts {
        let count = if scan.parts.len() > 1 { part.across * part.down } else { 1 };
        let ac = if scan.last > 0 { Some(codes(0x10 | *ac)?) } else { None };
        layout = layout.blocks(count, &codes(*dc)?, ac.as_ref())?;
    }
    Some((layout, units.0 * units.1))
}
