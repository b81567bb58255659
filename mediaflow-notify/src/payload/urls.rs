use std::collections::BTreeMap;

use mediaflow_core::{Error, Result, codes};

/// Where the files of storages can be had from.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicUrls(BTreeMap<String, String>);

impl PublicUrls {
    pub(crate) fn add(&mut self, storage: String, base: &str) -> Result<()> {
        if !base.starts_with("https://") && !base.starts_with("http://") {
            return Err(Error::input(
                codes::WEBHOOK_PUBLIC_URL,
                "the public URL of a storage begins with `https://`",
            )
            .with("storage", storage));
        }
        self.0.insert(storage, base.trim_end_matches('/').to_owned());
        Ok(())
    }

    pub(crate) fn of(&self, place: &str) -> Option<String> {
        let (storage, key) = place.split_once('/')?;
        Some(format!("{}/{}", self.0.get(storage)?, escaped(key)))
    }
}

/// A key as the path of a URL.
fn escaped(key: &str) -> String {
    key.split('/').map(percent_encoded).collect::<Vec<_>>().join("/")
}

/// A text as a part of a URL.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
