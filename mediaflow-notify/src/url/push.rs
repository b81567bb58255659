//! Notifications of devices and browsers. Their keys are files, which a line names, unless it has the text itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;

use mediaflow_core::{Notifier, Result};

use super::common::Common;
use super::parsed::{Parsed, mistake, no_user, wrong_form};
use crate::channel::{Channel, ChannelBuilder};
use crate::{Apns, Fcm, WebPush};

/// The bytes that are read of a file: no key has as many.
const BYTES: u64 = 64 << 10;

pub(super) fn fcm(mut parsed: Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let account = key(&mut parsed)?;
    parsed.done(&["key", "keyfile"])?;
    let form = "fcm://project/device?keyfile=service-account.json";
    let ([project], device) = with_device(parsed, form)?;
    let push = Fcm::service_account(account);
    // Whoever names a project means it: the file may be that of another one.
    if push.channel.project().is_some_and(|own| own != project) {
        let error = mistake("the service account is that of another project");
        return Err(error.with("key", "keyfile").help("name the file's own `project_id`"));
    }
    // A topic is `#news` in the lines of others.
    let topic = |device: String| match device.strip_prefix('#') {
        Some(topic) => format!("topic:{topic}"),
        None => device,
    };
    common.finish(to(push, device.map(topic)))
}

pub(super) fn apns(mut parsed: Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let key = key(&mut parsed)?;
    let development = parsed.take("development");
    parsed.done(&["key", "keyfile", "development"])?;
    let form = "apns://team/key-id/com.example.media/device?keyfile=AuthKey.p8";
    let ([team, id, topic], device) = with_device(parsed, form)?;
    let push = to(Apns::key(key, id, team, topic), device);
    match development.as_deref() {
        None | Some("false") => common.finish(push),
        Some("true") => common.finish(push.development()),
        Some(_) => Err(mistake("it is `true` or `false`").with("key", "development")),
    }
}

pub(super) fn vapid(mut parsed: Parsed, common: &Common) -> Result<Arc<dyn Notifier>> {
    let (key, subscription) = (key(&mut parsed)?, parsed.take("to"));
    parsed.done(&["key", "keyfile", "to"])?;
    let form = "vapid://ops@app.example?keyfile=vapid.pem";
    let user = parsed.user.take().filter(|_| parsed.password.is_none());
    let user = user.ok_or_else(|| wrong_form(form))?;
    let [domain] = parsed.exactly(form)?;
    common.finish(to(WebPush::vapid(key, format!("mailto:{user}@{domain}")), subscription))
}

/// What stands before a device, and the device, without which jobs name theirs.
fn with_device<const N: usize>(
    mut parsed: Parsed,
    form: &'static str,
) -> Result<([String; N], Option<String>)> {
    if parsed.user.is_some() {
        return Err(no_user());
    }
    let device = if parsed.parts.len() > N { parsed.parts.pop() } else { None };
    Ok((parsed.exactly(form)?, device))
}

fn to<C: Channel>(push: ChannelBuilder<C>, address: Option<String>) -> ChannelBuilder<C> {
    match address {
        Some(address) => push.to(address),
        None => push,
    }
}

/// The text of a key, or of its file.
fn key(parsed: &mut Parsed) -> Result<String> {
    let read = |path| {
        let mut text = String::new();
        File::open(path)?.take(BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    match (parsed.take("key"), parsed.take("keyfile")) {
        (Some(key), None) => Ok(key),
        // The path is not shown: somebody may have put the key itself in its place.
        (None, Some(path)) => read(path).map_err(|error: io::Error| {
            mistake("the file of a key can not be read")
                .with("key", "keyfile")
                .help("give the path of the file that the provider made; the key itself is `key`")
                .because(error)
        }),
        _ => Err(mistake("a channel of this scheme has one key")
            .help("name its file, `keyfile=/etc/media/push.key`, or give its text as `key`")),
    }
}
