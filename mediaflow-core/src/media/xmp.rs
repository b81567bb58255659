/// What a picture is turned by, in the words of TIFF.
const ORIENTATION: &[u8] = b"tiff:Orientation";

/// A packet of XMP with its orientation set to upright, for pixels that were turned. It stays as long as it was, and nothing else
/// in it changes.
///
/// ```
/// use mediaflow_core::media::upright_xmp;
///
/// assert_eq!(upright_xmp(b"<a tiff:Orientation='6'/>"), b"<a tiff:Orientation='1'/>");
/// ```
#[must_use]
pub fn upright_xmp(packet: &[u8]) -> Vec<u8> {
    let mut upright = packet.to_vec();
    let mut at = 0;
    let find = |from: usize| {
        let rest = packet.get(from..)?;
        let found = rest.windows(ORIENTATION.len()).position(|window| window == ORIENTATION);
        Some(from + found?)
    };
    while let Some(found) = find(at) {
        at = found + ORIENTATION.len();
        // `="6"` or `>6<`.
        let between = |byte: &u8| byte.is_ascii_whitespace() || b"=\"'>".contains(byte);
        let rest = packet.get(at..).unwrap_or_default();
        let value = at + rest.iter().take_while(|byte| between(byte)).count();
        if let Some(digit) = upright.get_mut(value).filter(|digit| digit.is_ascii_digit()) {
            *digit = b'1';
        }
    }
    upright
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orientation_is_reset_wherever_it_stands() {
        let packet = b"<a tiff:Orientation=\"6\"/><tiff:Orientation>\n 8</tiff:Orientation>";
        let upright = String::from_utf8(upright_xmp(packet)).unwrap();
        assert_eq!(upright, "<a tiff:Orientation=\"1\"/><tiff:Orientation>\n 1</tiff:Orientation>");
    }
}
