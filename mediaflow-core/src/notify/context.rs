use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Address;
use crate::Timestamp;

/// One attempt to send one message through one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryContext {
    /// From 1.
    pub attempt: u32,
    /// The moment of this attempt.
    pub now: Timestamp,
    answer: Slot,
}

impl DeliveryContext {
    /// The first attempt, at this moment.
    #[must_use]
    pub fn first(now: Timestamp) -> Self {
        Self::attempt(1, now)
    }

    /// This attempt, from 1, at this moment.
    #[must_use]
    pub fn attempt(attempt: u32, now: Timestamp) -> Self {
        Self { attempt, now, answer: Slot::default() }
    }

    /// Notes what the receiver answered, for the delivery log: a notifier calls it once it has an answer, good or bad.
    /// The first 20,000 bytes of the body are kept, as text.
    pub fn answered(&self, status: u16, body: &[u8]) {
        *self.answer.lock() = Some(Answer { status, body: excerpt(body) });
    }

    /// What the receiver answered, if the notifier has noted it. Clones of the context share it.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        self.answer.lock().clone()
    }
}

/// What a receiver answered to one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status that the receiver's protocol gave: 200.
    pub status: u16,
    /// The beginning of the body, 20,000 bytes at most. What is no UTF-8, or a NUL, is replaced by U+FFFD; the delivery
    /// log has it without the [parts of the address](Address::redact).
    pub body: String,
}

impl Answer {
    /// Without the parts of the address that was asked.
    pub(crate) fn without(mut self, address: Option<&Address>) -> Self {
        if let Some(address) = address {
            self.body = address.redact(&self.body).into_owned();
        }
        self
    }

    /// With this many bytes of the body at most.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        if self.body.len() > bytes {
            let end = (0..=bytes).rev().find(|end| self.body.is_char_boundary(*end));
            self.body.truncate(end.unwrap_or(0));
        }
        self
    }
}

/// The place for an answer, shared by the clones of a context.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Option<Answer>>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        // Never two locks at once: both may be the same one.
        let mine = self.lock().clone();
        mine == *other.lock()
    }
}

impl Eq for Slot {}

/// How many bytes of an answer are kept.
const KEPT: usize = 20_000;

fn excerpt(body: &[u8]) -> String {
    // Databases take no NUL in a text.
    let text = String::from_utf8_lossy(&body[..body.len().min(KEPT)]).replace('\0', "\u{fffd}");
    let last =
        text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= KEPT).last();
    text[..last.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> DeliveryContext {
        DeliveryContext::first(Timestamp::from_millis(0))
    }

    #[test]
    fn an_answer_is_shared_by_clones_and_cut() {
        let cx = context();
        assert_eq!(cx.answer(), None);
        let clone = cx.clone();
        clone.answered(500, &b"x".repeat(30_000));
        let answer = cx.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (500, 20_000));
        assert_eq!(cx, clone);
        clone.answered(404, b"Cannot POST /T0/secret");
        let address = Address::at("https://h:443", "https://h/T0/secret");
        let kept = cx.answer().unwrap().without(Some(&address));
        assert_eq!((kept.status, kept.body.as_str()), (404, "Cannot POST [REDACTED]"));
    }

    #[test]
    fn what_is_no_text_is_replaced_within_the_limit() {
        let cx = context();
        cx.answered(200, b"a\0b\xff");
        assert_eq!(cx.answer().unwrap().body, "a\u{fffd}b\u{fffd}");
        cx.answered(200, &[0xff; 30_000]);
        assert_eq!(cx.answer().unwrap().body.len(), 19_998, "a replacement has three bytes");
    }
}
