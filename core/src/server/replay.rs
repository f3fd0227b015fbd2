//! [`Replay`]: a server that plays a recording back, for tests without a model.

mod groups;
mod ids;
mod lists;
mod nature;
mod paths;
mod player;
mod standing;
mod tape;
mod wire;

use crate::base::error::{Error, Result};
use crate::base::hooks::Home;
use crate::base::leaving;
use crate::base::pool::join;
use crate::base::thread;
use player::{Player, ReplayListener, plain_event};
use std::fmt;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tape::Tape;

/// How often a thread looks whether it shall end.
const SLICE: Duration = Duration::from_millis(100);
/// How long one who listens is looked at.
const GLANCE: Duration = Duration::from_millis(1);
/// The server's own heartbeats come every ten seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: usize = 128;

/// A server on this machine that plays a recording back: the same requests get the same answers, and the events
/// come when they came. It has no password and calls no model.
///
/// Requests are matched by method and path, each path in the order of the recording, whatever the ids and the
/// query. Ids that the client chose are replaced by those of the new run.
#[must_use = "the replay ends when this is dropped"]
pub struct Replay {
    address: SocketAddr,
    /// Empty once it was closed.
    playing: Option<Playing>,
}

/// The threads of a replay, in the process that started them: a copy of it has none.
struct Playing {
    address: SocketAddr,
    shared: Arc<ReplayShared>,
    acceptor: JoinHandle<()>,
    home: Home,
}

struct ReplayShared {
    stage: Player,
    is_closed: AtomicBool,
    open: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A connection that is counted for as long as this lives.
struct OpenConnection(Arc<ReplayShared>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Replay {
    /// Starts to play a file that was written with `record`.
    ///
    /// # Errors
    /// `not_found` when there is no such file, `decode` when it is no recording, `exhausted` when the system gives
    /// no port or thread.
    pub fn start(path: impl AsRef<Path>) -> Result<Replay> {
        let tape = Tape::read(path.as_ref())?;
        let failed = |error: std::io::Error| Error::exhausted("port or thread", error);
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(ReplayShared {
            stage: Player::new(tape),
            is_closed: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            threads: Mutex::default(),
        });
        let mine = Arc::clone(&shared);
        let acceptor = thread::start("opencode-replay", move || mine.accept(&listener), drop)?;
        let playing = Playing { address, shared, acceptor, home: Home::here() };
        Ok(Replay { address, playing: Some(playing) })
    }

    /// The address for a client: `http://127.0.0.1:` and a port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it and joins its threads, within a second. Dropping it ends it too, and waits for nothing.
    pub fn close(&mut self) {
        if let Some(playing) = self.take() {
            playing.end();
        }
    }

    /// What is there to end, once, and in the process that started it.
    fn take(&mut self) -> Option<Playing> {
        let playing = self.playing.take()?;
        if playing.home.is_here() {
            return Some(playing);
        }
        // Its threads and its locks are those of another process.
        std::mem::forget(playing);
        None
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if let Some(playing) = self.take() {
            playing.shared.is_closed.store(true, Ordering::Release);
            leaving::hand_over(|| playing.end());
        }
    }
}

impl Playing {
    fn end(self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.shared.stage.end();
        // The listener waits for a connection; here is one.
        drop(TcpStream::connect_timeout(&self.address, SLICE));
        join(vec![self.acceptor]);
        let threads = std::mem::take(
            &mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner),
        );
        join(threads);
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl ReplayShared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.is_closed() {
                return;
            }
            let Ok(stream) = stream else {
                // The system gives no descriptor now.
                std::thread::park_timeout(SLICE);
                continue;
            };
            if self.open.load(Ordering::Acquire) >= MAX_CONNECTIONS {
                continue;
            }
            self.open.fetch_add(1, Ordering::AcqRel);
            let mine = OpenConnection(Arc::clone(self));
            // A client that goes away is no failure of ours.
            let work = move || drop(mine.0.serve(&stream));
            let thread = thread::start("opencode-replay", work, drop);
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            threads.retain(|thread| !thread.is_finished());
            threads.extend(thread);
        }
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        stream.set_nodelay(true)?;
        let mut reader = wire::Reader::new(stream);
        while let Some(request) = reader.next(&|| self.is_closed())? {
            if let Some(mut listener) = self.stage.listen(&request) {
                let result = self.stream(stream, paths::path_of(&request.target), &mut listener);
                self.stage.leave(&listener);
                return result;
            }
            let answer = self.stage.answer(&request);
            wire::write(stream, answer.status, &answer.headers, &answer.body)?;
        }
        Ok(())
    }

    fn stream(
        &self,
        stream: &TcpStream,
        path: &str,
        listener: &mut ReplayListener,
    ) -> std::io::Result<()> {
        wire::begin_stream(stream)?;
        stream.set_read_timeout(Some(GLANCE))?;
        wire::event(stream, &plain_event(path, "server.connected"))?;
        let mut last = Instant::now();
        // What is told to one who is gone is lost for all others.
        while !self.is_closed() && wire::is_there(stream) {
            match self.stage.next_event(listener, SLICE) {
                Some(event) => wire::event(stream, &event)?,
                None if last.elapsed() >= HEARTBEAT => {
                    wire::event(stream, &plain_event(path, "server.heartbeat"))?;
                }
                None => continue,
            }
            last = Instant::now();
        }
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn start(name: &str) -> Replay {
        let tape = std::env::temp_dir().join(format!("opencode-{name}-{}", std::process::id()));
        std::fs::write(&tape, "{\"type\":\"start\"}\n").unwrap();
        let replay = Replay::start(&tape).unwrap();
        std::fs::remove_file(&tape).unwrap();
        replay
    }

    fn is_gone(address: &SocketAddr) -> bool {
        TcpStream::connect(address).is_err()
    }

    #[test]
    fn a_drop_waits_for_nothing_and_a_close_for_the_end() {
        let replay = start("dropped");
        let address = replay.address;
        let shared = Arc::clone(&replay.playing.as_ref().unwrap().shared);
        // Whoever ends it needs this.
        let held = shared.threads.lock().unwrap();
        let (sender, receiver) = mpsc::channel();
        let dropper = thread::start("opencode-test", move || drop(replay), drop).unwrap();
        let told =
            thread::start("opencode-test", move || sender.send(dropper.join()).unwrap(), drop);
        receiver.recv_timeout(Duration::from_secs(60)).expect("the drop returns").unwrap();
        drop(held);
        told.unwrap().join().unwrap();
        leaving::settle();
        assert!(is_gone(&address));

        let mut replay = start("closed");
        let address = replay.address;
        replay.close();
        assert!(is_gone(&address));
        replay.close();
    }

    #[test]
    fn a_copy_of_the_process_ends_nothing_of_the_first_one() {
        let mut replay = start("copied");
        let address = replay.address;
        let playing = replay.playing.as_mut().unwrap();
        let shared = Arc::clone(&playing.shared);
        playing.home = Home::elsewhere();
        replay.close();
        assert!(!is_gone(&address));
        shared.is_closed.store(true, Ordering::Release);
        drop(TcpStream::connect(address));
    }
}
