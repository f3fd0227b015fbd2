//! [`TextStream`]: what a run says and nothing else, piece by piece.

use super::{Run, Update};
use crate::base::error::{Error, Result};
use crate::run::TextUpdate;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// The text of a run, piece by piece: what [`Run::text_stream`] gives.
#[derive(Debug)]
pub struct TextStream<'a> {
    run: &'a Run,
    is_over: bool,
}

impl Iterator for TextStream<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let piece = self.run.next_text(None).transpose();
        self.is_over = !matches!(piece, Some(Ok(_)));
        piece
    }
}

impl Run {
    /// The text alone, as it comes: an iterator that blocks between the pieces. They add up to what was said,
    /// [`Reply::transcript`](super::Reply::transcript). What the model takes back, because its answer was cut and made anew,
    /// cannot be taken out of a stream: the new form follows as a paragraph. A run that failed gives its error as the last
    /// item. Takes the updates of all kinds, but no calls of tools without a handler: they wait for another poll of the client,
    /// or for [`next_tool_call`](crate::Client::next_tool_call), and fail when their time is up.
    ///
    /// # Errors
    /// `invalid_argument` when a policy of the run is `ask`: what is asked would show nowhere.
    pub fn text_stream(&self) -> TextStream<'_> {
        TextStream { run: self, is_over: false }
    }

    /// The next piece of the text; `None` when none came in time, and when the run is done and all was taken. Blocks at
    /// most for `timeout`, zero looks only.
    ///
    /// # Errors
    /// As [`text_stream`](Self::text_stream), and the error of a run that failed, after its text.
    pub fn next_text(&self, timeout: Option<Duration>) -> Result<Option<String>> {
        self.check_text_stream()?;
        let until = timeout.and_then(|time| Instant::now().checked_add(time));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.next(left, false) {
                Some(Update::Text(text)) => {
                    let piece = self.text_piece(&text);
                    if piece.is_some() {
                        return Ok(piece);
                    }
                }
                Some(_) => {}
                None if self.is_drained() => return self.outcome().map(|_| None),
                None => return Ok(None),
            }
        }
    }

    /// Whether a stream of the text loses nothing that somebody has to answer.
    ///
    /// # Errors
    /// As [`text_stream`](Self::text_stream).
    pub fn check_text_stream(&self) -> Result<()> {
        let Some(name) = self.asks else { return Ok(()) };
        Err(Error::invalid(format!(
            "text_stream: {name} is 'ask', and a stream of text shows nobody what is asked; read the updates, or take another policy"
        )))
    }

    /// What a text update adds to the pieces so far: for hosts that go through the updates themselves.
    pub fn text_piece(&self, text: &TextUpdate) -> Option<String> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = match text.replaces {
            false => text.delta.clone(),
            true => following(&given, &text.delta),
        };
        match text.replaces {
            false => given.push_str(&text.delta),
            true => given.clone_from(&text.delta),
        }
        (!piece.is_empty()).then_some(piece)
    }
}

/// What a reader of `given` has to read to know the `whole`.
fn following(given: &str, whole: &str) -> String {
    if let Some(rest) = whole.strip_prefix(given) {
        return rest.to_owned();
    }
    // Whole paragraphs that stayed are not said again.
    let same = given.bytes().zip(whole.bytes()).take_while(|(a, b)| a == b).count();
    let same = whole.as_bytes().get(..same).unwrap_or_default();
    let kept =
        same.windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at.saturating_add(2));
    let rest = whole.get(kept..).unwrap_or(whole);
    if rest.is_empty() { String::new() } else { format!("\n\n{rest}") }
}

#[cfg(test)]
mod tests {
    use super::following;

    #[test]
    fn what_is_taken_back_follows_as_a_paragraph() {
        for (given, whole, expected) in [
            ("", "Hello", "Hello"),
            ("Hel", "Hello", "lo"),
            ("Hello", "Hello", ""),
            ("Hello", "Good day", "\n\nGood day"),
            ("One.\n\nTwo is", "One.\n\nThree.", "\n\nThree."),
            ("Äh", "Ähm", "m"),
            ("Ö", "Ä", "\n\nÄ"),
            ("Hello", "", ""),
        ] {
            assert_eq!(following(given, whole), expected, "{given:?} {whole:?}");
        }
    }
}
