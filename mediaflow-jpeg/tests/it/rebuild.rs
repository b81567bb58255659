//! What can be read of a damaged scan.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Codes, Control, Layout, Rebuilt};
use turbojpeg::Subsamp;

use crate::support::{Made, coarse, our_planes, place, with_restarts};

/// The codes of a file by class and number, and where its data begins.
fn codes(file: &[u8]) -> (Vec<(u8, Codes)>, usize) {
    let (mut found, mut at) = (Vec::new(), 2);
    loop {
        let end = at + 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        let mut content = &file[at + 4..end];
        match file[at + 1] {
            0xDA => return (found, end),
            0xC4 => {
                while let [kind, rest @ ..] = content {
                    let (counts, rest) = rest.split_first_chunk::<16>().unwrap();
                    let count = counts.iter().map(|count| usize::from(*count)).sum();
                    found.push((*kind, Codes::new(counts, &rest[..count]).unwrap()));
                    content = &rest[count..];
                }
            }
            _ => {}
        }
        at = end;
    }
}

/// The units of a 4:2:0 file, and where its data begins.
fn layout(file: &[u8], units: (u64, u64), restart: u64) -> (Layout, usize) {
    let (codes, begin) = codes(file);
    let of = |kind: u8| &codes.iter().find(|(known, _)| *known == kind).unwrap().1;
    let mut layout = Layout::new(units, restart);
    for (count, number) in [(4, 0), (1, 1), (1, 1)] {
        layout = layout.blocks(count, of(number), Some(of(0x10 | number))).unwrap();
    }
    (layout, begin)
}

fn rebuilt(file: &[u8], layout: &Layout, data: &[u8]) -> (Rebuilt, Vec<Vec<u8>>) {
    let rebuilt = layout.rebuilt(data, &Control::new(1 << 30)).unwrap();
    let begin = codes(file).1;
    let whole = [&file[..begin], &rebuilt.data, b"\xFF\xD9"].concat();
    let planes = our_planes(&coarse(&whole).unwrap());
    (rebuilt, planes)
}

#[test]
fn a_cut_goes_on_as_flat() {
    let made = Made {
        size: (320, 320),
        subsamp: Subsamp::Sub2x2,
        quality: 85,
        optimize: false,
        progressive: false,
    };
    let file = made.file(2);
    let (layout, begin) = layout(&file, (20, 20), 0);
    let whole = our_planes(&coarse(&file).unwrap());
    let (all, planes) = rebuilt(&file, &layout, &file[begin..file.len() - 2]);
    assert_eq!((all.lost, planes), (0, whole.clone()));
    let half = begin + (file.len() - begin) / 2;
    let (cut, planes) = rebuilt(&file, &layout, &file[begin..half]);
    assert!((150..250).contains(&cut.lost), "{} units", cut.lost);
    let there = 16 / 8 * 40 * ((400 - usize::try_from(cut.lost).unwrap()) / 20);
    assert_eq!(planes[0][..there], whole[0][..there]);
    // Flat is like the last block that is there.
    let last = planes[0].last().unwrap();
    assert!(planes[0][there + 160..].iter().all(|value| value == last));
}

#[test]
fn a_lost_interval_costs_no_other() {
    let file = with_restarts((320, 320), Some(SamplingFactor::F_2_2), 20, false);
    let (layout, begin) = layout(&file, (20, 20), 20);
    let whole = our_planes(&coarse(&file).unwrap());
    let (from, to) = (place(&file, 0xD2), place(&file, 0xD4));
    let data = [&file[begin..from], &file[to..file.len() - 2]].concat();
    let (found, planes) = rebuilt(&file, &layout, &data);
    assert_eq!(found.lost, 40);
    let row = 2 * 40;
    assert_eq!(planes[0][..3 * row], whole[0][..3 * row]);
    assert_eq!(planes[0][5 * row..], whole[0][5 * row..]);
}
