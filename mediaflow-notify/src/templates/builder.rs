use std::collections::BTreeMap;
use std::sync::Arc;

use mediaflow_core::{Error, EventKind, Result, codes, did_you_mean};

use super::Templates;
use super::render::{self, Set};
use super::template::Template;
use crate::payload::PublicUrls;

/// Adds templates of a host to those that are shipped. Mistakes are kept and reported by
/// [`build`](TemplatesBuilder::build).
#[derive(Debug)]
#[must_use]
pub struct TemplatesBuilder {
    templates: BTreeMap<String, BTreeMap<String, Template>>,
    link: Option<String>,
    urls: PublicUrls,
    mistake: Option<Error>,
}

/// Names that are no kinds of events.
const OTHERS: [&str; 4] = ["digest", "more", "link", "event"];

impl TemplatesBuilder {
    pub(super) fn new() -> Self {
        let templates = render::shipped_templates();
        Self { templates, link: None, urls: PublicUrls::default(), mistake: None }
    }

    /// Adds a template, or replaces one: `.add("fr", "job.failed.owner", Template::new("..."))`.
    pub fn add(
        mut self,
        locale: impl Into<String>,
        name: impl Into<String>,
        template: Template,
    ) -> Self {
        let (locale, name) = (locale.into(), name.into());
        let titled = if template.title.trim().is_empty() {
            let mistake = Error::input(codes::TEMPLATES_SYNTAX, "a template has no title");
            Err(mistake.with("template", &name).help("write one line that says what happened"))
        } else {
            Ok(())
        };
        if let Err(mistake) = known(&name).and(titled) {
            self.mistake.get_or_insert(mistake.with("locale", &locale));
        }
        self.templates.entry(locale).or_default().insert(name, template);
        self
    }

    /// Adds all templates of a locale, as they were read from a file of the host's.
    pub fn locale(
        self,
        locale: &str,
        templates: impl IntoIterator<Item = (String, Template)>,
    ) -> Self {
        templates
            .into_iter()
            .fold(self, |builder, (name, template)| builder.add(locale, name, template))
    }

    /// Where there is more to see of a job, as a template: `https://app.example/media/{{ data.job }}`. Of several events it is that of
    /// the first, or of a place for all: `https://app.example/{% if count > 1 %}media{% else %}media/{{ data.job }}{% endif %}`. One that
    /// comes out as no `https://` or `http://` URL is left out.
    pub fn link(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        // What begins with a value is known when it is there.
        let begins = ["https://", "http://", "{"].iter().any(|begin| url.trim().starts_with(begin));
        if !begins {
            let mistake = Error::input(codes::TEMPLATES_SYNTAX, "a link is a URL")
                .help("write `https://app.example/media/{{ data.job }}`");
            self.mistake.get_or_insert(mistake);
        }
        self.link = Some(url);
        self
    }

    /// Where the files of a storage can be had from, for small pictures in messages: `("public", "https://cdn.example")`.
    pub fn public_url(mut self, storage: impl Into<String>, base: &str) -> Self {
        if let Err(mistake) = self.urls.add(storage.into(), base) {
            self.mistake.get_or_insert(mistake);
        }
        self
    }

    /// Reads and tries every template.
    ///
    /// # Errors
    /// The first mistake: `templates.name` for a name that no message asks for, `templates.syntax` for what is no
    /// template, has no title, or fails with the values of an event, `templates.value` for a value that no event has,
    /// `webhook.public_url`.
    pub fn build(self) -> Result<Templates> {
        let Self { templates, link, urls, mistake } = self;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        let set = Set { environment: render::environment(), templates, link, urls };
        set.check().map_err(|(locale, name, error)| {
            Error::input(codes::TEMPLATES_SYNTAX, "a template can not be rendered")
                .with("locale", locale)
                .with("template", name)
                .with("line", error.line().unwrap_or(1))
                .because(error)
        })?;
        if let Some((locale, name, value)) = set.unknown_value() {
            let mistake = Error::input(
                codes::TEMPLATES_VALUE,
                "a template asks for a value that no event has",
            );
            let help = did_you_mean(&value, render::VALUES);
            return Err(mistake
                .with("value", &value)
                .with("locale", locale)
                .with("template", name)
                .help(help));
        }
        Ok(Templates(Arc::new(set)))
    }
}

/// A kind of event, or one with an audience, or one of the others.
fn known(name: &str) -> Result<()> {
    const KINDS: &[EventKind] = &EventKind::ALL;
    let kinds: Vec<&str> = KINDS.iter().map(EventKind::as_str).collect();
    let kind = ["owner", "admin", "ops"]
        .iter()
        .find_map(|audience| name.strip_suffix(audience)?.strip_suffix('.'));
    let is_known = |name: &str| kinds.contains(&name);
    if OTHERS.contains(&name) || is_known(name) || kind.is_some_and(is_known) {
        return Ok(());
    }
    let known = kinds.into_iter().chain(OTHERS);
    Err(Error::input(codes::TEMPLATES_NAME, "no message asks for a template of this name")
        .with("template", name)
        .help(did_you_mean(name, known)))
}
