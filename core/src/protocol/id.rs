//! Message and part ids in the server's own form, chosen here so that a send can be repeated safely.

use crate::base::random;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new id such as `msg_1fb476291000iwt8YcUn8CkSxv`: 12 hexadecimal digits of time, 14 random letters.
///
/// Servers before 1.18 order messages by id, so ids made later by this process sort later.
pub(crate) fn new(prefix: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stamp = u64::try_from(now.as_millis()).unwrap_or(0) << 12;
    let time = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(stamp.max(last + 1)))
        .map_or(stamp, |last| stamp.max(last + 1));
    let mut id = format!("{prefix}_{:012x}", time & 0xffff_ffff_ffff);
    let mut bits = u128::from(random::number()) << 64 | u128::from(random::number());
    for _ in 0..14 {
        id.push(char::from(BASE62[(bits % 62) as usize]));
        bits /= 62;
    }
    id
}

/// Whether a server made the first id before the second. False where it does not show.
pub(crate) fn is_before(id: &str, other: &str) -> bool {
    let time = |id: &str| u64::from_str_radix(id.split_once('_')?.1.get(..12)?, 16).ok();
    // Some digits of the time are cut off: it begins anew every two years.
    let age = |(time, other): (u64, u64)| other.wrapping_sub(time) & 0xffff_ffff_ffff;
    time(id).zip(time(other)).map(age).is_some_and(|age| age > 0 && age < 1 << 47)
}

/// The id of a part of the message with this id, the same whoever sends it: the server then takes a part that it has
/// already for the same.
pub(crate) fn of_part(message: &str, index: usize) -> String {
    format!("prt_{}{index:04}", message.strip_prefix("msg_").unwrap_or(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_have_the_servers_form_and_sort_by_age() {
        let ids: Vec<String> = (0..10_000).map(|_| new("msg")).collect();
        assert!(ids.iter().all(|id| id.len() == 30 && id.starts_with("msg_")));
        assert!(ids.iter().all(|id| id[4..].bytes().all(|b| b.is_ascii_alphanumeric())));
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.windows(2).all(|pair| pair[0][..16] < pair[1][..16]));
    }

    #[test]
    fn what_is_older_shows_across_kinds_and_across_the_end_of_the_clock() {
        let (first, second) = (new("per"), new("msg"));
        assert!(is_before(&first, &second) && !is_before(&second, &first));
        assert!(!is_before(&first, &first));
        assert!(is_before("per_ffffffffffffxyz", "msg_000000000001abc"));
        assert!(!is_before("msg_000000000001abc", "per_ffffffffffffxyz"));
        for odd in ["", "per", "per_1", "per_zzzzzzzzzzzz0", "per_é000000000000"] {
            assert!(!is_before(odd, &second) && !is_before(&second, odd), "{odd}");
        }
    }

    #[test]
    fn parts_of_a_message_have_ids_of_their_own_that_sort_as_they_stand() {
        let ids: Vec<String> =
            (0..300).map(|index| of_part("msg_1fb476291000iwt8", index)).collect();
        assert_eq!(ids[17], "prt_1fb476291000iwt80017");
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(!ids.contains(&of_part("msg_1fb476291000iwt9", 17)));
    }
}
