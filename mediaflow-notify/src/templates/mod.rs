//! What messages say: words by event, audience and locale, as templates of [minijinja](https://docs.rs/minijinja).
//!
//! A template writes plain text and no markup. What comes of it is a [`Notice`], to which each channel gives its own form
//! (blocks, a card, HTML), and which it escapes as its service needs: a file that is called `<!channel> @everyone` is just
//! called so. Values have no line breaks, control characters or marks of writing direction.
//!
//! A template has the name of an event's kind, `job.failed`, or of a kind and an audience, `job.failed.owner`, which comes
//! first. English (`en`) and German (`de`) are shipped; a host adds or replaces single ones:
//!
//! ```
//! use mediaflow_notify::templates::{Template, Templates};
//!
//! let words = Templates::builder()
//!     .link("https://app.example/media/{{ data.job }}")
//!     .public_url("public", "https://cdn.example")
//!     .add("fr", "job.failed.owner", Template::new("{{ name }} : rien n'a march\u{e9}"))
//!     .build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Values
//!
//! A template sees the event as [webhooks](crate::webhook) have it, `type`, `timestamp`, `id` and `data`, and besides:
//!
//! | value | |
//! |---|---|
//! | `name` | what it is about: `metadata.name` of the job, or the name of its source without the folder, or the job's id |
//! | `audience` | whom it speaks to: `owner`, `admin`, `ops` |
//! | `locale` | the locale that was asked for |
//! | `count` | of how many events it tells; in `more`, how many are not listed |
//!
//! A value that none of these is a mistake, found at the start; what is missing below one, as `data.owner` of a job without an owner,
//! is nothing. Two filters more than those of minijinja: `size` for bytes (`1.2 MB`), `time` for seconds (`1:02:03`).
//!
//! The templates `digest` (several events in one message), `more` (those that are not listed), `link` (the words of the
//! link) and `event` (whatever has no other) are no events.
//!
//! What a failure says of itself is English. Other words than English ones have a sentence of their own for the common codes of
//! errors, and for others none: the code stands there. What comes with it from elsewhere (facts, advice, reasons of receivers) is
//! shown as it is.
//!
//! Where a locale lacks a template, that of its language is taken, then the English one: `de-AT`, `de`, `en`.
//!
//! Uses: payload.

mod builder;
mod english;
mod german;
mod german_failures;
mod notice;
mod render;
mod shipped;
mod template;
mod values;

use std::fmt;
use std::sync::Arc;

use mediaflow_core::event::Audience;
use mediaflow_core::notify::Message;
use mediaflow_core::{Error, Result, codes};

pub use builder::TemplatesBuilder;
pub use notice::{Fact, Link, Notice, Picture};
pub use template::Template;

/// The words of a host. Clones share them.
#[derive(Clone)]
pub struct Templates(Arc<render::Set>);

impl Templates {
    /// Those that are shipped, to which a host adds its own.
    pub fn builder() -> TemplatesBuilder {
        TemplatesBuilder::new()
    }

    /// What a message says to an audience in a locale. Without an audience, it is whom the event concerns.
    ///
    /// A template that fails is logged, and the shipped English one takes its place: nothing is lost.
    #[must_use]
    pub fn notice(&self, message: &Message, locale: &str, audience: Option<Audience>) -> Notice {
        self.0.notice(message, locale, audience)
    }

    /// Whether there is any template of this locale, or of its language.
    ///
    /// # Errors
    /// `templates.locale`: there is none.
    pub fn knows(&self, locale: &str) -> Result<()> {
        if self.0.has(locale) || self.0.has(render::language(locale)) {
            return Ok(());
        }
        Err(Error::input(codes::TEMPLATES_LOCALE, "there are no templates of this locale")
            .with("locale", locale)
            .help(format!("known are: {}", self.0.locales().join(", "))))
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self(render::shipped())
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("locales", &self.0.locales()).finish_non_exhaustive()
    }
}
