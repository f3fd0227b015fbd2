//! `Retry-After`: how long the server wants to be left alone.

use std::time::{Duration, SystemTime};
use ureq::http::HeaderMap;

/// `Retry-After` of an answer, in whichever of its spellings: milliseconds, seconds, or a date.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|text| seconds(text, 1_000.0));
    milliseconds.or_else(|| {
        let text = text("retry-after")?;
        seconds(text, 1.0).or_else(|| {
            // A time that has passed asks for no pause.
            let date = httpdate::parse_http_date(text).ok()?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        })
    })
}

/// A number that is no time at all counts as not given.
fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(number / per_second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        read(&headers)
    }

    #[test]
    fn every_spelling_is_read() {
        assert_eq!(pause("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(pause("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(pause("retry-after-ms", "700"), Some(Duration::from_millis(700)));
        assert_eq!(pause("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        for nothing in ["", "-1", "nan", "inf", "soon", "Sun, 06 Xxx 1994 08:49:37 GMT", "a, b"] {
            assert_eq!(pause("retry-after", nothing), None, "{nothing}");
        }
        let far = pause("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT").unwrap();
        assert!(far > Duration::from_secs(86_400 * 365));
    }
}
