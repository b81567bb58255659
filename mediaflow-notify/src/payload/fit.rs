//! Bodies that keep to a limit.

use std::io;

use serde::Serialize;

/// No item of a list is shorter: the id of a job, with its quotes.
const SHORTEST: usize = 38;

/// The JSON of something, unless it has more bytes than the limit allows. No more than that is ever written.
pub(crate) fn encode(value: &impl Serialize, limit: usize) -> Option<Vec<u8>> {
    let mut bounded = Bounded { bytes: Vec::new(), limit };
    // Nothing that is told fails to be written: no map in it has keys that are no text.
    serde_json::to_writer(&mut bounded, value).ok()?;
    Some(bounded.bytes)
}

/// The body with the most items that fits, if it does without any.
pub(crate) fn fullest(limit: usize, body: impl Fn(usize) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut fullest = body(0)?;
    let (mut fits, mut too_many) = (0, limit / SHORTEST + 1);
    while too_many - fits > 1 {
        let items = fits.midpoint(too_many);
        match body(items) {
            Some(body) => (fullest, fits) = (body, items),
            None => too_many = items,
        }
    }
    Some(fullest)
}

/// The beginning of a text that somebody else wrote.
pub(crate) fn shortened(text: &str) -> String {
    const KEPT: usize = 300;
    match text.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}

struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_kept_to_the_byte() {
        assert_eq!(encode(&["abc"], 7).unwrap(), br#"["abc"]"#);
        assert_eq!(encode(&["abc"], 6), None);
    }

    #[test]
    fn as_many_items_as_fit() {
        for (limit, fits) in [(2, 0), (40, 0), (42, 1), (81, 1), (83, 2), (100_000, 2439)] {
            let body = fullest(limit, |items| encode(&vec!["x".repeat(38); items], limit));
            let items: Vec<String> = serde_json::from_slice(&body.unwrap()).unwrap();
            assert_eq!(items.len(), fits, "{limit}");
        }
        assert_eq!(fullest(1, |items| encode(&vec![""; items], 1)), None);
    }
}
