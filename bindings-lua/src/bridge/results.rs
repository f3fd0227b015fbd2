//! What a function gives to the prelude: `true, values...` or `false, is_misuse, message, err`.
//!
//! Only misuse of the module by itself is raised: what a script can do wrong is a value, and the prelude knows the line of
//! the script.

use super::object::{Handle, Made};
use crate::decode::{MAX_DEPTH, Wrong};
use crate::tape::Tape;
use crate::token::Token;
use opencode_core::{Answer, Error, ErrorKind, Result, StreamEvent};

/// The values that a function gives, in their order.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) tape: Tape,
    pub(crate) handles: Vec<Made>,
}

impl Results {
    pub(crate) fn nil(&mut self) {
        self.tape.push(Token::Nil);
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.tape.push(Token::Boolean(value));
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.tape.push(Token::Integer(value));
    }

    pub(crate) fn word(&mut self, word: &'static str) {
        self.tape.push(Token::Word(word));
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.tape.text(text.into());
    }

    pub(crate) fn optional_text(&mut self, text: impl Into<Option<String>>) {
        match text.into() {
            Some(text) => self.text(text),
            None => self.nil(),
        }
    }

    pub(crate) fn raw(&mut self, answer: Answer) {
        self.tape.raw(answer);
    }

    pub(crate) fn handle<T: Handle>(&mut self, value: T) {
        self.tape.push(Token::Handle(self.handles.len()));
        self.handles.push(Made::new(value));
    }

    /// Begins a list: so many values follow.
    pub(crate) fn list(&mut self, length: usize) {
        self.tape.push(Token::List(length));
    }

    /// Begins an object: so many pairs of [`word`](Self::word) or text and a value follow.
    pub(crate) fn object(&mut self, length: usize) {
        self.tape.push(Token::Object(length));
    }

    /// A document that the core made, or passed on unread.
    ///
    /// # Errors
    /// `decode` when it is nested too deeply.
    pub(crate) fn json(&mut self, json: impl Into<String>) -> Result<()> {
        self.tape.json(json.into()).map_err(unread)
    }

    /// An event, as it lies with others that came together.
    ///
    /// # Errors
    /// As those of [`json`](Self::json).
    pub(crate) fn event(&mut self, event: StreamEvent) -> Result<()> {
        match event {
            StreamEvent::Server(event) => self.tape.event(event).map_err(unread),
            other => self.json(other.to_json()),
        }
    }

    /// The body of an answer as a value. A body that is `null` is nil.
    ///
    /// # Errors
    /// `decode` when it is no JSON, or nested too deeply.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<()> {
        if answer.bytes() == b"null" {
            self.nil();
            return Ok(());
        }
        let same = answer.clone();
        self.tape.answer(answer).map_err(|wrong| match wrong {
            Wrong::NoJson(why) => same.decode_error("is no JSON", &why),
            Wrong::TooDeep => same
                .decode_error("is nested too deeply", &format!("{MAX_DEPTH} levels are the most")),
        })
    }

    /// Message and table of an error.
    pub(crate) fn describe(&mut self, error: &Error) {
        self.text(line(error));
        // An error is flat.
        if self.json(error.to_json()).is_err() {
            self.nil();
        }
    }

    /// `true`, and what `convert` makes of a value; a failure otherwise.
    pub(crate) fn outcome<T>(
        &mut self,
        result: Result<T>,
        convert: impl FnOnce(&mut Results, T) -> Result<()>,
    ) {
        match result {
            Ok(value) => self.converted(value, convert),
            Err(error) => self.failure(&error),
        }
    }

    /// The same for what may fail in spite of correct arguments: a failure is never raised, whatever its kind.
    pub(crate) fn runtime<T>(
        &mut self,
        result: Result<T>,
        convert: impl FnOnce(&mut Results, T) -> Result<()>,
    ) {
        match result {
            Ok(value) => self.converted(value, convert),
            Err(error) => self.failed(false, &error),
        }
    }

    fn converted<T>(&mut self, value: T, convert: impl FnOnce(&mut Results, T) -> Result<()>) {
        self.boolean(true);
        if let Err(error) = convert(self, value) {
            *self = Results::default();
            self.failed(false, &error);
        }
    }

    /// `true`, and a handle.
    pub(crate) fn made<T: Handle>(&mut self, result: Result<T>) {
        self.outcome(result, |results, value| {
            results.handle(value);
            Ok(())
        });
    }

    /// `true, true`: it was done.
    pub(crate) fn done(&mut self, result: Result<()>) {
        self.outcome(result, |results, ()| {
            results.boolean(true);
            Ok(())
        });
    }

    /// The same for what ends by itself: that it is over is news and no mistake of the script.
    pub(crate) fn done_unless_over(&mut self, result: Result<()>) {
        match result {
            Err(error) if error.kind() == ErrorKind::Closed => self.failed(false, &error),
            result => self.done(result),
        }
    }

    /// A failure. Misuse is what the author of the script can mend: the prelude raises it. What a file is like that a prompt
    /// names shows at run time only.
    pub(crate) fn failure(&mut self, error: &Error) {
        let is_misuse = matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Closed)
            && error.operation() != opencode_core::ATTACH;
        self.failed(is_misuse, error);
    }

    fn failed(&mut self, is_misuse: bool, error: &Error) {
        self.boolean(false);
        self.boolean(is_misuse);
        self.describe(error);
    }

    /// A mistake in what the script passed.
    pub(crate) fn misuse(&mut self, message: impl Into<String>) {
        self.failure(&Error::new(ErrorKind::InvalidArgument, message));
    }
}

fn unread(wrong: Wrong) -> Error {
    let why = match wrong {
        Wrong::NoJson(why) => format!("what the server said is no JSON: {why}"),
        Wrong::TooDeep => format!("what the server said is nested deeper than {MAX_DEPTH} levels"),
    };
    Error::new(ErrorKind::Decode, why)
}

/// An error as it prints.
pub(crate) fn line(error: &Error) -> String {
    format!("{}: {}", error.kind().name(), error.message())
}
