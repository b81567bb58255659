//! The HTML of a mail: tables and styles within the tags, since programs that read mail know little else.

use crate::channel::cut;
use crate::payload;
use crate::templates::Notice;

/// What the picture is called within the mail.
pub(super) const PICTURE: &str = "picture";

const FONT: &str = "font-family:Arial,Helvetica,sans-serif";

/// Names of files are long words: whatever holds them would be as wide.
const WRAP: &str = "word-break:break-word";

/// The label of a fact is no such word, and stays whole beside one.
const WHOLE: &str = "word-break:normal";

/// Above this many bytes, Gmail cuts a mail.
const BYTES: usize = 100_000;

/// The page. What is long is cut shorter and shorter until it is not too long for programs that read mail.
pub(super) fn page(notice: &Notice, has_picture: bool) -> String {
    let pages = [3000, 1000, 300].into_iter().map(|longest| page_of(notice, has_picture, longest));
    let mut pages = pages.filter(|page| page.len() < BYTES);
    pages.next().unwrap_or_else(|| page_of(notice, has_picture, 100))
}

fn page_of(notice: &Notice, has_picture: bool, longest: usize) -> String {
    let mut rows = String::new();
    let mut row = |style: &str, inner: &str| {
        rows.push_str(&format!("<tr><td style=\"{FONT};{WRAP};{style}\">{inner}</td></tr>"));
    };
    let title = escaped(&cut(&notice.title, 300));
    let head = format!(
        "padding:20px 24px 8px;font-size:20px;line-height:28px;color:#111111;border-top:4px solid #{:06x}",
        notice.color()
    );
    row(&head, &title);
    if has_picture {
        let alt = notice.picture.as_ref().map(|picture| escaped(&cut(&picture.alt, 200)));
        let alt = alt.unwrap_or_default();
        row(
            "padding:8px 24px",
            &format!(
                "<img src=\"cid:{PICTURE}\" alt=\"{alt}\" width=\"320\" style=\"display:block;border:0;max-width:100%;height:auto\">"
            ),
        );
    }
    for text in &notice.text {
        row(
            "padding:8px 24px;font-size:15px;line-height:22px;color:#333333",
            &escaped(&cut(text, longest)),
        );
    }
    if !notice.items.is_empty() {
        let items =
            notice.items.iter().map(|item| format!("<li>{}</li>", escaped(&cut(item, 300))));
        let items: String = items.collect();
        row(
            "padding:8px 24px;font-size:15px;line-height:22px;color:#333333",
            &format!("<ul style=\"margin:0;padding-left:20px\">{items}</ul>"),
        );
    }
    if !notice.facts.is_empty() {
        let fact = |fact: &crate::templates::Fact| {
            let (label, value) =
                (escaped(&cut(&fact.label, 100)), escaped(&cut(&fact.value, longest.min(1000))));
            format!(
                "<tr><td valign=\"top\" style=\"{FONT};{WHOLE};padding:3px 16px 3px 0;font-size:13px;color:#666666\">{label}</td><td valign=\"top\" style=\"{FONT};padding:3px 0;font-size:13px;color:#222222\">{value}</td></tr>"
            )
        };
        let facts: String = notice.facts.iter().map(fact).collect();
        row(
            "padding:8px 24px",
            &format!(
                "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\">{facts}</table>"
            ),
        );
    }
    if let Some(link) = &notice.link {
        let (url, label) = (escaped(&link.url), escaped(&cut(&link.label, 100)));
        row(
            "padding:12px 24px 24px",
            &format!(
                "<a href=\"{url}\" style=\"{FONT};display:inline-block;padding:10px 18px;font-size:15px;color:#ffffff;background-color:#1f5fbf;text-decoration:none\">{label}</a>"
            ),
        );
    }
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\
         <body style=\"margin:0;padding:0;background-color:#f2f2f2\"><table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"background-color:#f2f2f2\"><tr><td align=\"center\" style=\"padding:24px 8px\">\
         <table role=\"presentation\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"width:100%;max-width:600px;background-color:#ffffff\">{rows}</table></td></tr></table></body></html>"
    )
}

/// As text between tags, and within the quotes of an attribute.
fn escaped(text: &str) -> String {
    payload::escaped(text).replace('"', "&quot;").replace('\'', "&#39;")
}
