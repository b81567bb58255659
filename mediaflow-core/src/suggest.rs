//! Help for a name that nobody knows.

/// A help text with the nearest known name, or all of them if none is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let nearest =
        known.iter().map(|k| (strsim::jaro_winkler(name, k), k)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, near)) if likeness > 0.8 => format!("did you mean `{near}`?"),
        _ => format!("known are: {}", known.join(", ")),
    }
}
