//! The page: a figure for each picture, with the steps that have made it.

use std::fmt::Write as _;

use mediaflow::report::OutputReport;

use crate::Picture;

pub(crate) fn heading(group: &str) -> String {
    format!("<h2>{}</h2>\n", escaped(group))
}

pub(crate) fn figure(picture: &Picture, name: &str, made: &OutputReport) -> String {
    let mut steps = String::new();
    for step in &picture.steps {
        for (number, part) in step.iter().enumerate() {
            let text = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
            let _ = write!(steps, "{}{}", if number > 0 { " " } else { "" }, escaped(&text));
        }
        steps.push('\n');
    }
    let title = escaped(&picture.title);
    let (width, height, bytes) = (made.width, made.height, made.bytes);
    format!(
        "<figure><img src=\"{name}\" alt=\"{title}\" width=\"{width}\" height=\"{height}\">\
         <figcaption><b>{title}</b> {width} x {height}, {bytes} bytes<pre>{steps}</pre></figcaption></figure>\n"
    )
}

pub(crate) fn whole(body: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><title>mediaflow: operations on stills</title>\n<style>{STYLE}</style>\n\
         <h1>Operations on stills</h1>\n{body}"
    )
}

/// Transparent parts show squares.
const STYLE: &str = "body{font:14px sans-serif;margin:2em}figure{display:inline-block;vertical-align:top;margin:8px;max-width:380px}\
    img{background:repeating-conic-gradient(#ccc 0 25%,#fff 0 50%) 0 0/16px 16px;max-width:100%;height:auto}\
    pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:11px;color:#555;margin:4px 0}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
