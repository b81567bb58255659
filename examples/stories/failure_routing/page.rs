//! A page that shows each message as its reader sees it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Anyhow;
use crate::services::Told;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;background:#f4f4f6;color:#222}\
    article{background:#fff;border-radius:8px;padding:1rem 1.2rem;margin:0 0 1rem;box-shadow:0 1px 3px #0002}\
    .slack{border-left:4px solid #d02b2b}.push{max-width:22rem;border-radius:18px}.mail h3{border-bottom:1px solid #ddd;padding-bottom:.5rem}\
    h3{margin:.2rem 0 .6rem}p{margin:.2rem 0;white-space:pre-line}small{color:#666}";

/// Writes `index.html` and gives its path.
pub(crate) fn write(folder: &Path, told: &[Told]) -> Anyhow<PathBuf> {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>mediaflow: who was told what</title><style>{STYLE}</style>\
         <h1>Two uploads failed</h1>"
    );
    for (kind, heading) in [
        ("Slack", "The admins, in Slack"),
        ("e-mail", "Their owners, by e-mail"),
        ("push", "and on their telephones"),
    ] {
        write!(page, "<h2>{heading}</h2>")?;
        let class = match kind {
            "Slack" => "slack",
            "push" => "push",
            _ => "mail",
        };
        for told in told.iter().filter(|told| told.to.starts_with(kind)) {
            let (to, title) = (escape(&told.to), escape(&told.title));
            write!(page, "<article class={class}><small>{to}</small><h3>{title}</h3>")?;
            for line in told.lines.iter().filter(|line| !line.is_empty()) {
                write!(page, "<p>{}</p>", escape(line))?;
            }
            write!(page, "</article>")?;
        }
    }
    let path = folder.join("index.html");
    fs::write(&path, page)?;
    Ok(path.canonicalize()?)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
