//! What is sent belongs to a span of the host's own tracing.

use opencode_core::{CallOptions, Client, ClientOptions, ErrorKind, Prompt};
use opencode_tests::{Fake, LIMIT, swift};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-00";

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
    for error in [run, resumed, call, read] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains("traceparent '00-abc-01' has not four parts"), "{error}");
    }
    assert!(fake.requests().is_empty(), "{:?}", seen(&fake, 0));
}
