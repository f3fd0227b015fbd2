//! Moments of the calendar, in UTC: what the server has in milliseconds since 1970, as people write it.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last millisecond of the year 9999: there is no way to write a later one.
const LAST: u64 = 253_402_300_799_999;

/// `2026-11-29T19:03:00Z`.
fn written(ms: u64) -> String {
    let since = Duration::from_millis(ms.min(LAST));
    let moment = UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// The day, such as `2026-11-29`.
pub(crate) fn day(ms: u64) -> String {
    written(ms).get(..10).unwrap_or_default().to_owned()
}

/// The minute, such as `2026-11-29 19:03 UTC`.
pub(crate) fn minute(ms: u64) -> String {
    let text = written(ms);
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// Takes a moment: milliseconds since 1970, or a text such as `2026-11-29` or `2026-11-29T19:03:00Z`.
pub(crate) fn take(fields: &mut Fields, name: &str) -> Result<Option<u64>> {
    let what = fields.what();
    let wrong = |value: &Value| {
        let form = "a day such as 2026-11-29, a time such as 2026-11-29T19:03:00Z, or milliseconds since 1970";
        Err(Error::invalid(format!("{what}: {name} must be {form}, not {value}")))
    };
    match fields.value(name)? {
        None => Ok(None),
        Some(Value::String(text)) => match read(&text) {
            Some(ms) => Ok(Some(ms)),
            None => wrong(&Value::String(text)),
        },
        Some(value) => match value.as_f64().filter(|ms| ms.is_finite() && *ms >= 0.0) {
            // A cast saturates.
            Some(ms) => Ok(Some(ms as u64)),
            None => wrong(&value),
        },
    }
}

fn read(text: &str) -> Option<u64> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let moment: SystemTime = humantime::parse_rfc3339(&whole).ok()?;
    u64::try_from(moment.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::host_names::OptionNames;

    #[test]
    fn moments_are_written_and_read() {
        assert_eq!(
            (day(0).as_str(), minute(1_795_979_039_999).as_str()),
            ("1970-01-01", "2026-11-29 19:03 UTC")
        );
        assert_eq!(day(u64::MAX), "9999-12-31");
        let taken = |json: &str| {
            take(
                &mut Fields::beside(&["since"], "usage", json, &OptionNames::NONE).unwrap(),
                "since",
            )
        };
        assert_eq!(taken(r#"{"since":"1970-01-02"}"#).unwrap(), Some(86_400_000));
        assert_eq!(taken(r#"{"since":"1970-01-01T00:00:01.5Z"}"#).unwrap(), Some(1_500));
        assert_eq!(taken(r#"{"since":17}"#).unwrap(), Some(17));
        assert_eq!(taken("{}").unwrap(), None);
        for wrong in
            [r#""yesterday""#, r#""2026-13-01""#, r#""2026-1-1""#, "-1", "true", r#""1969-12-31""#]
        {
            let error = taken(&format!(r#"{{"since":{wrong}}}"#)).unwrap_err();
            assert!(error.message().contains("since must be a day such as"), "{error}");
        }
    }
}
