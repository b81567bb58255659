use std::error::Error as StdError;

use url::Url;

use crate::codes;
use crate::spec::Source;
use crate::{Error, Failure, Result};

pub(super) fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| {
        Error::input(codes::HTTP_URL, format!("this is no URL: {e}"))
            .help("write `https://host/path`")
    })
}

/// The URL of a source as errors may show it: without credentials, query and fragment.
pub(super) fn shown(url: &Url) -> Source {
    Source::Url(url.as_str().to_owned())
}

/// The error of an exchange that broke, from the point of view of whoever asked. It says nothing of the URL.
pub(super) fn broken(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut root: &(dyn StdError + 'static) = &error;
    loop {
        // What our own resolver said is the answer; it is wrapped several times on its way here.
        if let Some(own) = root.downcast_ref::<Error>() {
            return Failure::from(own).into();
        }
        match root.source() {
            Some(next) => root = next,
            None => break,
        }
    }
    let cause = root.to_string();
    let failed = if error.is_connect() {
        Error::transient(codes::HTTP_CONNECT, "the server could not be reached")
    } else {
        Error::transient(codes::HTTP_BROKEN, "the connection broke")
    };
    failed.with("cause", cause).because(error)
}
