//! Mails as a browser shows them, on a telephone and on a desk: programs that read mail have one inside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::event::{Audience, EventData};
use mediaflow_core::notify::Message;
use mediaflow_core::testing::{Reply, WebhookReceiver};
use mediaflow_core::{Event, EventKind};
use mediaflow_notify::templates::Templates;
use serde_json::{Value, json};

use crate::common::{JOB, NOW, completed, failed, report};
use crate::hostile::HOSTILE;
use crate::limits::long;
use crate::mail::{Server, send};

/// How wide a mail is shown: on a small telephone, and as wide as it gets.
const WIDTHS: [u32; 2] = [320, 600];

/// A browser that needs no window, if this machine has one; `MEDIAFLOW_BROWSER` names another.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("MEDIAFLOW_BROWSER").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    named.or(found)
}

/// An event of this kind with all that there can be to say.
fn event(kind: EventKind) -> Event {
    let failure = json!({ "kind": "transient", "code": "storage.unavailable",
        "message": "the storage does not answer", "help": "look at the storage's own status page" });
    let output = report("cat.jpg", "succeeded").outputs.remove(0);
    let data = match kind {
        EventKind::JobProgress => json!({ "progress": 0.42 }),
        EventKind::StepCompleted => {
            json!({ "step": { "steps": ["resize", "jpeg"], "failure": null } })
        }
        EventKind::StepFailed => json!({ "step": { "steps": ["resize"], "failure": failure } }),
        EventKind::JobRetrying => {
            json!({ "retry": { "attempt": 2, "failure": failure, "due": NOW } })
        }
        EventKind::OutputReady => json!({ "output": output }),
        EventKind::JobCompleted => return completed("cat.jpg"),
        EventKind::JobFailed => return failed("cat.jpg"),
        EventKind::JobCancelled => json!({ "job": report("cat.jpg", "cancelled") }),
        EventKind::BatchCompleted => json!({ "batch": {
            "batch": JOB, "state": "partial", "counts": { "succeeded": 40, "partial": 1, "failed": 2, "cancelled": 3 } } }),
        EventKind::DeliveryFailed => json!({ "delivery": {
            "channel": "slack", "destination": "https://hooks.slack.com:443", "event": JOB, "attempts": 9,
            "reason": "the receiver answered 404", "dead": 3, "waiting": 12 } }),
        EventKind::DestinationDisabled => json!({ "disabled": {
            "channel": "slack", "destination": "https://hooks.slack.com:443", "since": NOW,
            "reason": "the receiver answered 410", "dead": 30 } }),
        EventKind::ScheduleMissed => {
            json!({ "missed": { "schedule": "nightly", "times": 3, "since": NOW } })
        }
        EventKind::JobsUnclaimed => {
            json!({ "unclaimed": { "needs": "op:acme.sharpen@1 storage:archive", "jobs": 7 } })
        }
        _ => Value::Null,
    };
    let data = if data.is_null() { EventData::None } else { serde_json::from_value(data).unwrap() };
    assert!(!matches!(data, EventData::Other(_)), "{kind} is not told as it is read");
    let mut event = Event::new(kind, NOW, data);
    event.job = Some(JOB.parse().unwrap());
    event.owner = Some("ada".to_owned());
    event.metadata.insert("name".to_owned(), "K\u{e4}tzchen am Fenster.jpg".into());
    event
}

/// Everything that is mailed: what it is called here, the message, whom it speaks to.
fn messages() -> Vec<(String, Message, Option<Audience>)> {
    let mut messages: Vec<_> = EventKind::ALL
        .into_iter()
        .map(|kind| (kind.as_str().to_owned(), Message::of(event(kind)), None))
        .collect();
    // No blank in it, as cameras and downloads call files.
    let name = format!("IMG_{}.jpg", "20251009_085320_HDR_edited_final_".repeat(5));
    let many = (0..30).map(|number| failed(&format!("{number}_{name}")));
    let digest = Message::digest(failed("a").id.into(), failed("first.jpg"), many);
    let of = |name: &str, message, audience| (name.to_owned(), message, audience);
    messages.extend([
        of("to its owner", Message::of(failed("cat.jpg")), Some(Audience::Owner)),
        of("of one word", Message::of(failed(&name)), None),
        of("of one word, to its owner", Message::of(failed(&name)), Some(Audience::Owner)),
        of("ready, of one word", Message::of(completed(&name)), None),
        of("several", digest, None),
        of("hostile", Message::of(failed(HOSTILE)), None),
        of("long", long(), None),
    ]);
    messages
}

/// A mail as it was taken: its two parts.
struct Mail {
    name: String,
    text: String,
    html: String,
}

/// All mails, in both languages, by way of a relay.
async fn mails(picture: &[u8]) -> Vec<Mail> {
    let (mut server, receiver) = (Server::start(), WebhookReceiver::start().await.unwrap());
    let words = Templates::builder()
        .link("https://app.example/media/{{ data.job }}?a=1&b=2")
        .public_url("public", &receiver.url("/cdn"))
        .build()
        .unwrap();
    let mut mails = Vec::new();
    for (name, message, audience) in messages() {
        for locale in ["en", "de"] {
            receiver.answer([Reply::status(200).body(picture.to_vec())]);
            let mail = server.to("ada@example.com").templates(&words).locale(locale);
            let mail = mail.allow_private(&receiver.address());
            let mail = audience.into_iter().fold(mail, |mail, audience| mail.audience(audience));
            send(mail, &message).await.unwrap();
            let seen = server.mail();
            let [text, html] = &seen["mail"]["parts"].as_array().unwrap()[..] else {
                panic!("{name}: {seen}")
            };
            // With a picture, the page is a part of a part.
            let html = html.pointer("/parts/0").unwrap_or(html);
            let read = |part: &Value| part["text"].as_str().unwrap().to_owned();
            let name = format!("{name} ({locale})");
            mails.push(Mail { name, text: read(text), html: read(html) });
        }
    }
    mails
}

/// What a browser makes of the mails, each in all widths. The page stays below the target folder for whoever wants to look.
fn rendered(browser: &Path, mails: &[Mail], picture: &[u8]) -> Vec<Value> {
    let picture = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    let mut frames = String::new();
    for mail in mails {
        let page = mail.html.replace("cid:picture", &picture);
        let page = page.replace('&', "&amp;").replace('"', "&quot;");
        write!(frames, "<p>{}</p>", mail.name).unwrap();
        for width in WIDTHS {
            let name = &mail.name;
            let frame = format!("<iframe name=\"{name}\" width={width} scrolling=no");
            write!(frames, "{frame} srcdoc=\"{page}\"></iframe>").unwrap();
        }
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mails");
    std::fs::create_dir_all(&folder).unwrap();
    let page = folder.join("mails.html");
    let frame = include_str!("rendered.html").replace("<!-- frames -->", &frames);
    std::fs::write(&page, frame).unwrap();
    let shown = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"])
        // It asks nobody.
        .args(["--proxy-server=http://127.0.0.1:9", "--disable-background-networking"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(shown.stdout).unwrap();
    let measured = dom.split_once("data-measured=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (measured, _) = measured.unwrap_or_else(|| {
        panic!("{} says: {}", browser.display(), String::from_utf8_lossy(&shown.stderr))
    });
    serde_json::from_slice(&STANDARD.decode(measured).unwrap()).unwrap()
}

/// Words alone: programs fold blanks and lines in ways of their own.
fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_read_on_a_telephone_and_on_a_desk() {
    let logo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/media/logo.png");
    let picture = std::fs::read(logo).unwrap();
    let mails = mails(&picture).await;
    for Mail { name, html, .. } in &mails {
        assert!(html.len() < 100_000, "{name}: {} bytes, and Gmail cuts it", html.len());
        for lost in ["<style", "<link", "<script", "<div", "class=", "position:", "flex"] {
            assert!(!html.contains(lost), "{name}: programs that read mail drop {lost}");
        }
    }
    // A browser is much to install for one test: where there is none, the rest of it is enough.
    let Some(browser) = browser() else { return };
    let by_name: BTreeMap<_, _> = mails.iter().map(|mail| (mail.name.as_str(), mail)).collect();
    let shown = rendered(&browser, &mails, &picture);
    assert_eq!(shown.len(), mails.len() * WIDTHS.len());
    let mut wrong = Vec::new();
    for page in &shown {
        let (name, width) = (page["name"].as_str().unwrap(), page["width"].as_f64().unwrap());
        let mut expect = |right: bool, what: &str, is: &Value| {
            if !right {
                wrong.push(format!("{name} at {width}: {what}: {is}"));
            }
        };
        let number = |field: &str| page[field].as_f64().unwrap();
        expect(number("needs") <= width, "it is moved sideways to be read", &page["needs"]);
        expect(number("right") <= width, "something stands beyond its edge", &page["right"]);
        expect(number("smallest") >= 13.0, "letters are too small", &page["smallest"]);
        expect(number("contrast") >= 4.5, "letters are too pale", &page["contrast"]);
        expect(page["broken"] == json!([]), "words are broken", &page["broken"]);
        for picture in page["pictures"].as_array().unwrap() {
            let alt = picture["alt"].as_str().unwrap();
            expect(!alt.is_empty() && picture["loaded"] == true, "a picture", picture);
            expect(picture["width"].as_f64().unwrap() <= width, "a picture is too wide", picture);
        }
        let has_picture = by_name[name].html.contains("cid:picture");
        let pictures = page["pictures"].as_array().unwrap().len();
        expect(pictures == usize::from(has_picture), "pictures", &page["pictures"]);
        let links = page["links"].as_array().unwrap();
        let link = format!("https://app.example/media/{JOB}?a=1&b=2");
        expect(links.len() == 1 && links[0]["href"] == link, "links", &page["links"]);
        expect(links[0]["height"].as_f64() >= Some(36.0), "a finger needs more", &page["links"]);
        // Both parts say the same: each line of the text is there, the link in words.
        let visible = words_of(page["text"].as_str().unwrap());
        if name.starts_with("long") {
            continue;
        }
        for line in by_name[name].text.lines().filter(|line| !line.is_empty()) {
            let line = line.strip_prefix("- ").unwrap_or(line);
            let (label, value) = line.split_once(": ").unwrap_or((line, ""));
            let value = if value.starts_with("https://app.example/") { "" } else { value };
            for said in [label, value] {
                expect(visible.contains(&words_of(said)), "it is not to be seen", &said.into());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
