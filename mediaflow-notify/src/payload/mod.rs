//! An event as data: the body of Standard Webhooks, which is also what [templates](crate::templates) and channels with
//! templates of their own are given.
//!
//! Uses: nothing.

mod body;
mod fit;
mod text;
mod urls;

pub(crate) use body::{Envelope, attributes, data, in_order, standard, too_large, within};
pub(crate) use fit::{encode, fullest, shortened};
pub use text::cut;
pub(crate) use text::escaped;
pub(crate) use urls::{PublicUrls, percent_encoded};
