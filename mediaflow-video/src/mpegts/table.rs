//! The tables: which programs there are, and which streams each has (ISO/IEC 13818-1, 2.4.4).

const CRC: usize = 4;

/// A program.
#[derive(Debug)]
pub(super) struct Program {
    /// It was made for discs, which have types of their own.
    pub(super) is_disc: bool,
    pub(super) streams: Vec<Entry>,
}

/// A stream, as its table has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: u8,
    pub(super) pid: u16,
    /// Its descriptors say what it is.
    is_described: bool,
}

impl Entry {
    /// Whether a demuxer knows what it is.
    pub(super) fn is_known(&self, is_disc: bool) -> bool {
        match self.kind {
            0x01..=0x04 | 0x0f..=0x11 | 0x1b | 0x20 | 0x21 | 0x24 | 0x42 | 0x81 | 0xd1 | 0xea => {
                true
            }
            0x87 | 0x8a => true,
            // Of discs; DTS of theirs, 0x82 and others, no demuxer takes.
            0x80 | 0x83 | 0x84 | 0x90..=0x92 => is_disc || self.is_described,
            _ => self.is_described,
        }
    }
}

/// The section that begins here, without what stands before and behind its entries; nothing if it is not whole.
fn content(section: &[u8], table: u8) -> Option<&[u8]> {
    section.get(8..length(section).filter(|_| section.first() == Some(&table))?.checked_sub(CRC)?)
}

fn length(section: &[u8]) -> Option<usize> {
    let length = 3 + usize::from(number(section, 1)? & 0x0fff);
    (length <= section.len()).then_some(length)
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Where the tables of the programs are, by the table of all.
pub(super) fn pmt_pids(section: &[u8]) -> Option<Vec<u16>> {
    const ALL: u8 = 0;
    let entries = content(section, ALL)?.chunks_exact(4);
    let programs = entries.filter(|entry| number(entry, 0) != Some(0));
    let pids: Vec<_> = programs.filter_map(|entry| Some(number(entry, 2)? & 0x1fff)).collect();
    (!pids.is_empty()).then_some(pids)
}

/// Where the entries of streams begin in a section, and where they end.
fn entries(section: &[u8]) -> Option<(usize, usize)> {
    const PROGRAM: u8 = 2;
    let end = 8 + content(section, PROGRAM)?.len();
    let begin = 12 + usize::from(number(section, 10)? & 0x0fff);
    (begin <= end).then_some((begin, end))
}

/// Where each entry begins.
fn starts(section: &[u8]) -> Option<Vec<usize>> {
    let (mut at, end) = entries(section)?;
    let mut starts = Vec::new();
    while at + 5 <= end {
        starts.push(at);
        at += 5 + usize::from(number(section, at + 3)? & 0x0fff);
    }
    Some(starts)
}

/// Reads the table of a program.
pub(super) fn read_program(section: &[u8]) -> Option<Program> {
    let about = section.get(12..entries(section)?.0)?;
    let is_disc = descriptors(about).any(|(tag, body)| tag == 5 && body.starts_with(b"HDMV"));
    let entry = |at: usize| {
        let kind = *section.get(at)?;
        let told = section.get(at + 5..at + 5 + usize::from(number(section, at + 3)? & 0x0fff))?;
        // Registered formats, those of DVB (teletext, subtitles, AC-3, E-AC-3, DTS, AAC) and those with a tag of their own.
        let says = |(tag, _): (u8, &[u8])| {
            matches!(tag, 0x05 | 0x45 | 0x46 | 0x56 | 0x59 | 0x6a | 0x7a..=0x7c | 0x7f | 0x81)
        };
        let is_described = descriptors(told).any(says);
        Some(Entry { kind, pid: number(section, at + 1)? & 0x1fff, is_described })
    };
    let streams = starts(section)?.into_iter().map(entry).collect::<Option<_>>()?;
    Some(Program { is_disc, streams })
}

fn descriptors(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (tag, length) = (*rest.first()?, usize::from(*rest.get(1)?));
        let body = rest.get(2..2 + length)?;
        rest = rest.get(2 + length..)?;
        Some((tag, body))
    })
}

/// Writes other types into the table of a program. Returns whether anything is another now.
pub(super) fn retype(section: &mut [u8], found: impl Fn(u16) -> Option<u8>) -> bool {
    let mut is_other = false;
    for at in starts(section).unwrap_or_default() {
        let kind = number(section, at + 1).and_then(|pid| found(pid & 0x1fff));
        if let (Some(kind), Some(byte)) = (kind, section.get_mut(at)) {
            is_other |= *byte != kind;
            *byte = kind;
        }
    }
    let end = length(section).and_then(|length| length.checked_sub(CRC)).filter(|_| is_other);
    let Some((body, sum)) = end.and_then(|end| section.split_at_mut_checked(end)) else {
        return false;
    };
    sum.get_mut(..CRC).is_some_and(|sum| {
        sum.copy_from_slice(&crc(body).to_be_bytes());
        true
    })
}

/// The check sum of a section.
fn crc(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x04c1_1db7;
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            let carry = sum & 0x8000_0000 != 0;
            sum << 1 ^ if carry { POLYNOMIAL } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with a picture, private sound and sound that its descriptor tells.
    fn section() -> Vec<u8> {
        let mut section = vec![2, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0];
        section.extend([0x1b, 0xe1, 0, 0xf0, 0]);
        section.extend([0x06, 0xe1, 1, 0xf0, 0]);
        section.extend([0x06, 0xe1, 2, 0xf0, 3, 0x6a, 1, 0]);
        section[2] = u8::try_from(section.len() + CRC - 3).unwrap();
        let sum = crc(&section);
        section.extend(sum.to_be_bytes());
        section
    }

    #[test]
    fn a_private_stream_is_told_by_its_descriptors_or_not_at_all() {
        let program = read_program(&section()).unwrap();
        let known: Vec<_> =
            program.streams.iter().map(|s| (s.pid, s.is_known(program.is_disc))).collect();
        assert_eq!(known, [(0x100, true), (0x101, false), (0x102, true)]);
    }

    #[test]
    fn another_type_has_another_sum() {
        let mut section = section();
        assert!(retype(&mut section, |pid| (pid == 0x101).then_some(0x0f)));
        assert_eq!(crc(&section), 0, "the sum of all with its sum is zero");
        assert_eq!(read_program(&section).unwrap().streams[1].kind, 0x0f);
        assert!(!retype(&mut section, |_| None));
    }

    /// Every byte in turn takes hostile values.
    #[test]
    fn a_damaged_table_is_survived() {
        let whole = section();
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut section = whole.clone();
                section[at] = value;
                let _survived = (read_program(&section), pmt_pids(&section));
                retype(&mut section, |_| Some(3));
            }
        }
    }
}
