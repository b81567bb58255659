use crate::failure::Failure;
use crate::feed::Data;
use crate::header::{EOI, Jpeg, SOS, is_end, opening, segment};

impl Jpeg<'_> {
    /// The file with nothing but its picture, whose tables and scans are copied as they stand: without comments, application data,
    /// and what follows its end. What the scans say is not looked at. It begins with a JFIF header without a density, or with Adobe's
    /// if the components are red, green and blue.
    ///
    /// # Errors
    /// [`Failure`] if the segments and scans do not follow one another to an end.
    pub fn bare(&self) -> Result<Vec<u8>, Failure> {
        let mut to = opening(self.frame.rgb);
        let mut at = 2;
        while !is_end(self.bytes, at)? {
            let (marker, content, end) = segment(self.bytes, at)?;
            let begin = end - content.len() - 4;
            at = end;
            if marker == SOS {
                at = Data::find(self.bytes, end, 0)?.end;
            }
            if !matches!(marker, 0xE0..=0xEF | 0xFE) {
                to.extend_from_slice(&self.bytes[begin..at]);
            }
        }
        to.extend([0xFF, EOI]);
        Ok(to)
    }
}
