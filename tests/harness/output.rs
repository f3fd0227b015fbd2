//! What a child process prints, kept bounded.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes kept of both pipes together; the oldest go first.
const LIMIT: usize = 64 * 1024;

/// The end of what a process has printed on both pipes.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<State>);

#[derive(Default)]
struct State {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Output {
    /// Reads a pipe in a thread of its own until it ends, so that the process never blocks on it.
    pub(crate) fn drain(&self, mut pipe: impl Read + Send + 'static) -> std::io::Result<()> {
        let output = self.clone();
        thread::Builder::new()
            .name("output".into())
            .stack_size(64 * 1024)
            .spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    output.add(&chunk[..count]);
                }
            })
            .map(drop)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }

    /// Looks for something in the text so far, and again whenever there is more.
    pub(crate) fn wait_for<T>(
        &self,
        limit: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + limit;
        let mut bytes = self.lock();
        loop {
            if let Some(found) = find(&String::from_utf8_lossy(&bytes)) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            bytes = self.0.more.wait_timeout(bytes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn add(&self, chunk: &[u8]) {
        let mut bytes = self.lock();
        bytes.extend_from_slice(chunk);
        let excess = bytes.len().saturating_sub(LIMIT);
        bytes.drain(..excess);
        self.0.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let output = Output::default();
        output.add(b"start");
        for _ in 0..100 {
            output.add(&[b'x'; 1000]);
        }
        output.add(b"end");
        let text = output.text();
        assert_eq!(text.len(), LIMIT);
        assert!(text.ends_with("xend") && !text.contains("start"));
    }

    #[test]
    fn waiting_ends_with_the_match_or_with_the_time() {
        let output = Output::default();
        output.drain(&b"one\ntwo\n"[..]).unwrap();
        let found = output.wait_for(Duration::from_secs(30), |text| text.find("two"));
        assert_eq!(found, Some(4));
        assert_eq!(output.wait_for(Duration::from_millis(1), |text| text.find("three")), None);
    }
}
