//! What a person sees while something takes its time.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opencode_tests::{Error, Result, costs};

/// How often the line of a terminal moves.
const FRAME: Duration = Duration::from_millis(100);
/// How often a log gets a line, so that nobody takes a long step for a hanging one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// From here on, what the programs of a step took is told.
const WORTH_A_WORD: Duration = Duration::from_secs(1);
/// Lines of output that an error shows.
const LINES: usize = 60;
/// Characters of a moving line: a longer one would wrap and leave its traces.
const WIDTH: usize = 78;

/// What a step is just doing, which is shown beside its name, and what its programs took.
#[derive(Default)]
pub(crate) struct Note {
    text: Arc<Mutex<String>>,
    took: Mutex<Duration>,
}

impl Note {
    /// Replaces the note.
    pub(crate) fn set(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds time of a processor.
    fn add(&self, took: Duration) {
        *self.took.lock().unwrap_or_else(PoisonError::into_inner) += took;
    }

    fn took(&self) -> Duration {
        *self.took.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The note of something that is done beside others: it shows in the same place, and counts its own programs.
    fn beside(&self) -> Note {
        Note { text: Arc::clone(&self.text), took: Mutex::default() }
    }

    /// Prints a line that stays, without disturbing the moving one.
    fn say(&self, text: &str) {
        let clear = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        line(&mut io::stderr(), &format!("{clear}{text}"));
    }

    fn get(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Does several things side by side, `lanes` at a time, as one step; each says when it is done.
///
/// # Errors
/// All that failed, each with its name.
pub(crate) fn side_by_side(what: &str, lanes: usize, jobs: Vec<Job<'_>>) -> Result<()> {
    step(what, |note| in_lanes(note, lanes, jobs))
}

/// The same as a part of a step, whose note shows what is being done.
///
/// # Errors
/// All that failed, each with its name.
pub(crate) fn in_lanes(note: &Note, lanes: usize, jobs: Vec<Job<'_>>) -> Result<()> {
    let left = Mutex::new(jobs.into_iter());
    let failed = Mutex::new(Vec::new());
    let lane = || {
        loop {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((name, work)) = next else { return };
            let (start, own) = (Instant::now(), note.beside());
            let result = work(&own);
            note.say(&format!("  {}", ending(&name, &result, start, &own)));
            note.add(own.took());
            if let Err(error) = result {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.push(format!("{name}: {error}"));
            }
        }
    };
    thread::scope(|scope| (0..lanes).for_each(|_| drop(scope.spawn(lane))));
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(Error::new(failed.join("\n"))) }
}

/// Something with a name that is done beside others.
pub(crate) type Job<'a> = (String, Box<dyn FnOnce(&Note) -> Result<()> + Send + 'a>);

/// Runs a command, whose latest line of output is the note, and gives all it printed on standard output.
///
/// # Errors
/// When it cannot be started or fails; the message holds the end of its output.
pub(crate) fn follow(command: &mut Command, note: &Note) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .envs(costs::variable())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Error::wrap(&name, error))?;
    let tail = Mutex::new(VecDeque::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = thread::scope(|scope| {
        scope.spawn(|| stderr.map(|pipe| read(pipe, &tail, note)));
        stdout.map(|pipe| read(pipe, &tail, note)).unwrap_or_default()
    });
    let (status, took) = opencode_tests::wait(&mut child)?;
    note.add(took);
    if status.success() {
        return Ok(printed);
    }
    let tail: Vec<String> = tail.into_inner().unwrap_or_else(PoisonError::into_inner).into();
    Err(Error::new(format!("{name} failed ({status})\n{}", tail.join("\n"))))
}

/// Does `work` and shows that it is being done: on a terminal one moving line, else a line when
/// it starts, now and then, and when it ends. A step within a step has no moving line: a terminal has one only. Goes to
/// standard error.
///
/// # Errors
/// Those of `work`.
pub(crate) fn step<T>(what: &str, work: impl FnOnce(&Note) -> Result<T>) -> Result<T> {
    static SHOWN: AtomicBool = AtomicBool::new(false);
    if SHOWN.swap(true, Ordering::Relaxed) {
        let start = Instant::now();
        let note = Note::default();
        let result = work(&note);
        note.say(&format!("  {}", ending(what, &result, start, &note)));
        return result;
    }
    let terminal = io::stderr().is_terminal();
    let pause = if terminal { FRAME } else { SIGN_OF_LIFE };
    let result = show(what, terminal, pause, &mut io::stderr(), work);
    SHOWN.store(false, Ordering::Relaxed);
    result
}

/// Runs a command as a step; its latest line of output is the note. Gives all it printed on
/// standard output.
///
/// # Errors
/// When it cannot be started or fails; the message holds the end of its output.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<String> {
    step(what, |note| follow(command, note))
}

fn show<T>(
    what: &str,
    terminal: bool,
    pause: Duration,
    out: &mut (impl Write + Send),
    work: impl FnOnce(&Note) -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    let note = Note::default();
    let (done, is_done) = mpsc::channel::<()>();
    let result = thread::scope(|scope| {
        let (note, out) = (&note, &mut *out);
        scope.spawn(move || {
            if !terminal {
                line(out, &format!("{what} ..."));
            }
            let mut frame = 0;
            while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let text = format!("{what}  {}  {}", seconds(start.elapsed()), note.get());
                if terminal {
                    let sign = ["-", "\\", "|", "/"][frame % 4];
                    let text: String = text.chars().take(WIDTH).collect();
                    let _ = write!(out, "\r\x1b[K{sign} {text}").and_then(|()| out.flush());
                } else {
                    line(out, &format!("  {text}"));
                }
                frame += 1;
            }
        });
        // Also when the work panics: the thread ends, and the scope with it.
        let _done = done;
        work(note)
    });
    let clear = if terminal { "\r\x1b[K" } else { "" };
    line(out, &format!("{clear}{}", ending(what, &result, start, &note)));
    result
}

/// How a piece of work ended, how long it took, and for how long its programs had a processor, where that is worth a word.
fn ending<T>(what: &str, result: &Result<T>, start: Instant, note: &Note) -> String {
    let verdict = if result.is_ok() { "ok" } else { "FAILED" };
    let computed = match note.took() {
        took if took < WORTH_A_WORD => String::new(),
        took => format!(", computed {}", seconds(took)),
    };
    format!("{what}: {verdict}  {}{computed}", seconds(start.elapsed()))
}

/// A closed terminal is no reason to stop working.
fn line(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn read(pipe: impl Read, tail: &Mutex<VecDeque<String>>, note: &Note) -> String {
    let mut all = String::new();
    for bytes in BufReader::new(pipe).split(b'\n').map_while(io::Result::ok) {
        let line = String::from_utf8_lossy(&bytes);
        // A progress bar redraws its line: only the latest state counts.
        let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
        note.set(line);
        all.push_str(line);
        all.push('\n');
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == LINES {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(terminal: bool, result: Result<()>) -> String {
        let mut out = Vec::new();
        let work = |note: &Note| {
            note.set("half way");
            thread::sleep(Duration::from_millis(50));
            result
        };
        let _ = show("fetch it", terminal, Duration::from_millis(1), &mut out, work);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_log_gets_lines_and_signs_of_life() {
        let text = shown(false, Ok(()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "fetch it ...");
        assert!(lines[1].starts_with("  fetch it  0.0 s"), "{text}");
        assert!(text.contains("half way"));
        assert!(lines.last().unwrap().starts_with("fetch it: ok  0."), "{text}");
        assert!(!text.contains('\r'));
    }

    #[test]
    fn a_terminal_gets_one_moving_line() {
        let text = shown(true, Err(Error::new("no")));
        assert!(text.contains("\r\x1b[K- fetch it") && text.contains("\r\x1b[K\\ fetch it"));
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("\x1b[Kfetch it: FAILED  0."), "{text:?}");
    }

    #[test]
    fn a_command_gives_its_output_and_its_failure_shows_the_end_of_it() {
        let note = Note::default();
        let out = follow(Command::new("sh").args(["-c", "echo a; echo b >&2; echo c"]), &note);
        assert_eq!(out.unwrap(), "a\nc\n");
        let script = "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; exit 3";
        let error = follow(Command::new("sh").args(["-c", script]), &note).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("sh failed (exit status: 3)\nline 140\n"), "{error}");
        assert!(error.ends_with("line 199"), "{error}");
        assert!(follow(&mut Command::new("/no/such/thing"), &note).is_err());
    }

    #[test]
    fn what_is_done_side_by_side_is_all_done_and_every_failure_is_named() {
        let done = Mutex::new(0);
        let job = |name: &str, result: Result<()>| -> Job<'_> {
            let done = &done;
            let work = move |_: &Note| {
                *done.lock().unwrap() += 1;
                result
            };
            (name.to_owned(), Box::new(work))
        };
        side_by_side("x", 2, vec![job("a", Ok(())), job("b", Ok(()))]).unwrap();
        let jobs = vec![job("a", Err(Error::new("no"))), job("b", Ok(())), job("c", Ok(()))];
        assert_eq!(side_by_side("x", 2, jobs).unwrap_err().to_string(), "a: no");
        assert_eq!(*done.lock().unwrap(), 5);
    }
}
