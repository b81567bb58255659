use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::JobSpec;

impl JobSpec {
    /// A SHA-256 of what was asked for: the kind and parameters of the job, its owner and tenant, and who is to be told. An idempotency
    /// key stands for one of these. When, how urgently and how often a job is tried does not change what was asked for, nor
    /// do its tags and metadata: a request that is repeated may have others.
    #[must_use]
    pub fn digest(&self) -> String {
        let (with, options) = (sorted(&self.with), &self.options);
        let notify: Vec<_> =
            options.notify.iter().map(|target| json!([target.channel, target.to])).collect();
        let mut asked = vec![json!([self.schema, self.kind, self.v, with, options.owner, notify])];
        // As it was before there were tenants, if there is none: digests are stored.
        asked.extend(options.tenant.as_ref().map(|tenant| json!(tenant)));
        match &*asked {
            [only] => digest(only),
            all => digest(&json!(all)),
        }
    }
}

/// A SHA-256 of a value, in hexadecimal. Objects in it must be [`sorted`].
pub(crate) fn digest(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string()))
}

/// With the names in each object in order, whatever a build of `serde_json` does with them.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields = fields.into_iter().map(|(name, value)| (name.clone(), sorted(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use crate::spec::{JobOptions, JobSpec};

    fn spec(with: &str) -> JobSpec {
        let json = r#"{"schema":"mediaflow.job/1","kind":"pipeline","v":1,"with":"#;
        JobSpec::from_json(&format!("{json}{with}}}")).unwrap()
    }

    #[test]
    fn it_changes_with_what_was_asked_for() {
        let first = spec(r#"{"a":1,"b":[{"c":2,"d":3}]}"#);
        let digest = first.digest();
        assert_eq!(digest.len(), 64);
        assert_eq!(spec(r#"{"b":[{"d":3,"c":2}],"a":1}"#).digest(), digest);
        assert_ne!(spec(r#"{"a":2,"b":[{"c":2,"d":3}]}"#).digest(), digest);
        let with = |options| first.clone().with_options(options).digest();
        let same = JobOptions::new().idempotency_key("k").priority(3).tag("t").metadata("n", 1);
        assert_eq!(with(same), digest);
        assert_ne!(with(JobOptions::new().owner("user-7")), digest);
        assert_ne!(with(JobOptions::new().notify("webhook", "https://a.example")), digest);
    }
}
