//! What is sent belongs to a span of the host's own tracing.

use crate::client::options;
use crate::export::played;
use crate::pty::until;
use opencode_core::{
    CallOptions, Client, ClientOptions, ErrorKind, ExportOptions, MessageOptions, Prompt,
    PtyOptions, ReadyOptions, Scope, SessionOptions, UsageOptions,
};
use opencode_tests::{Directory, End, Fake, LIMIT, Plan, Proxy, Server, eventually};
use opencode_tests::{shared, shared_two, swift};
use serde_json::json;
use std::sync::{Arc, Mutex};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-00";
const THIRD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-2222222222222222-00";

fn client(fake: &Fake) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.headers = vec![("traceparent".to_owned(), OTHER.to_owned())];
    options.events = false;
    Client::new(options).unwrap()
}

/// The header of the requests from the `from`th on, with what was asked for.
fn seen(fake: &Fake, from: usize) -> Vec<(String, String)> {
    let requests = fake.requests();
    let told = requests.iter().skip(from).map(|request| {
        let named = |(name, _): &&(String, String)| name == "traceparent";
        let found = request.headers.iter().filter(named);
        let traces: Vec<&str> = found.map(|(_, value)| value.as_str()).collect();
        (format!("{} {}", request.method, request.path()), traces.join(","))
    });
    told.collect()
}

#[test]
fn the_requests_of_a_run_and_of_a_call_carry_its_span() {
    let fake = Fake::start(swift()).unwrap();
    let client = client(&fake);
    let mut prompt = Prompt::new("traced");
    prompt.traceparent = Some(TRACE.to_owned());
    let reply = client.run(prompt).unwrap().wait(Some(LIMIT)).unwrap();
    let of_run = seen(&fake, 0);
    let of_session = |path: &str| path.contains("/session/ses_") || path == "POST /session";
    let mine: Vec<_> = of_run.iter().filter(|(path, _)| of_session(path)).collect();
    assert!(mine.len() >= 3 && mine.iter().all(|(_, trace)| trace == TRACE), "{of_run:?}");

    let begun = fake.requests().len();
    let mut options = CallOptions::default();
    options.traceparent = Some(TRACE.to_owned());
    let arguments = format!(r#"{{"sessionID":"{}"}}"#, reply.session_id);
    client.call_json("session.get", &arguments, &options).unwrap();
    client.request("GET", "/session/status", &[], None, &options).unwrap();
    client.start_json("session.get", &arguments, options).unwrap().wait(None).unwrap().unwrap();
    client.call_json("session.get", &arguments, &CallOptions::default()).unwrap();
    let traces: Vec<_> = seen(&fake, begun).into_iter().map(|(_, trace)| trace).collect();
    assert_eq!(
        traces,
        [TRACE, TRACE, TRACE, OTHER],
        "one of the call goes before one of the client"
    );
}

/// A client of a real server, and what it asked for with which span.
struct Watched {
    client: Client,
    proxy: Proxy,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Watched {
    fn new(server: &Server) -> Self {
        let proxy = Proxy::start(&server.url()).unwrap();
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let notes = Arc::clone(&seen);
        proxy.hook(move |asked| {
            let named = |(name, _): &&(String, String)| name == "traceparent";
            let found: Vec<_> =
                asked.headers.iter().filter(named).map(|(_, v)| v.clone()).collect();
            let line = format!("{} {}", asked.method, asked.target);
            notes.lock().unwrap().push((line, found.join(",")));
            Plan::pass()
        });
        let mut options = options(server, &proxy.url());
        options.headers = vec![("traceparent".to_owned(), OTHER.to_owned())];
        options.events = false;
        let client = Client::new(options).unwrap();
        // What the server is, is asked once and belongs to no span.
        client.server().unwrap();
        Watched { client, proxy, seen }
    }

    /// Whether there were so many requests since the last time, and each had the span.
    fn all_had(&self, what: &str, span: &str, least: usize) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let is_whole = seen.len() >= least && seen.iter().all(|(_, trace)| trace == span);
        assert!(is_whole, "{what}: {seen:#?}");
    }
}

fn every_request_of_lists_and_sums_carries_it(server: &Server, tool: &str, subagent: &str) {
    let watched = Watched::new(server);
    let client = &watched.client;
    let reply = played(client, tool, subagent);
    let id = reply.session_id.as_str();
    let span = || Some(TRACE.to_owned());
    let call = CallOptions::default();
    watched.seen.lock().unwrap().clear();

    let mut messages = MessageOptions::default();
    (messages.page, messages.traceparent) = (1, span());
    assert_eq!(client.messages(id, messages.clone()).map(Result::unwrap).count(), 4);
    watched.all_had("messages", TRACE, 5);
    let pages = client.messages(id, messages).in_background();
    while pages.next_json(&call).unwrap().is_some() {}
    watched.all_had("messages in the background", TRACE, 5);

    let mut sessions = SessionOptions::default();
    (sessions.page, sessions.scope, sessions.traceparent) = (1, Scope::Global, span());
    assert_eq!(client.sessions(sessions).map(Result::unwrap).take(2).count(), 2);
    watched.all_had("sessions", TRACE, 2);

    let mut export = ExportOptions::default();
    export.traceparent = span();
    let whole: String = client.export(id, export.clone()).map(Result::unwrap).collect();
    assert!(whole.contains("from below"), "the subagent is in it");
    watched.all_had("export", TRACE, 8);
    let folder = Directory::new("traced").unwrap();
    let path = folder.path().join("export.json");
    assert_eq!(client.export_to(id, &path, &export, &call).unwrap().sessions, 2);
    watched.all_had("export_to", TRACE, 8);
    let arguments = json!({ "sessionID": id, "path": path, "traceparent": TRACE });
    client.start("export", arguments).unwrap().wait(None).unwrap().unwrap();
    watched.all_had("export as a task", TRACE, 8);

    let mut usage = UsageOptions::default();
    usage.traceparent = span();
    assert_eq!(client.usage(id, &usage, &call).unwrap().sessions.len(), 2);
    watched.all_had("usage", TRACE, 4);
    client.usage_of_all(&usage, &call).unwrap();
    watched.all_had("usage_of_all", TRACE, 4);
    let ready = json!({ "traceparent": TRACE });
    client.call("wait_until_ready", ready).unwrap();
    watched.all_had("wait_until_ready", TRACE, 1);

    // One of the call alone, and of both that of the list.
    let mut call = CallOptions::default();
    call.traceparent = span();
    assert!(client.messages(id, MessageOptions::default()).next_page(&call).unwrap().is_some());
    watched.all_had("a page", TRACE, 2);
    let mut messages = MessageOptions::default();
    messages.traceparent = Some(THIRD.to_owned());
    assert!(client.messages(id, messages).next_page(&call).unwrap().is_some());
    watched.all_had("a page of a list with a span", THIRD, 2);
    assert!(client.messages(id, MessageOptions::default()).next().is_some());
    watched.all_had("without one it is the client's", OTHER, 2);
}

#[test]
fn every_request_of_a_list_an_export_and_a_sum_carries_its_span() {
    every_request_of_lists_and_sums_carries_it(&shared().server, "bash", "task");
}

#[test]
fn every_request_of_a_list_an_export_and_a_sum_carries_its_span_on_2() {
    every_request_of_lists_and_sums_carries_it(&shared_two().server, "shell", "subagent");
}

#[test]
fn every_request_of_a_terminal_carries_its_span() {
    for server in [&shared().server, &shared_two().server] {
        let watched = Watched::new(server);
        let mut options = PtyOptions::default();
        options.command = Some("cat".to_owned());
        (options.size, options.ticket) = (Some((100, 30)), true);
        options.traceparent = Some(TRACE.to_owned());
        watched.seen.lock().unwrap().clear();
        let pty = watched.client.pty(options.clone()).unwrap();
        pty.write("one\n").unwrap();
        until(&pty, "one");
        // The connection that is made again, too.
        let proxy = &watched.proxy;
        proxy.down().unwrap();
        proxy.cut_all(End::Reset);
        eventually("the loss", || (proxy.counters().open == 0).then_some(()));
        proxy.up().unwrap();
        pty.write("two\n").unwrap();
        until(&pty, "two");
        let lines = |part: &str| {
            let seen = watched.seen.lock().unwrap();
            seen.iter().filter(|(line, _)| line.contains(part)).count()
        };
        assert!(lines("/connect?") >= 2 && lines("/connect-token") >= 2 && lines("PUT ") >= 1);
        watched.all_had("pty", TRACE, 7);
        options.command = None;
        let other =
            watched.client.pty_connect(pty.id(), PtyOptions { size: None, ..options }).unwrap();
        assert!(other.wait_ready(Some(LIMIT)));
        other.close();
        watched.all_had("pty_connect", TRACE, 3);
        pty.kill(&CallOptions::default()).unwrap();
        pty.close();
        watched.all_had("kill", TRACE, 1);
    }
}

#[test]
fn what_is_no_span_is_refused_before_anything_is_sent() {
    let fake = Fake::start(swift()).unwrap();
    let client = client(&fake);
    let wrong = || Some("00-abc-01".to_owned());
    let mut prompt = Prompt::new("x");
    prompt.traceparent = wrong();
    let run = client.run(prompt.clone()).unwrap_err();
    let resumed = client.resume("ses_1", "msg_1", prompt).unwrap_err();
    let mut options = CallOptions::default();
    options.traceparent = wrong();
    let call = client.call_json("session.status", "", &options).unwrap_err();
    let json = r#"{"traceparent":"00-abc-01"}"#;
    let read = CallOptions::from_json(json).unwrap_err();
    let page = |result: opencode_core::Result<Option<_>>| result.map(drop).unwrap_err();
    let mut messages = MessageOptions::default();
    messages.traceparent = wrong();
    let messages = page(client.messages("ses_1", messages).next_page(&Default::default()));
    let mut sessions = SessionOptions::default();
    sessions.traceparent = wrong();
    let sessions = page(client.sessions(sessions).next_page(&Default::default()));
    let mut export = ExportOptions::default();
    export.traceparent = wrong();
    let export = page(client.export("ses_1", export).next_page(&Default::default()));
    let mut usage = UsageOptions::default();
    usage.traceparent = wrong();
    let usage = client.usage("ses_1", &usage, &Default::default()).unwrap_err();
    let mut pty = PtyOptions::default();
    pty.traceparent = wrong();
    let connected = client.pty_connect("pty_1", pty.clone()).unwrap_err();
    let pty = client.pty(pty).unwrap_err();
    let readers = [
        MessageOptions::from_json(json).unwrap_err(),
        SessionOptions::from_json(json).unwrap_err(),
        ExportOptions::from_json(json).unwrap_err(),
        UsageOptions::from_json(json).unwrap_err(),
        ReadyOptions::from_json(json).unwrap_err(),
        PtyOptions::from_json(json).unwrap_err(),
    ];
    let used = [run, resumed, call, read, messages, sessions, export, usage, connected, pty];
    for error in used.into_iter().chain(readers) {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains("traceparent '00-abc-01' has not four parts"), "{error}");
    }
    assert!(fake.requests().is_empty(), "{:?}", seen(&fake, 0));
}
