//! How the templates are written that are shipped.

/// A template as it is written here: its name, its title, its text and its facts.
pub(super) type Shipped =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);
