//! Who answers: nginx with files that never change, and the servers of `opencode-benches`.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use opencode_tests::{Error, Result};

use super::rows::Source;
use super::{Cores, folder};

/// Events that nginx has.
const EVENTS: u64 = 1_000_000;
/// Those in the form of one directory, which only SDKs read.
const PLAIN_EVENTS: u64 = 100_000;
/// Sizes of the histories, in MB.
const HISTORIES: [usize; 3] = [1, 10, 100];
/// Sizes of the lists of sessions.
const SESSIONS: [usize; 4] = [1, 10, 100, 1_000];
/// Raised with every change of what is served: files of an older kind are made anew.
const KIND: &str = "1";

/// The servers of a measurement. Dropping it ends them.
pub(crate) struct Servers {
    together: Option<Running>,
    apart: Option<Running>,
    fakes: Vec<(&'static str, Running)>,
    program: PathBuf,
    cores: Cores,
    why_no_nginx: String,
}

struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself is no failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Servers {
    /// Starts what can be started; what cannot is told to the rows that need it.
    pub(crate) fn start(program: &Path, cores: Cores) -> Result<Servers> {
        data()?;
        let mut servers = Servers {
            together: None,
            apart: None,
            fakes: Vec::new(),
            program: program.to_owned(),
            cores,
            why_no_nginx: String::new(),
        };
        match (nginx("together", cores.client), nginx("apart", cores.server)) {
            (Ok(together), Ok(apart)) => {
                (servers.together, servers.apart) = (Some(together), Some(apart))
            }
            (Err(error), _) | (_, Err(error)) => servers.why_no_nginx = error.to_string(),
        }
        Ok(servers)
    }

    /// The address for a row; none where it brings its own.
    pub(crate) fn url(&mut self, source: Source) -> Result<String> {
        let nginx = |running: &Option<Running>| {
            running
                .as_ref()
                .map(|running| running.url.clone())
                .ok_or_else(|| Error::new(&self.why_no_nginx))
        };
        match source {
            Source::NginxTogether => nginx(&self.together),
            Source::NginxApart => nginx(&self.apart),
            Source::Own => Ok(String::new()),
            Source::Fake(kind) => {
                if let Some((_, running)) = self.fakes.iter().find(|(name, _)| *name == kind) {
                    return Ok(running.url.clone());
                }
                let running = fake(&self.program, kind, self.cores.server)?;
                let url = running.url.clone();
                self.fakes.push((kind, running));
                Ok(url)
            }
        }
    }

    /// Ends the fakes: one that has seen many prompts answers later ones more slowly.
    pub(crate) fn end_fakes(&mut self) {
        self.fakes.clear();
    }
}

fn fake(program: &Path, kind: &str, core: usize) -> Result<Running> {
    let mut command = pinned(core, program);
    command.args(["fake", kind]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Error::wrap(program.display(), e))?;
    let mut url = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut url)?;
    }
    Ok(Running { child, url: url.trim().to_owned() })
}

/// A command that runs on one core, where the system can do that.
pub(crate) fn pinned(core: usize, program: &Path) -> Command {
    if !crate::tools::has("taskset") {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

fn nginx(name: &str, core: usize) -> Result<Running> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    let program = program.iter().map(Path::new).find(|path| path.is_file());
    let program = program.ok_or_else(|| Error::new("nginx is not there (package nginx-light)"))?;
    let place = folder().join(name);
    fs::create_dir_all(&place)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (place_text, data) = (place.display(), folder().join("data"));
    let data = data.display();
    let configuration = format!(
        "worker_processes 1; daemon off; master_process off; pid {place_text}/pid; error_log {place_text}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600;\n\
         default_type application/json; client_body_temp_path {place_text}/b; proxy_temp_path {place_text}/p;\n\
         fastcgi_temp_path {place_text}/f; uwsgi_temp_path {place_text}/u; scgi_temp_path {place_text}/s;\n\
         server {{ listen 127.0.0.1:{port};\n\
         location = /global/health {{ alias {data}/health.json; }}\n\
         location = /session/ses_1 {{ alias {data}/session.json; }}\n\
         location = /session {{ alias {data}/sessions_$arg_limit.json; }}\n\
         location ~ ^/session/ses_(\\d+)/message$ {{ alias {data}/messages_$1.json; }}\n\
         location = /global/event {{ alias {data}/events.txt; default_type text/event-stream; types {{ }} }}\n\
         location = /event {{ alias {data}/plain_events.txt; default_type text/event-stream; types {{ }} }}\n\
         }} }}\n"
    );
    let file = place.join("nginx.conf");
    fs::write(&file, configuration)?;
    let mut command = pinned(core, program);
    command.arg("-p").arg(&place).arg("-c").arg(&file);
    let output = fs::File::create(place.join("output.log"))?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn()?;
    let running = Running { child, url: format!("http://127.0.0.1:{port}") };
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            let said = fs::read_to_string(place.join("output.log")).unwrap_or_default();
            return Err(Error::new(format!("nginx does not answer: {}", said.trim())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

/// Writes what nginx serves, once.
fn data() -> Result<()> {
    let data = folder().join("data");
    let stamp = data.join("kind.txt");
    if fs::read_to_string(&stamp).is_ok_and(|kind| kind == KIND) {
        return Ok(());
    }
    fs::create_dir_all(&data).map_err(|e| Error::wrap(data.display(), e))?;
    fs::write(data.join("health.json"), r#"{"healthy":true,"version":"1.18.33"}"#)?;
    let mut session = session(1);
    while session.len() < 387 {
        session.insert(session.len() - 1, ' ');
    }
    fs::write(data.join("session.json"), session)?;
    for count in SESSIONS {
        let list: Vec<String> = (0..count).map(self::session).collect();
        fs::write(data.join(format!("sessions_{count}.json")), format!("[{}]", list.join(",")))?;
    }
    for megabytes in HISTORIES {
        let mut text = String::with_capacity((megabytes << 20) + 4_096);
        text.push('[');
        for number in 0.. {
            message(&mut text, number);
            if text.len() >= megabytes << 20 {
                break;
            }
            text.push(',');
        }
        text.push(']');
        fs::write(data.join(format!("messages_{megabytes}.json")), text)?;
    }
    for (name, count, is_plain) in
        [("events.txt", EVENTS, false), ("plain_events.txt", PLAIN_EVENTS, true)]
    {
        let mut file = BufWriter::new(fs::File::create(data.join(name))?);
        for number in 0..count {
            file.write_all(event(number, is_plain).as_bytes())?;
        }
        file.flush()?;
    }
    fs::write(&stamp, KIND)?;
    Ok(())
}

/// A session of 387 bytes at most.
pub(crate) fn session(number: usize) -> String {
    format!(
        "{{\"id\":\"ses_{number}\",\"slug\":\"quiet-otter\",\"projectID\":\"prj_0123456789abcdef\",\"directory\":\"/home/me/project\",\
         \"title\":\"Mend the login of the shop\",\"version\":\"1.18.33\",\"cost\":0.0123,\
         \"tokens\":{{\"input\":1234,\"output\":567,\"reasoning\":0,\"cache\":{{\"read\":0,\"write\":0}}}},\
         \"time\":{{\"created\":1764400000000,\"updated\":1764400100000}}}}"
    )
}

/// A message as histories have them: some text with lines and quotes, and a tool with what it printed.
pub(crate) fn message(out: &mut String, number: usize) {
    let parent = number.saturating_sub(1);
    // A String takes everything.
    let _ = write!(
        out,
        "{{\"info\":{{\"id\":\"msg_{number:012x}\",\"sessionID\":\"ses_1\",\"role\":\"assistant\",\"parentID\":\"msg_{parent:012x}\",\
         \"modelID\":\"model\",\"providerID\":\"provider\",\"mode\":\"build\",\"agent\":\"build\",\"cost\":0.0123,\
         \"path\":{{\"cwd\":\"/home/me/project\",\"root\":\"/\"}},\"tokens\":{{\"input\":{number},\"output\":567,\"reasoning\":0,\
         \"cache\":{{\"read\":12,\"write\":0}}}},\"time\":{{\"created\":1764400000000,\"completed\":1764400001234}},\
         \"finish\":\"stop\"}},\"parts\":[{{\"id\":\"prt_{number:012x}a\",\"sessionID\":\"ses_1\",\"messageID\":\"msg_{number:012x}\",\
         \"type\":\"text\",\"text\":\"I have looked at the file.\\nThe name \\\"login\\\" stands there twice, once in `auth.ts` and once \
         in `shop.ts`; für beide gilt dasselbe.\\n\\n```ts\\nexport function login(name: string) {{\\n  return users.get(name)\\n}}\\n```\",\
         \"time\":{{\"start\":1764400000100,\"end\":1764400000900}}}},{{\"id\":\"prt_{number:012x}b\",\"sessionID\":\"ses_1\",\
         \"messageID\":\"msg_{number:012x}\",\"type\":\"tool\",\"callID\":\"call_{number}\",\"tool\":\"bash\",\"state\":{{\"status\":\
         \"completed\",\"input\":{{\"command\":\"ls -l src\",\"description\":\"Lists the sources\"}},\"output\":\"total 12\\n-rw-r--r-- 1 \
         me me 1234 auth.ts\\n-rw-r--r-- 1 me me 5678 shop.ts\\n\",\"title\":\"Lists the sources\",\"metadata\":{{\"exit\":0}},\
         \"time\":{{\"start\":1764400000900,\"end\":1764400001000}}}}}}]}}"
    );
}

/// An event: nearly all are deltas, as in a stream of the server.
pub(crate) fn event(number: u64, is_plain: bool) -> String {
    let id = format!("evt_{number:012x}x");
    let body = if number == 0 {
        format!("{{\"id\":\"{id}\",\"type\":\"server.connected\",\"properties\":{{}}}}")
    } else if number.is_multiple_of(10) {
        format!(
            "{{\"id\":\"{id}\",\"type\":\"message.part.updated\",\"properties\":{{\"sessionID\":\"ses_1\",\"part\":{{\"id\":\"prt_{number:012x}\",\
             \"sessionID\":\"ses_1\",\"messageID\":\"msg_000000000001\",\"type\":\"text\",\"text\":\"What has been said so far, as a whole, \
             with a \\\"quote\\\" and\\na line.\",\"time\":{{\"start\":1764400000100}}}},\"time\":1764400000200}}}}"
        )
    } else {
        format!(
            "{{\"id\":\"{id}\",\"type\":\"message.part.delta\",\"properties\":{{\"sessionID\":\"ses_0123456789abcdefghij\",\"messageID\":\
             \"msg_0123456789abcdefghij\",\"partID\":\"prt_0123456789abcdefghij\",\"field\":\"text\",\"delta\":\" and then some words\"}}}}"
        )
    };
    if is_plain {
        return format!("data: {body}\n\n");
    }
    format!(
        "data: {{\"directory\":\"/home/me/project\",\"project\":\"prj_0123456789abcdef\",\"payload\":{body}}}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_is_json_of_the_sizes_that_are_named() {
        let mut text = String::new();
        message(&mut text, 7);
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["parts"][1]["tool"], "bash");
        assert!(
            session(1).len() <= 387
                && serde_json::from_str::<serde_json::Value>(&session(1)).is_ok()
        );
        for number in [0, 1, 10] {
            for is_plain in [true, false] {
                let event = event(number, is_plain);
                let json = event
                    .strip_prefix("data: ")
                    .and_then(|rest| rest.strip_suffix("\n\n"))
                    .unwrap();
                assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{event}");
            }
        }
    }
}
