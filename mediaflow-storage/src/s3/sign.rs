use std::collections::BTreeMap;

use mediaflow_core::spec::Precondition;
use mediaflow_core::storage::{PutSize, SignPut};
use mediaflow_core::{Error, Result, codes};

/// The headers that a signed request has to be sent with: S3 refuses it with others, or without one of them.
pub(super) fn headers(put: &SignPut) -> Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    match put.size {
        PutSize::Exactly(bytes) => {
            headers.insert("content-length".to_owned(), bytes.to_string());
        }
        PutSize::AtMost(_) => {
            return Err(refused("S3 can not enforce a largest size")
                .help("ask for the size that will be sent, and sign exactly that"));
        }
        _ => return Err(refused("S3 does not know this constraint")),
    }
    let options = &put.options;
    for (name, value) in [
        ("content-type", &options.content_type),
        ("cache-control", &options.cache_control),
        ("content-disposition", &options.content_disposition),
    ] {
        headers.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    for (name, value) in &options.metadata {
        headers.insert(format!("x-amz-meta-{name}"), value.clone());
    }
    match &put.precondition {
        None => {}
        Some(Precondition::IfNoneMatch) => {
            headers.insert("if-none-match".to_owned(), "*".to_owned());
        }
        Some(Precondition::IfMatch(version)) => {
            headers.insert("if-match".to_owned(), version.clone());
        }
        Some(_) => return Err(refused("S3 does not know this precondition")),
    }
    Ok(headers)
}

fn refused(what: &str) -> Error {
    Error::unsupported(codes::STORAGE_UNSUPPORTED, what)
}
