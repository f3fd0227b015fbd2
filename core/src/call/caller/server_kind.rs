//! What kind of server a [`Caller`] asks: found out when it makes a difference, and what follows from it.

use super::{Caller, closed};
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::call::dialect::{self, Explained, explain};
use crate::protocol::dialect::{Dialect, ServerInfo};
use crate::protocol::operation::route::{Project, Routed, route};
use crate::protocol::operation::{self, DirectoryScope, Method, Operation};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

impl Caller {
    /// Asks the server what it is.
    pub(crate) fn identify(&self, limit: Duration, token: &CancelToken) -> Result<ServerInfo> {
        let _begun = self.begin("server", token)?;
        let result = dialect::identify(&self.line.transport, limit, token);
        if let Ok(info) = &result {
            self.note(Some(info.clone()));
        }
        result.map_err(|error| if self.is_closed() { closed("server") } else { error })
    }

    /// What the server speaks, as far as that is known without asking.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.options.dialect.or_else(|| self.found().as_ref().map(|info| info.dialect))
    }

    /// Asks in the way of 1.x, or in that of 2.x where the server is one. The first request of a client to an unknown server is
    /// one of 1.x: such a server is asked nothing more for it, and one of 2.x refuses it, does nothing, and says what it is.
    pub(crate) fn either<T>(
        &self,
        one: impl FnOnce() -> Result<T>,
        two: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.dialect() == Some(Dialect::Two) {
            return two();
        }
        match one() {
            Err(error) if dialect::is_refusal(&error) => {
                self.turn_to_two(error)?;
                two()
            }
            result => result,
        }
    }

    /// What a server is that refused a request of 1.x: one of 2.x, or the error stands. That was just asked, and is asked again
    /// where another thread has met a broken connection since.
    ///
    /// # Errors
    /// The refusal, or why nobody knows what the server is.
    pub(crate) fn turn_to_two(&self, refusal: Error) -> Result<()> {
        match self.dialect() {
            Some(Dialect::Two) => return Ok(()),
            Some(Dialect::One) => return Err(refusal),
            None => {}
        }
        match self.identify(dialect::LIMIT, &CancelToken::default()) {
            Ok(info) if info.dialect == Dialect::Two => Ok(()),
            Ok(_) => Err(refusal),
            Err(why) => Err(dialect::unanswered(refusal.operation(), &why).unwrap_or(refusal)),
        }
    }

    /// The connection broke: another server may have taken the place of this one.
    pub(crate) fn forget(&self) {
        self.note(None);
    }

    fn note(&self, info: Option<ServerInfo>) {
        *self.found() = info;
    }

    fn found(&self) -> MutexGuard<'_, Option<ServerInfo>> {
        self.line.found.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an operation that the server is known not to have, before it is sent. Whether that is known costs
    /// nothing; a server that is known to speak something else is asked again, for another one may have taken its place.
    pub(super) fn admit(
        &self,
        operation: &Operation,
        limit: Option<Duration>,
        token: &CancelToken,
    ) -> Result<()> {
        let Some(needed) = operation.dialect else {
            return self.check_chosen(operation, limit, token);
        };
        if let Some(chosen) = self.options.dialect {
            return match chosen == needed {
                true => Ok(()),
                false => Err(dialect::refuse_chosen(operation, chosen)),
            };
        }
        let is_other = self.found().as_ref().is_some_and(|info| info.dialect != needed);
        if !is_other {
            return Ok(());
        }
        let limit = limit.unwrap_or(dialect::LIMIT).min(dialect::LIMIT);
        match dialect::identify(&self.line.transport, limit, token) {
            Ok(info) if info.dialect != needed => Err(dialect::refuse(operation, &info)),
            Ok(info) => {
                self.note(Some(info));
                Ok(())
            }
            // It says itself what is wrong with it now.
            Err(_) => {
                self.note(None);
                Ok(())
            }
        }
    }

    /// Refuses what would change something on a server of 1.x, which has some operations of 2.x too, where the client was made
    /// for 2.x only. Such a client asks its server once.
    fn check_chosen(
        &self,
        operation: &Operation,
        limit: Option<Duration>,
        token: &CancelToken,
    ) -> Result<()> {
        if self.options.dialect != Some(Dialect::Two) || operation.may_repeat {
            return Ok(());
        }
        // One that cannot be asked says itself what is wrong with it.
        let Some(found) = self.known_or_asked(limit, token) else { return Ok(()) };
        let is_other = found.dialect != Dialect::Two;
        let refusal = is_other.then(|| dialect::held(operation.name, Dialect::Two, &found));
        // One that takes its place may be right.
        self.note((!is_other).then_some(found));
        refusal.map_or(Ok(()), Err)
    }

    /// Says more of what the server says no more of than that something went wrong.
    pub(super) fn explain(
        &self,
        error: Error,
        routed: &Routed,
        limit: Option<Duration>,
        token: &CancelToken,
    ) -> Error {
        let operation = operation::find(error.operation());
        if operation.is_some()
            && let Some(held) = self.held(&error, limit, token)
        {
            return held;
        }
        if let Some(directory) = &routed.directory
            && error.status() == Some(500)
            && dialect::lacks_directory(&self.line.transport, directory, limit, token)
        {
            return dialect::no_directory(error.operation(), directory).in_place_of(&error);
        }
        let target = &routed.target;
        let Explained { found, error } =
            explain(error, operation, target, &self.line.transport, limit, token);
        if found.is_some() {
            self.note(found);
        }
        error
    }

    /// What the error of a client that was made for one kind of server says where it asks one of the other kind: both know
    /// some operations, and read them in two ways. The server is asked once.
    fn held(&self, error: &Error, limit: Option<Duration>, token: &CancelToken) -> Option<Error> {
        let chosen = self.options.dialect?;
        if matches!(error.status(), None | Some(401)) {
            return None;
        }
        let info = self.known_or_asked(limit, token)?;
        let is_other = info.dialect != chosen;
        let held =
            is_other.then(|| dialect::held(error.operation(), chosen, &info).in_place_of(error));
        self.note(Some(info));
        held
    }

    /// What the server is known to be, or says that it is.
    fn known_or_asked(&self, limit: Option<Duration>, token: &CancelToken) -> Option<ServerInfo> {
        let known = self.found().clone();
        let limit = limit.unwrap_or(dialect::LIMIT).min(dialect::LIMIT);
        known.or_else(|| dialect::identify(&self.line.transport, limit, token).ok())
    }

    /// Routes an operation. Both kinds of server know some that name a directory, and read it in two ways: where that makes a
    /// difference, an unknown server is asked first.
    pub(super) fn route<'a>(
        &'a self,
        operation: &Operation,
        arguments: &str,
        project: impl Fn() -> Project<'a>,
        limit: Option<Duration>,
        token: &CancelToken,
    ) -> Result<Routed> {
        let routed = route(operation, arguments, project())?;
        let is_unsure = operation.dialect.is_none()
            && operation.scope == DirectoryScope::Directory
            && routed.directory.as_ref().is_some_and(|directory| directory.contains('%'))
            && self.dialect().is_none();
        if !is_unsure {
            return Ok(routed);
        }
        let limit = limit.unwrap_or(dialect::LIMIT).min(dialect::LIMIT);
        match self.identify(limit, token) {
            Ok(_) => route(operation, arguments, project()),
            Err(why) => dialect::unanswered(operation.name, &why).map_or(Ok(routed), Err),
        }
    }

    /// A session in a directory that is not there can do nothing, and 1.x has lists for it that mislead. Of 1.x that is asked
    /// only where this machine, on which the server seems to run, has no such directory either; of what the library itself
    /// asks for, only before a session is made.
    pub(super) fn check_directory(
        &self,
        operation: &Operation,
        routed: &Routed,
        asks_host: bool,
        limit: Option<Duration>,
        token: &CancelToken,
    ) -> Result<()> {
        match &routed.directory {
            Some(directory)
                if operation.scope == DirectoryScope::Body
                    && dialect::lacks_directory(&self.line.transport, directory, limit, token) =>
            {
                Err(dialect::no_directory(operation.name, directory))
            }
            Some(directory)
                if works_in_directory(operation, asks_host)
                    && self.seems_absent(directory)
                    && self.lacks_for_sure(directory, limit, token) =>
            {
                Err(dialect::no_directory(operation.name, directory))
            }
            _ => Ok(()),
        }
    }

    /// Whether a directory is not there, if the server runs on this machine and sees its files.
    fn seems_absent(&self, directory: &str) -> bool {
        let path = Path::new(directory);
        // Which directory an encoded one means is looked at elsewhere, and a relative one is the server's.
        path.is_absolute()
            && !directory.contains('%')
            && self.line.transport.base().is_loopback()
            && !path.exists()
    }

    /// Asks the server for a directory that this machine does not have: once for each that it has, as behind a port that
    /// leads to another machine.
    fn lacks_for_sure(
        &self,
        directory: &str,
        limit: Option<Duration>,
        token: &CancelToken,
    ) -> bool {
        let elsewhere = || {
            let elsewhere = self.line.elsewhere.get(Mutex::default);
            elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
        };
        if elsewhere().contains(directory) {
            return false;
        }
        let lacks = dialect::lacks_directory_of_one(&self.line.transport, directory, limit, token);
        if lacks == Some(false) {
            elsewhere().insert(directory.to_owned());
        }
        lacks == Some(true)
    }
}

/// Whether an operation of 1.x works in a directory and succeeds also where there is none. What is stored of sessions may be of one
/// that is gone, and what reads files says so itself.
fn works_in_directory(operation: &Operation, asks_host: bool) -> bool {
    const OTHERS: &[&str] =
        &["session.", "experimental.session.", "permission.", "question.", "project.", "file."];
    operation.dialect == Some(Dialect::One)
        && operation.scope == DirectoryScope::Directory
        && (operation.name == "session.create"
            || asks_host
                && operation.method == Method::Get
                && !OTHERS.iter().any(|other| operation.name.starts_with(other)))
}
