//! What outlives this process, whichever way it ends: a shell that cleans up behind it.
//!
//! A parent-death signal would not do: it follows the thread that started the server, and test
//! threads end long before the shared server should.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, process};

use crate::{Error, Result};

/// The variable that marks every process of this harness.
pub(crate) const VARIABLE: &str = "OPENCODE_TESTS";

/// Waits until its input ends, then kills what is marked and removes the directory. The process
/// may have died between fork and exec of a server, so it looks more than once.
const SCRIPT: &str = r#"
read -r _
clear=0
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  found=$(grep -lsF -- "$1" /proc/[0-9]*/environ | tr -dc '0-9\n')
  if [ -n "$found" ]; then kill -KILL $found 2>/dev/null; clear=0; else clear=$((clear + 1)); fi
  if [ $clear -ge 3 ]; then break; fi
  sleep 0.05
done
rm -rf -- "$2"
"#;

/// The watch over this process.
pub(crate) struct Reaper {
    root: PathBuf,
    owner: String,
    /// Closed by the kernel at the latest: that is what the shell waits for.
    _pipe: ChildStdin,
}

impl Reaper {
    /// The reaper of this process, started with the first thing that needs it.
    pub(crate) fn get() -> Result<&'static Reaper> {
        static GUARD: OnceLock<Result<Reaper>> = OnceLock::new();
        GUARD.get_or_init(Reaper::start).as_ref().map_err(Clone::clone)
    }

    /// The directory of this process; everything temporary lies below it.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A value for [`VARIABLE`], different for every server.
    pub(crate) fn mark(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!("{}/{}/", self.owner, NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn start() -> Result<Reaper> {
        let owner = format!("{}-{}", process::id(), crate::settings::random(4)?);
        let root = env::temp_dir().join(format!("opencode-tests-{owner}"));
        fs::create_dir_all(&root)
            .map_err(|error| Error::wrap(format!("creating {}", root.display()), error))?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "opencode-tests-reaper"])
            .arg(format!("{VARIABLE}={owner}/"))
            .arg(&root)
            // Ctrl-C in a terminal must not reach it.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::wrap("starting /bin/sh", error))?;
        let pipe = shell.stdin.take().ok_or_else(|| Error::new("no pipe to /bin/sh"))?;
        Ok(Reaper { root, owner, _pipe: pipe })
    }
}
