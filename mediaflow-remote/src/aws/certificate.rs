use std::fmt;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::{Error, Result, Timestamp, codes};
use serde::Deserialize as _;
use serde::de::value::{Error as NoTime, StrDeserializer};

use super::address::is_host;
use super::der::{BIT_STRING, Der, GENERALIZED_TIME, OBJECT_ID, SEQUENCE, SET, UTC_TIME};

/// A certificate with which Amazon SNS signs: whose it is, when it is valid, and its key. Whether somebody has signed it is not
/// looked at: it comes from one of Amazon's own addresses, by `https`.
#[derive(Clone)]
pub struct Certificate {
    key: Vec<u8>,
    from: Timestamp,
    until: Timestamp,
}

/// Of an RSA key, as an object identifier.
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Of the common name.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// The version of a certificate, which older ones do not have.
const VERSION: u8 = 0xa0;

impl Certificate {
    /// Reads one in PEM.
    ///
    /// # Errors
    /// `remote.certificate`: it is none, not one of Amazon SNS, or its key is no RSA key.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(pem).ok();
        let inner = text.and_then(|text| {
            let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
            Some(rest.split_once("-----END CERTIFICATE-----")?.0)
        });
        let inner = inner.ok_or_else(|| refused("it is no certificate in PEM"))?;
        let inner: String = inner.split_ascii_whitespace().collect();
        let der = STANDARD.decode(inner).map_err(|_| refused("it is no certificate in PEM"))?;
        let (certificate, names) =
            read(&der).ok_or_else(|| refused("it is no certificate with an RSA key"))?;
        // The one name is that of the service, the other of its host in a region.
        let [name] = names.as_slice() else { return Err(refused("it has no single name")) };
        if name != "sns.amazonaws.com" && !is_host(name) {
            return Err(refused("it is not one of Amazon SNS"));
        }
        Ok(certificate)
    }

    /// Whether it is valid at this moment.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.from <= now && now <= self.until
    }

    /// Refuses what is not valid now.
    pub(super) fn check(&self, now: Timestamp) -> Result<()> {
        if self.is_valid(now) {
            return Ok(());
        }
        Err(refused("it is not valid now").with("from", self.from).with("until", self.until))
    }

    /// Whether this is a signature of `text`: of version 1, with SHA-1, or 2, with SHA-256.
    pub(super) fn fits(&self, version: Version, text: &[u8], signature: &[u8]) -> bool {
        let algorithm = match version {
            Version::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Version::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.key).verify(text, signature).is_ok()
    }
}

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Sha1,
    Sha256,
}

/// The certificate, and the common names of its subject.
fn read(der: &[u8]) -> Option<(Certificate, Vec<String>)> {
    let mut outer = Der::new(der);
    let mut signed = outer.enter(SEQUENCE)?.enter(SEQUENCE)?;
    if !outer.is_empty() {
        return None;
    }
    let first = signed.next()?;
    if first.tag == VERSION {
        signed.next()?; // the serial number
    }
    signed.enter(SEQUENCE)?; // how it is signed
    signed.enter(SEQUENCE)?; // by whom
    let mut validity = signed.enter(SEQUENCE)?;
    let (from, until) = (moment(&mut validity)?, moment(&mut validity)?);
    let names = common_names(signed.enter(SEQUENCE)?)?;
    let mut info = signed.enter(SEQUENCE)?;
    if info.enter(SEQUENCE)?.enter(OBJECT_ID)?.bytes() != RSA {
        return None;
    }
    let (unused, key) = info.enter(BIT_STRING)?.bytes().split_first()?;
    (*unused == 0).then(|| (Certificate { key: key.to_vec(), from, until }, names))
}

fn common_names(mut subject: Der<'_>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while !subject.is_empty() {
        let mut parts = subject.enter(SET)?;
        while !parts.is_empty() {
            let mut part = parts.enter(SEQUENCE)?;
            if part.enter(OBJECT_ID)?.bytes() == COMMON_NAME {
                names.push(std::str::from_utf8(part.next()?.content).ok()?.to_owned());
            }
        }
    }
    Some(names)
}

/// `YYMMDDHHMMSSZ`, from 1950 to 2049; or `YYYYMMDDHHMMSSZ`.
fn moment(from: &mut Der<'_>) -> Option<Timestamp> {
    let element = from.next()?;
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (element.tag, text.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = text.split_at(2);
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        (GENERALIZED_TIME, 14) => (text[..4].to_owned(), &text[4..]),
        _ => return None,
    };
    let at = |place: usize| rest.get(place..place + 2);
    let (month, day) = (at(0)?, at(2)?);
    let (hour, minute, second) = (at(4)?, at(6)?, at(8)?);
    rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// A moment as RFC 3339 has it.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    Timestamp::deserialize(StrDeserializer::<NoTime>::new(text)).ok()
}

pub(super) fn refused(why: &str) -> Error {
    Error::input(
        codes::REMOTE_CERTIFICATE,
        format!("the certificate of the message can not be used: {why}"),
    )
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("from", &self.from)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
