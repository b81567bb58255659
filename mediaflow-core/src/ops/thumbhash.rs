use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resize, small};
use crate::Result;
use crate::spec::Chain;

/// `thumbhash`: a [ThumbHash](https://evanw.github.io/thumbhash/), some 25 bytes from which an app draws a blurred picture, with
/// its shape and its alpha, until the real one is there.
///
/// A fact, a string: its bytes in base64, `"3/cJPZqAh4dwiHh4iHiIiIBwCPh4"`. It is computed on a [small copy](Thumbhash::copy). For a
/// picture of up to 100 pixels on a side these are the bytes of the JavaScript package `thumbhash`.
///
/// ```
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("blur", |photo| photo.thumbhash()).build()?;
/// assert_eq!(asked.facts["blur"].from, "thumbhash");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Thumbhash {}

impl Thumbhash {
    /// The copy of the picture on which it is computed: at most 100 pixels on a side.
    #[must_use]
    pub fn copy(&self) -> Resize {
        small()
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as words with parameters have it"
    )]
    fn check(self) -> Result<()> {
        Ok(())
    }
}

finds!(Thumbhash, "thumbhash");

impl Chain {
    /// Its [`Thumbhash`]: a fact.
    pub fn thumbhash(self) -> Self {
        self.then(Thumbhash::default())
    }
}
