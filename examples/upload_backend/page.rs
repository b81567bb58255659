//! A page that shows what went in and what came out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use mediaflow::report::{JobStatus, OutputReport, OutputState};

use crate::Anyhow;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#222}\
    h2{border-top:1px solid #ddd;padding-top:1rem}figure{display:inline-block;margin:0 1rem 1rem 0;vertical-align:top}\
    img,video{max-width:17rem;max-height:13rem;background:#eee}figcaption{font-size:13px;color:#555}\
    pre{background:#f6f6f6;padding:.8rem;overflow:auto;font-size:13px}.failed{color:#a00}";

/// Writes `index.html` and gives its path.
pub(crate) fn write(folder: &Path, names: &[String], jobs: &[JobStatus]) -> Anyhow<PathBuf> {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>mediaflow: uploads</title><style>{STYLE}</style>\
         <h1>Uploads and what became of them</h1>"
    );
    for (name, status) in names.iter().zip(jobs) {
        section(&mut page, folder, name, status)?;
    }
    let path = folder.join("index.html");
    fs::write(&path, page)?;
    Ok(path.canonicalize()?)
}

fn section(page: &mut String, folder: &Path, name: &str, status: &JobStatus) -> Anyhow<()> {
    write!(page, "<h2>{name}</h2>")?;
    if let Some(failure) = &status.failure {
        write!(
            page,
            "<p class=failed>{:?}, code <code>{}</code>: {}</p>",
            status.state,
            failure.code,
            escape(&failure.to_string())
        )?;
        return Ok(());
    }
    let bytes = fs::metadata(folder.join("uploads").join(name))?.len();
    let Some(report) = &status.report else { return Ok(()) };
    let source = report.source.as_ref().map(|source| &source.info);
    let size = source.map(|info| (info.width, info.height)).unwrap_or_default();
    let took = report.finished_at.since(report.started_at.unwrap_or(report.queued_at));
    write!(page, "<p>{} ms, {} decode(s)</p>", took.as_millis(), report.decodes)?;
    figure(
        page,
        &format!("uploads/{name}"),
        &format!("before: {}x{}, {} kB", size.0, size.1, bytes / 1000),
    )?;
    for output in report.outputs.iter().filter(|output| output.state == OutputState::Published) {
        let part = 100.0 * output.bytes as f64 / bytes.max(1) as f64;
        figure(page, &output.output, &format!("{}, {part:.1} % of the upload", describe(output)))?;
    }
    let plan: Vec<String> = report.plan.iter().map(ToString::to_string).collect();
    write!(page, "<pre>{}</pre>", escape(&plan.join("\n")))?;
    Ok(())
}

fn figure(page: &mut String, place: &str, caption: &str) -> std::fmt::Result {
    let tag = if place.ends_with(".mp4") {
        format!("<video src=\"{place}\" controls muted></video>")
    } else {
        format!("<img src=\"{place}\" alt=\"\">")
    };
    write!(
        page,
        "<figure>{tag}<figcaption>{}<br>{}</figcaption></figure>",
        escape(place),
        escape(caption)
    )
}

fn describe(output: &OutputReport) -> String {
    let length =
        output.duration.map(|time| format!(", {:.2} s", time.as_secs_f64())).unwrap_or_default();
    format!("{}x{}{length}, {} kB", output.width, output.height, output.bytes.div_ceil(1000))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
