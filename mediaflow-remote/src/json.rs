//! Reading what vendors write: numbers as numbers or text, absent and `null` alike.

use mediaflow_core::{Error, Result, codes};
use serde_json::{Map, Value};

/// A job's name goes into the key of a wait, which has 200 bytes.
const NAME: usize = 160;

/// The object that a body is.
pub(crate) fn object(body: &[u8], vendor: &'static str) -> Result<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(not_of(vendor, "the body is no JSON object")),
        Err(e) => Err(not_of(vendor, "the body is no JSON").because(e)),
    }
}

/// The error of a call-back that is not what its sender sends.
pub(crate) fn not_of(vendor: &'static str, what: impl Into<String>) -> Error {
    Error::input(codes::REMOTE_BODY, what).with("vendor", vendor)
}

/// A text that is not empty, or a number as one.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number that is not negative, also as text; what stands behind a point is rounded.
pub(crate) fn whole(value: Option<&Value>) -> Option<u64> {
    let number = match value? {
        Value::Number(number) => {
            if let Some(whole) = number.as_u64() {
                return Some(whole);
            }
            number.as_f64()?
        }
        Value::String(text) => {
            if let Ok(whole) = text.parse() {
                return Some(whole);
            }
            text.parse().ok()?
        }
        _ => return None,
    };
    rounded(number)
}

/// A number of pixels, above zero.
pub(crate) fn pixels(value: Option<&Value>) -> Option<u32> {
    whole(value).and_then(|number| number.try_into().ok()).filter(|number| *number > 0)
}

/// Seconds as milliseconds.
#[allow(dead_code, reason = "not each vendor counts in seconds")]
pub(crate) fn millis(value: Option<&Value>) -> Option<u64> {
    let seconds = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    rounded(seconds * 1000.0)
}

/// An MD5 in hexadecimal.
pub(crate) fn md5(value: Option<&Value>) -> Option<String> {
    let sum = value?.as_str()?.to_ascii_lowercase();
    (sum.len() == 32 && sum.bytes().all(|c| c.is_ascii_hexdigit())).then_some(sum)
}

/// What a job is called, if that can be part of a key.
pub(crate) fn job_id(value: Option<&Value>) -> Option<String> {
    text(value).filter(|name| name.len() <= NAME && !name.chars().any(char::is_control))
}

/// The list that a value is, or none.
pub(crate) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is looked at before"
)]
fn rounded(number: f64) -> Option<u64> {
    // What is not a whole number in a double is none that a vendor has counted.
    (0.0..=9_007_199_254_740_992.0).contains(&number).then(|| number.round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        for (value, number) in [
            (json!(7), Some(7)),
            (json!("7"), Some(7)),
            (json!(u64::MAX), Some(u64::MAX)),
            (json!(7.6), Some(8)),
            (json!("7.4"), Some(7)),
            (json!(-1), None),
            (json!("x"), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!(1e300), None),
            (json!(null), None),
            (json!([7]), None),
        ] {
            assert_eq!(whole(Some(&value)), number, "{value}");
        }
        assert_eq!(whole(None), None);
        assert_eq!(pixels(Some(&json!(0))), None);
        assert_eq!(pixels(Some(&json!(1_u64 << 40))), None);
        assert_eq!(millis(Some(&json!(5.067))), Some(5067));
        assert_eq!(millis(Some(&json!("10.5"))), Some(10_500));
        assert_eq!(md5(Some(&json!("D41D8CD98F00B204E9800998ECF8427E"))).unwrap().len(), 32);
        assert_eq!(md5(Some(&json!(""))), None);
    }

    #[test]
    fn a_job_has_a_name_that_can_be_a_key() {
        assert_eq!(job_id(Some(&json!(17))).as_deref(), Some("17"));
        assert_eq!(job_id(Some(&json!("a/b"))).as_deref(), Some("a/b"));
        for wrong in [json!(""), json!("a\nb"), json!("x".repeat(161)), json!(null), json!({})] {
            assert_eq!(job_id(Some(&wrong)), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_stay_as_they_are(number in any::<u64>()) {
            prop_assert_eq!(whole(Some(&json!(number))), Some(number));
            prop_assert_eq!(whole(Some(&json!(number.to_string()))), Some(number));
        }
    }
}
