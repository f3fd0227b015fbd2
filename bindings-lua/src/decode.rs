//! JSON to tokens: one loop, whatever the depth, so that a thread with a small stack reads what any other does.

use crate::token::{Piece, Token};
use opencode_core::scan::plain;

/// How deep documents may be nested, in both directions.
pub(crate) const MAX_DEPTH: usize = 1000;

/// Why a document cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is no JSON: what is wrong, and at which byte.
    NoJson(String),
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// A document that was read.
pub(crate) struct Document {
    pub(crate) tokens: Vec<Token>,
    /// The texts that had escapes, without them, one behind the other.
    pub(crate) unescaped: String,
    pub(crate) deepest: usize,
}

/// A number of few digits and nothing else, as most are.
fn small(text: &str) -> Option<i64> {
    let digits = text.as_bytes();
    let is_simple = digits.len() <= 15 && (digits.len() == 1 || digits.first() != Some(&b'0'));
    let add = |number: i64, digit: &u8| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    };
    if is_simple && !digits.is_empty() { digits.iter().try_fold(0, add) } else { None }
}

/// Whether the script may read it as a number without losing digits.
fn is_exact(number: i64) -> bool {
    cfg!(any(feature = "lua53", feature = "lua54", feature = "lua55"))
        || number.unsigned_abs() <= 1 << 53
}

/// One JSON document. A `null` is no field, and keeps its place in a list; integers that a number of this Lua cannot
/// hold are texts. `source` is the number that the document will have on the tape; the next one is that of the
/// texts without escapes.
pub(crate) fn parse(json: &[u8], source: usize) -> Result<Document, Wrong> {
    let json = std::str::from_utf8(json)
        .map_err(|e| Wrong::NoJson(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
    let tokens = Vec::with_capacity(json.len() / 16);
    let done = Document { tokens, unescaped: String::new(), deepest: 0 };
    let mut reader = Reader { json, at: 0, source, levels: Vec::new(), done };
    reader.document()?;
    Ok(reader.done)
}

/// A container that is being read.
struct Level {
    /// The place of its token.
    token: usize,
    length: usize,
    is_object: bool,
}

struct Reader<'a> {
    json: &'a str,
    at: usize,
    source: usize,
    levels: Vec<Level>,
    done: Document,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), Wrong> {
        loop {
            let is_open = self.value()?;
            if is_open {
                continue;
            }
            // A value is complete, and with it perhaps what holds it.
            while self.close()? {}
            if self.levels.is_empty() {
                return match self.peek() {
                    None => Ok(()),
                    Some(_) => Err(self.wrong("something behind the end")),
                };
            }
        }
    }

    /// Reads a value; true when it is a container with something in it.
    fn value(&mut self) -> Result<bool, Wrong> {
        match self.peek() {
            Some(b'{') => return self.open(b'}'),
            Some(b'[') => return self.open(b']'),
            Some(b'"') => {
                let text = self.text()?;
                self.done.tokens.push(Token::Text(text));
            }
            Some(b't') => self.word("true", Token::Boolean(true))?,
            Some(b'f') => self.word("false", Token::Boolean(false))?,
            Some(b'n') => {
                self.word("null", Token::Null)?;
                if let Some(level) = self.levels.last_mut().filter(|level| level.is_object) {
                    // A field that is nil is no field: neither its key nor its value.
                    level.length -= 1;
                    self.done.tokens.truncate(self.done.tokens.len().saturating_sub(2));
                }
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.wrong("no value")),
        }
        Ok(false)
    }

    fn open(&mut self, end: u8) -> Result<bool, Wrong> {
        self.at += 1;
        if self.levels.len() >= MAX_DEPTH {
            return Err(Wrong::TooDeep);
        }
        let is_object = end == b'}';
        let token = self.done.tokens.len();
        self.done.tokens.push(if is_object { Token::Object(0) } else { Token::List(0) });
        self.done.deepest = self.done.deepest.max(self.levels.len() + 1);
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        self.levels.push(Level { token, length: 1, is_object });
        if is_object {
            self.key()?;
        }
        Ok(true)
    }

    /// What stands behind a value: true when it ended the container, which is a complete value now.
    fn close(&mut self) -> Result<bool, Wrong> {
        let next = self.peek();
        let Some(level) = self.levels.last_mut() else { return Ok(false) };
        match (next, level.is_object) {
            (Some(b','), is_object) => {
                level.length += 1;
                self.at += 1;
                if is_object {
                    self.key()?;
                }
                Ok(false)
            }
            (Some(b'}'), true) | (Some(b']'), false) => {
                let token = match level.is_object {
                    true => Token::Object(level.length),
                    false => Token::List(level.length),
                };
                if let Some(slot) = self.done.tokens.get_mut(level.token) {
                    *slot = token;
                }
                self.levels.pop();
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.wrong("neither a comma nor an end")),
        }
    }

    fn key(&mut self) -> Result<(), Wrong> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("no key"));
        }
        let key = self.text()?;
        self.done.tokens.push(Token::Text(key));
        if self.peek() != Some(b':') {
            return Err(self.wrong("no colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str, token: Token) -> Result<(), Wrong> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.wrong("no value"));
        }
        self.at += word.len();
        self.done.tokens.push(token);
        Ok(())
    }

    fn text(&mut self) -> Result<Piece, Wrong> {
        let begin = self.at;
        let mut end = begin + 1;
        let mut has_escapes = false;
        loop {
            let rest = self.json.as_bytes().get(end..).unwrap_or_default();
            end += plain(rest);
            match self.json.as_bytes().get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    end += 2;
                }
                _ => {
                    self.at = end.min(self.json.len());
                    return Err(self.wrong("a text without an end"));
                }
            }
        }
        self.at = end + 1;
        if !has_escapes {
            return Ok(Piece { source: self.source, start: begin + 1, length: end - begin - 1 });
        }
        let quoted = self.json.get(begin..=end).unwrap_or_default();
        let text: String = serde_json::from_str(quoted)
            .map_err(|_| Wrong::NoJson(format!("a wrong escape in the text at byte {begin}")))?;
        let start = self.done.unescaped.len();
        self.done.unescaped.push_str(&text);
        Ok(Piece { source: self.source + 1, start, length: text.len() })
    }

    fn number(&mut self) -> Result<(), Wrong> {
        let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest().iter().take_while(|b| is_part(b)).count();
        let text = self.json.get(self.at..self.at + length).unwrap_or_default();
        if let Some(whole) = small(text) {
            self.at += length;
            self.done.tokens.push(Token::Integer(whole));
            return Ok(());
        }
        let token = match serde_json::from_str::<serde_json::Number>(text) {
            Err(_) => return Err(self.wrong("a wrong number")),
            Ok(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) if is_exact(whole) => Token::Integer(whole),
                (None, Some(float)) if !number.is_u64() => Token::Number(float),
                _ => {
                    // Digits are never lost silently: the text of it is a piece of the document.
                    Token::Text(Piece { source: self.source, start: self.at, length })
                }
            },
        };
        self.at += length;
        self.done.tokens.push(token);
        Ok(())
    }

    fn rest(&self) -> &[u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.json.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn wrong(&self, what: &str) -> Wrong {
        match self.at < self.json.len() {
            true => Wrong::NoJson(format!("{what} at byte {}", self.at)),
            false => Wrong::NoJson("it ends too early".to_owned()),
        }
    }
}
