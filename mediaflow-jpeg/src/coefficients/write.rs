use super::Coefficients;
use super::scans::Scan;
use super::shortest::Shortest;
use super::tokens::{Counting, Writing};
use crate::Control;
use crate::failure::{Failure, Unsupported};
use crate::header::{EOI, Frame, SOS, opening};

impl Coefficients {
    /// A file of them, with the shortest codes: baseline, or progressive with the scans of libjpeg. The header is JFIF's, without
    /// a density, unless the components are red, green and blue.
    ///
    /// # Errors
    /// [`Failure::Stopped`]; [`Unsupported::Size`] for a side of more than 65,535 pixels.
    pub fn write(&self, progressive: bool, control: &Control<'_>) -> Result<Vec<u8>, Failure> {
        let frame = self.frame(progressive);
        let mut to = opening(self.rgb);
        self.steps(&mut to);
        self.header(&mut to, progressive)?;
        let scans = match progressive {
            true => Scan::progressive(self.components.len()),
            false => vec![Scan::whole(self.components.len())],
        };
        for scan in scans {
            self.scan(&scan, &frame, &mut to, control)?;
        }
        to.extend([0xFF, EOI]);
        Ok(to)
    }

    fn scan(
        &self,
        scan: &Scan,
        frame: &Frame,
        to: &mut Vec<u8>,
        control: &Control<'_>,
    ) -> Result<(), Failure> {
        let mut counting = Counting([[0; 256]; 4]);
        scan.tell(self, frame, &mut counting, control)?;
        let tables = counting.0.each_ref().map(Shortest::of);
        let (mut said, mut told) = ([false; 4], Vec::new());
        for part in &scan.parts {
            let (means, others) = Scan::tables(*part);
            let has_means = scan.first == 0 && scan.high == 0;
            told.extend(has_means.then_some(means));
            told.extend((scan.last > 0).then_some(others));
        }
        for table in told {
            if !std::mem::replace(&mut said[table], true) {
                let kind = [0x00, 0x01, 0x10, 0x11][table];
                let Shortest { lengths, symbols } = &tables[table];
                segment(to, 0xC4, &[&[kind], &lengths[..], symbols].concat());
            }
        }
        let mut header = vec![u8::try_from(scan.parts.len()).unwrap_or(0)];
        for part in &scan.parts {
            let table = u8::from(*part > 0);
            let means = if scan.first == 0 && scan.high == 0 { table << 4 } else { 0 };
            let others = if scan.last > 0 { table } else { 0 };
            header.extend([id(self, *part), means | others]);
        }
        header.extend([scan.first, scan.last, scan.high << 4 | scan.low]);
        segment(to, SOS, &header);
        let mut writing = Writing::new(std::mem::take(to), &tables);
        scan.tell(self, frame, &mut writing, control)?;
        *to = writing.end();
        Ok(())
    }

    /// The steps: one table, or two if components differ.
    fn steps(&self, to: &mut Vec<u8>) {
        for (number, steps) in (0..).zip(self.tables()) {
            let wide = steps.iter().any(|step| *step > 255);
            let mut content = vec![u8::from(wide) << 4 | number];
            for step in steps {
                let [high, low] = step.to_be_bytes();
                content.extend(wide.then_some(high));
                content.push(low);
            }
            segment(to, 0xDB, &content);
        }
    }

    fn tables(&self) -> Vec<&[u16; 64]> {
        let mut tables: Vec<&[u16; 64]> = Vec::new();
        for part in &self.components {
            if !tables.contains(&&part.steps) {
                tables.push(&part.steps);
            }
        }
        tables
    }

    fn header(&self, to: &mut Vec<u8>, progressive: bool) -> Result<(), Failure> {
        let side = |side: u32| u16::try_from(side).map_err(|_| Unsupported::Size);
        let (width, height) = (side(self.width)?, side(self.height)?);
        let tables = self.tables();
        let wide = tables.iter().any(|steps| steps.iter().any(|step| *step > 255));
        let marker = match (progressive, wide) {
            (true, _) => 0xC2,
            (_, true) => 0xC1,
            _ => 0xC0,
        };
        let [h1, h0] = height.to_be_bytes();
        let [w1, w0] = width.to_be_bytes();
        let mut content = vec![8, h1, h0, w1, w0, u8::try_from(self.components.len()).unwrap_or(0)];
        for (index, part) in self.components.iter().enumerate() {
            let factors = u8::try_from(part.across << 4 | part.down).unwrap_or(0x11);
            let table = tables.iter().position(|steps| **steps == part.steps).unwrap_or(0);
            content.extend([id(self, index), factors, u8::try_from(table).unwrap_or(0)]);
        }
        segment(to, marker, &content);
        Ok(())
    }
}

/// The name of a component.
fn id(all: &Coefficients, part: usize) -> u8 {
    match all.rgb {
        true => b"RGB"[part.min(2)],
        false => u8::try_from(part + 1).unwrap_or(0),
    }
}

/// No segment here is long.
fn segment(to: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let len = u16::try_from(content.len() + 2).unwrap_or(u16::MAX);
    to.extend([0xFF, marker]);
    to.extend(len.to_be_bytes());
    to.extend_from_slice(content);
}
