//! Certificates as they are wanted, of a key that signs nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is in one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) name: &'static str,
    pub(crate) names: usize,
    pub(crate) rsa: bool,
    pub(crate) from: &'static str,
    pub(crate) until: &'static str,
    /// Something stands behind it.
    pub(crate) more: bool,
}

impl Default for Made {
    fn default() -> Self {
        let (from, until) = ("260101000000Z", "270101000000Z");
        Self { name: "sns.amazonaws.com", names: 1, rsa: true, from, until, more: false }
    }
}

impl Made {
    pub(crate) fn pem(&self) -> Vec<u8> {
        let id = |bytes: &[u8]| of(0x06, bytes);
        let algorithm = |last: u8| {
            of(
                0x30,
                &[id(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last]), of(0x05, &[])].concat(),
            )
        };
        let name = |text: &str| {
            let pair = [id(&[0x55, 0x04, 0x03]), of(0x0c, text.as_bytes())].concat();
            of(0x31, &of(0x30, &pair))
        };
        let time = |text: &str| of(if text.len() > 14 { 0x18 } else { 0x17 }, text.as_bytes());
        let number = [&[0x00, 0xc1][..], &[0x55; 255]].concat();
        let key = of(0x30, &[of(0x02, &number), of(0x02, &[1, 0, 1])].concat());
        let key = of(0x03, &[&[0][..], &key].concat());
        let signed = [
            of(0xa0, &of(0x02, &[2])),
            of(0x02, &[0x12, 0x67]),
            algorithm(11),
            of(0x30, &name("Amazon RSA 2048 M01")),
            of(0x30, &[time(self.from), time(self.until)].concat()),
            of(0x30, &name(self.name).repeat(self.names)),
            of(0x30, &[algorithm(if self.rsa { 1 } else { 7 }), key].concat()),
        ];
        let signature = of(0x03, &[0; 257]);
        let mut der = of(0x30, &[of(0x30, &signed.concat()), algorithm(11), signature].concat());
        der.extend(self.more.then_some(0));
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
    }
}

/// An element of DER.
fn of(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short] if short < 0x80 => vec![tag, short],
        [0, short] => vec![tag, 0x81, short],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content.to_vec()].concat()
}
