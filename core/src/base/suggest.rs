//! The nearest correct spelling of a wrong one.

use strsim::osa_distance;

/// No name is nearly as long, and a very long word would take very long to compare.
const LONGEST: usize = 200;

/// The answer of the candidate that is nearest to `wrong`, if it is near enough to be meant.
///
/// A candidate is a spelling and the answer it stands for. Case and `_` do not count, so
/// `session_id` is as good as `sessionID`. Where none is near, the first that holds the whole name is: `url` is `base_url`.
pub(crate) fn among<'a>(
    wrong: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<&'a str> {
    if wrong.len() > LONGEST {
        return None;
    }
    let part = format!("_{}_", wrong.to_ascii_lowercase());
    let wrong = letters(wrong);
    // A third of the word may be wrong; a short one needs at least one letter right.
    let limit = (wrong.chars().count() / 3).max(1);
    let mut best = None;
    let mut holder = None;
    for (spelling, answer) in candidates {
        if wrong.len() > 2 && format!("_{}_", spelling.to_ascii_lowercase()).contains(&part) {
            holder.get_or_insert(answer);
        }
        let distance = osa_distance(&wrong, &letters(spelling));
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, answer));
        }
    }
    best.map(|(_, answer)| answer).or(holder)
}

/// The end of a sentence that names the nearest of some names, or nothing.
pub fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    among(wrong, names.into_iter().map(|name| (name, name)))
        .map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}

fn letters(word: &str) -> String {
    word.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(from: &str, to: &str) -> usize {
        osa_distance(&letters(from), &letters(to))
    }

    #[test]
    fn distances_count_letters() {
        assert_eq!(between("title", "title"), 0);
        assert_eq!(between("titel", "title"), 1);
        assert_eq!(between("prompt", "promt"), 1);
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("message_id", "messageID"), 0);
    }

    #[test]
    fn the_first_of_equals_wins_and_the_far_ones_are_nobody() {
        let candidates = || [("ab", "ab"), ("ac", "ac")].into_iter();
        assert_eq!(among("ad", candidates()), Some("ab"));
        assert_eq!(among("xyz", candidates()), None);
        let longer = || [("base_url", "base_url"), ("id_of", "id_of")].into_iter();
        assert_eq!(among("url", longer()), Some("base_url"));
        assert_eq!(among("id", longer()), None);
        assert_eq!(among("rl", longer()), None);
        assert_eq!(among(&"a".repeat(200_000_000), candidates()), None, "and soon");
    }
}
