use std::sync::Arc;

use mediaflow_core::{Error, Notifier, Result, did_you_mean};

use super::common::Common;
use super::parsed::{Parsed, mistake, no_user, wrong_form};
use super::push;
use crate::payload::percent_encoded;
use crate::{
    AwsCredentials, Courier, Discord, Email, File, GoogleChat, Mattermost, Ntfy, Pushover, Ses,
    Slack, Sns, Teams, Telegram,
};

const KNOWN: [&str; 19] = [
    "slack",
    "discord",
    "workflows",
    "tgram",
    "gchat",
    "mmost",
    "mmosts",
    "ntfy",
    "ntfys",
    "pover",
    "courier",
    "mailto",
    "mailtos",
    "sns",
    "ses",
    "fcm",
    "apns",
    "vapid",
    "file",
];

pub(super) fn channel(mut parsed: Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let scheme = parsed.scheme.clone();
    // First of all: which keys there are depends on it.
    if !KNOWN.contains(&scheme.as_str()) {
        return Err(unknown(&scheme));
    }
    match scheme.as_str() {
        "mailto" | "mailtos" => return mail(parsed, common),
        "fcm" => return push::fcm(parsed, common),
        "apns" => return push::apns(parsed, common),
        "vapid" => return push::vapid(parsed, common),
        _ => {}
    }
    parsed.done(&[])?;
    let takes_user = matches!(scheme.as_str(), "ntfy" | "ntfys" | "pover" | "ses");
    let takes_password = matches!(scheme.as_str(), "ntfy" | "ntfys");
    if parsed.user.is_some() && !takes_user || parsed.password.is_some() && !takes_password {
        return Err(no_user());
    }
    match scheme.as_str() {
        "slack" => slack(parsed, common),
        "discord" => {
            let [id, token] = parsed.exactly("discord://id/token")?;
            let (id, token) = (percent_encoded(&id), percent_encoded(&token));
            common
                .finish(Discord::webhook(format!("https://discord.com/api/webhooks/{id}/{token}")))
        }
        "workflows" => {
            let [host, id, signature] = parsed.exactly("workflows://host/workflow/signature")?;
            let (id, signature) = (percent_encoded(&id), percent_encoded(&signature));
            let path = format!("workflows/{id}/triggers/manual/paths/invoke");
            let query = format!(
                "api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={signature}"
            );
            common.finish(Teams::workflow(format!("https://{host}/{path}?{query}")))
        }
        "tgram" => {
            let [token, chat] = parsed.exactly("tgram://bot-token/chat")?;
            common.finish(Telegram::bot(token, chat))
        }
        "gchat" => {
            let [space, key, token] = parsed.exactly("gchat://space/key/token")?;
            let [space, key, token] = [space, key, token].map(|part| percent_encoded(&part));
            let url = format!(
                "https://chat.googleapis.com/v1/spaces/{space}/messages?key={key}&token={token}"
            );
            common.finish(GoogleChat::webhook(url))
        }
        "mmost" | "mmosts" => {
            let [host, key] = parsed.exactly("mmosts://host/key")?;
            let scheme = if scheme == "mmost" { "http" } else { "https" };
            common.finish(Mattermost::webhook(format!(
                "{scheme}://{host}/hooks/{}",
                percent_encoded(&key)
            )))
        }
        "ntfy" | "ntfys" => ntfy(&parsed, common),
        "pover" => {
            let user = parsed.user.take().ok_or_else(|| wrong_form("pover://user@token"))?;
            let [token] = parsed.exactly("pover://user@token")?;
            common.finish(Pushover::app(token, user))
        }
        "courier" => {
            let [key, recipient] = parsed.exactly("courier://key/recipient")?;
            common.finish(Courier::api(key).to(recipient))
        }
        "sns" => {
            let [id, secret, _region, topic] = parsed.exactly("sns://key/secret/region/topic")?;
            common.finish(Sns::topic(topic, AwsCredentials::new(id, secret)))
        }
        "ses" => {
            let form = "ses://from@example.com/key/secret/region/to@example.com";
            let user = parsed.user.take().ok_or_else(|| wrong_form(form))?;
            let [domain, id, secret, region, to] = parsed.exactly(form)?;
            let credentials = AwsCredentials::new(id, secret);
            common.finish(Ses::region(region, credentials, format!("{user}@{domain}")).to(to))
        }
        "file" => file(&parsed, common),
        other => Err(unknown(other)),
    }
}

fn unknown(scheme: &str) -> Error {
    mistake("no channel has this scheme").help(did_you_mean(scheme, KNOWN))
}

/// Three tokens are a webhook's, two are a bot's token and a channel's id.
fn slack(mut parsed: Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let parts = std::mem::take(&mut parsed.parts);
    match &parts[..] {
        [a, b, c] => {
            let path = [a, b, c].map(|part| percent_encoded(part)).join("/");
            common.finish(Slack::webhook(format!("https://hooks.slack.com/services/{path}")))
        }
        [token, channel] if token.starts_with("xox") => {
            common.finish(Slack::bot(token, channel.trim_start_matches('#')))
        }
        _ => Err(wrong_form("slack://T0/B0/secret, or slack://xoxb-token/C0123")),
    }
}

/// A topic alone is one of ntfy.sh.
fn ntfy(parsed: &Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let scheme = if parsed.scheme == "ntfy" { "http" } else { "https" };
    let url = match &parsed.parts[..] {
        [topic] => format!("https://ntfy.sh/{topic}"),
        [host, topic] => format!("{scheme}://{host}/{topic}"),
        _ => return Err(wrong_form("ntfys://host/topic")),
    };
    match (&parsed.user, &parsed.password) {
        (Some(user), Some(password)) => {
            let credentials = format!("{}:{}@", percent_encoded(user), percent_encoded(password));
            common.finish(Ntfy::topic(url.replacen("://", &format!("://{credentials}"), 1)))
        }
        (Some(token), None) => common.finish(Ntfy::topic(url).token(token)),
        (None, _) => common.finish(Ntfy::topic(url)),
    }
}

fn mail(mut parsed: Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let form = "mailtos://user:password@host?from=media@app.example&to=ada@example.com";
    let (from, to) = (parsed.take("from"), parsed.take("to"));
    parsed.done(&["from", "to"])?;
    let (scheme, tls) =
        if parsed.scheme == "mailto" { ("smtp", "?tls=required") } else { ("smtps", "") };
    let (user, password) = (parsed.user.take(), parsed.password.take());
    let [host] = parsed.exactly(form)?;
    let credentials = match (&user, &password) {
        (Some(user), Some(password)) => {
            format!("{}:{}@", percent_encoded(user), percent_encoded(password))
        }
        _ => String::new(),
    };
    // As users of such lines expect, one's own address is that of the account.
    let domain = host.split(':').next().unwrap_or(&host);
    let own = user.map(|user| if user.contains('@') { user } else { format!("{user}@{domain}") });
    let from = from.or_else(|| own.clone()).ok_or_else(|| wrong_form(form))?;
    let to = to.or(own).ok_or_else(|| wrong_form(form))?;
    let relay = format!("{scheme}://{credentials}{host}{tls}");
    common.finish(Email::relay(relay, from).to(to))
}

/// Everything goes to the one file: what a job names instead is an address, and no path.
fn file(parsed: &Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    if parsed.parts.is_empty() {
        return Err(wrong_form("file:///var/log/told.jsonl"));
    }
    let root = if parsed.is_rooted { "/" } else { "" };
    let path = format!("{root}{}", parsed.parts.join("/"));
    common.finish(File::lines(&path).all_to(path))
}
