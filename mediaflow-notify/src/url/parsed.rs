use mediaflow_core::{Error, Result, codes, did_you_mean};

/// The keys that all channels have.
const KEYS: [&str; 6] = ["name", "on", "audience", "locale", "timeout", "allow_private"];

/// A line, taken apart. What is taken out of it has been understood.
pub(super) struct Parsed {
    pub(super) scheme: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// The host and the parts of the path.
    pub(super) parts: Vec<String>,
    /// There is no host: the first part begins at the root.
    pub(super) is_rooted: bool,
    keys: Vec<(String, String)>,
}

impl Parsed {
    pub(super) fn read(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.trim().split_once("://") else {
            return Err(mistake("a channel is named by a line with a scheme")
                .help("write `slack://T0/B0/secret`"));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // Credentials stand before the last `@` of the host; addresses of people may stand in the path.
        let host = rest.split('/').next().unwrap_or_default();
        let (credentials, rest) = match host.rsplit_once('@') {
            Some((credentials, _)) => (Some(credentials), &rest[credentials.len() + 1..]),
            None => (None, rest),
        };
        let (user, password) = match credentials.map(|credentials| credentials.split_once(':')) {
            Some(Some((user, password))) => (Some(decoded(user)?), Some(decoded(password)?)),
            Some(None) => (credentials.map(decoded).transpose()?, None),
            None => (None, None),
        };
        let parts = rest.split('/').filter(|part| !part.is_empty()).map(decoded);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            // It is not shown: a password with a `?` in it ends up here.
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                mistake("after the `?` of a line, each key has a value")
                    .help("write `key=value`; a `?` that is part of a password is `%3F`")
            })?;
            Ok((decoded(key)?, decoded(value)?))
        };
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user,
            password,
            parts: parts.collect::<Result<_>>()?,
            is_rooted: rest.starts_with('/'),
            keys: pairs.map(pair).collect::<Result<_>>()?,
        })
    }

    /// The value of a key, once.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        let place = self.keys.iter().position(|(name, _)| name == key)?;
        Some(self.keys.swap_remove(place).1)
    }

    /// All that was not understood is a mistake: `own` are the keys that the channel has besides.
    pub(super) fn done(&self, own: &[&str]) -> Result<()> {
        let Some((key, _)) = self.keys.first() else { return Ok(()) };
        let known = own.iter().copied().chain(KEYS);
        let error = if known.clone().any(|known| known == key) {
            mistake("a key is there twice")
        } else {
            mistake("a key is not known").help(did_you_mean(key, known))
        };
        Err(error.with("key", key))
    }

    /// Exactly these parts.
    pub(super) fn exactly<const N: usize>(&mut self, form: &'static str) -> Result<[String; N]> {
        let parts = std::mem::take(&mut self.parts);
        parts.try_into().map_err(|_| wrong_form(form))
    }
}

pub(super) fn mistake(what: &'static str) -> Error {
    Error::input(codes::CHANNEL_URL, what)
}

pub(super) fn wrong_form(form: &'static str) -> Error {
    mistake("the line has other parts than its channel needs").help(format!("write `{form}`"))
}

pub(super) fn no_user() -> Error {
    mistake("a channel of this scheme has no user or password")
}

fn decoded(text: &str) -> Result<String> {
    let wrong = || mistake("a part is not well percent-encoded");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(wrong());
        };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
