//! Values on their way to Lua, as a flat list: a container says how many values follow. No recursion makes or reads it.

use crate::decode::{self, Wrong};
use crate::token::{Piece, Token};
use opencode_core::{Answer, Event};

/// What texts are pieces of.
enum Source {
    Text(String),
    Answer(Answer),
    Event(Event),
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Source::Text(text) => text.as_bytes(),
            Source::Answer(answer) => answer.bytes(),
            Source::Event(event) => event.json().as_bytes(),
        }
    }
}

/// The list, and the texts that it points into.
#[derive(Default)]
pub(crate) struct Tape {
    pub(crate) tokens: Vec<Token>,
    sources: Vec<Source>,
    deepest: usize,
}

impl Tape {
    /// The bytes of a piece.
    pub(crate) fn bytes(&self, piece: Piece) -> &[u8] {
        let source = self.sources.get(piece.source).map_or(&[][..], Source::bytes);
        source.get(piece.start..piece.start.saturating_add(piece.length)).unwrap_or_default()
    }

    /// How many containers are open at once, at most. Those that are not of a document are few.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest + 8
    }

    pub(crate) fn push(&mut self, token: Token) {
        self.tokens.push(token);
    }

    pub(crate) fn text(&mut self, text: String) {
        let piece = Piece { source: self.sources.len(), start: 0, length: text.len() };
        self.sources.push(Source::Text(text));
        self.tokens.push(Token::Text(piece));
    }

    /// The bytes of an answer as they came.
    pub(crate) fn raw(&mut self, answer: Answer) {
        let piece = Piece { source: self.sources.len(), start: 0, length: answer.bytes().len() };
        self.sources.push(Source::Answer(answer));
        self.tokens.push(Token::Text(piece));
    }

    /// One JSON document as a value. When it cannot be read the tape is as it was.
    pub(crate) fn json(&mut self, text: String) -> Result<(), Wrong> {
        let read = decode::parse(text.as_bytes(), self.sources.len())?;
        self.take(read, Source::Text(text));
        Ok(())
    }

    /// The same for the body of an answer.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), Wrong> {
        let read = decode::parse(answer.bytes(), self.sources.len())?;
        self.take(read, Source::Answer(answer));
        Ok(())
    }

    /// The same for an event.
    pub(crate) fn event(&mut self, event: Event) -> Result<(), Wrong> {
        let read = decode::parse(event.json().as_bytes(), self.sources.len())?;
        self.take(read, Source::Event(event));
        Ok(())
    }

    fn take(&mut self, read: decode::Document, source: Source) {
        self.sources.push(source);
        // Texts with escapes are pieces of a source of their own, behind the document.
        self.sources.push(Source::Text(read.unescaped));
        self.deepest = self.deepest.max(read.deepest);
        if self.tokens.is_empty() {
            self.tokens = read.tokens;
        } else {
            self.tokens.extend(read.tokens);
        }
    }
}
