use crate::word::Word;
use crate::{formats, ops};

/// All that is done here: operations and encoders.
pub(crate) fn words() -> impl Iterator<Item = Word> {
    ops::WORDS.iter().copied().chain(formats::words())
}
