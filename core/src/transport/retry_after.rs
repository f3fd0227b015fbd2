//! `Retry-After`: how long the server wants to be left alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::http::HeaderMap;

/// The wish of an answer, in whichever of its spellings: milliseconds, seconds, or a date.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|text| seconds(text, 1_000.0));
    milliseconds.or_else(|| {
        let text = text("retry-after")?;
        seconds(text, 1.0).or_else(|| {
            // A time that has passed is no wish to wait.
            Some(date(text)?.duration_since(SystemTime::now()).unwrap_or_default())
        })
    })
}

/// A number that is no time at all counts as not given.
fn seconds(text: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(number / per_second).ok()
}

/// A date of HTTP, such as `Sun, 06 Nov 1994 08:49:37 GMT`; the two old spellings are not read.
fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split([' ', ':']);
    let mut number = |most: u64| words.next()?.parse::<u64>().ok().filter(|n| *n <= most);
    let day = number(31)?;
    let month = words.next().filter(|name| name.len() == 3)?;
    let at = MONTHS.find(month).filter(|at| at % 3 == 0)?;
    let month = u64::try_from(at / 3).ok()?;
    let mut number = |most: u64| words.next()?.parse::<u64>().ok().filter(|n| *n <= most);
    let (year, hour, minute, second) = (number(9_999)?, number(23)?, number(59)?, number(60)?);
    // Days before a month, in a year that begins in March: leap days are at its end.
    let (year, month) =
        if month < 2 { (year.checked_sub(1)?, month + 10) } else { (year, month - 2) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let days = days.checked_sub(719_469)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        read(&headers)
    }

    #[test]
    fn every_spelling_is_read() {
        assert_eq!(wish("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(wish("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(wish("retry-after-ms", "700"), Some(Duration::from_millis(700)));
        assert_eq!(wish("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        for nothing in ["", "-1", "nan", "inf", "soon", "Sun, 06 Xxx 1994 08:49:37 GMT", "a, b"] {
            assert_eq!(wish("retry-after", nothing), None, "{nothing}");
        }
        let far = wish("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT").unwrap();
        assert!(far > Duration::from_secs(86_400 * 365));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Fri, 31 Dec 2027 23:59:60 GMT", 1_830_297_600),
        ] {
            let seen = date(text).unwrap().duration_since(UNIX_EPOCH).unwrap();
            assert_eq!(seen, Duration::from_secs(seconds), "{text}");
        }
        assert_eq!(date("Thu, 01 Jan 1969 00:00:00 GMT"), None);
    }
}
