use std::fmt::Write as _;
use std::hint::black_box;

/// Bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // A `String` takes whatever is written.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether both are the same, in a time that tells nothing of where they differ. It tells whether their lengths do.
#[must_use]
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    let differs = |sum: u8, (one, other): (&u8, &u8)| black_box(sum | (one ^ other));
    one.len() == other.len() && one.iter().zip(other).fold(0, differs) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn bytes_as_text() {
        assert_eq!(hex(&[0, 0x0f, 0xf0, 0xff]), "000ff0ff");
        assert_eq!(hex(&[]), "");
    }

    proptest! {
        #[test]
        fn equal_is_what_it_says(one in any::<Vec<u8>>(), other in any::<Vec<u8>>()) {
            prop_assert_eq!(equal(&one, &other), one == other);
            prop_assert_eq!(equal(&one, &one.clone()), true);
        }
    }
}
