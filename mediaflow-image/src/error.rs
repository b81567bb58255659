//! The errors that every part of this crate can give, worded once.

use mediaflow_core::media::Format;
use mediaflow_core::{Error, codes};

/// The file ends before the picture does.
pub(crate) fn truncated(format: &Format) -> Error {
    Error::input(codes::IMAGE_TRUNCATED, "the file ends before the picture does")
        .with("format", format)
        .help("the upload was probably cut off: send it again")
}

/// The file breaks the rules of its format.
pub(crate) fn corrupt(format: &Format, what: impl Into<String>) -> Error {
    Error::input(codes::IMAGE_CORRUPT, what)
        .with("format", format)
        .help("open the file and save it again, or send another")
}

/// The file is fine, but uses something that is not done here.
pub(crate) fn unsupported(format: &Format, what: impl Into<String>) -> Error {
    Error::unsupported(codes::IMAGE_UNSUPPORTED, what)
        .with("format", format)
        .help("save the file in a common form (8 bits per channel, Huffman coding)")
}

/// An encoder gave up.
pub(crate) fn encode(
    format: &Format,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::internal(codes::IMAGE_ENCODE, "the encoder refused the picture")
        .with("format", format)
        .because(cause)
}
