//! Who starts a run and leaves at once: its prompt is sent all the same, or the loss is told.

use super::*;
use opencode_core::{ErrorKind, Level, Log};
use opencode_tests::eventually;
use std::sync::{Arc, Mutex};
use std::time::Instant;

#[test]
fn a_prompt_that_is_started_and_left_is_sent() {
    let server = &shared().server;
    let session = reply(&client(true).run("Say pong").unwrap()).session_id.clone();
    // Where the stream does not come, a run would wait for it for three seconds.
    let deaf = Proxy::start(&server.url()).unwrap();
    deaf.always("GET /global/event*", Plan::pass().stall_request(0, Duration::MAX));
    for (n, url) in [server.url(), deaf.url()].into_iter().enumerate() {
        for (closes, given) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut words = String::new();
            // A machine that has much to do may need longer than the second that there is; then it is told.
            let mut attempts = (0..5).map(|attempt| {
                let client = Client::new(options(server, &url)).unwrap();
                words = format!("left-{n}-{closes}-{given}-{attempt}.");
                let mut prompt = scripted(&words, json!([{ "text": "x" }]));
                prompt.session = given.then(|| session.clone());
                drop(client.run(prompt).unwrap());
                if closes { client.close() } else { client.release() }
            });
            assert!(attempts.any(|lost| lost.is_none()), "{words} is lost again and again");
            eventually(&words, || (shared().model.runs(&words) > 0).then_some(()));
            assert_eq!(shared().model.runs(&words), 1, "{words}");
            // The session is free again.
            let idle = json!([{ "text": "y" }]);
            let mut next = scripted(&format!("after {words}"), idle);
            next.session = given.then(|| session.clone());
            reply(&super::client(true).run(next).unwrap());
        }
    }
}

#[test]
fn a_prompt_that_cannot_be_sent_is_told_at_the_close() {
    let logged = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&logged);
    // Nobody listens; and somebody who never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for url in ["http://127.0.0.1:9".to_owned(), silent] {
        let mut options = options(&shared().server, &url);
        let sink = Arc::clone(&sink);
        options.log = Log::new(Level::Warn, move |_, text| sink.lock().unwrap().push_str(text));
        let client = Client::new(options).unwrap();
        let run = client.run("x").unwrap();
        let began = Instant::now();
        let lost = client.close().expect("it was lost");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
        assert!(lost.message().contains("1 prompt was not sent"), "{lost}");
        let error = run.error().expect("it is over");
        assert_eq!((error.kind(), error.is_sent()), (ErrorKind::Closed, false), "{error}");
        assert!(error.message().contains("before the prompt was sent"), "{error}");
        assert!(std::mem::take(&mut *logged.lock().unwrap()).contains("lost"), "it is not logged");
        assert!(client.close().is_none(), "told once");
    }
}

#[test]
fn a_prompt_whose_turn_does_not_come_before_the_close_is_told() {
    let client = client(true);
    let slow = json!([{ "text": "a b c d e f g h", "delay_ms": 500 }]);
    let first = client.run(scripted("slow", slow)).unwrap();
    until(&first, |update| matches!(update, Update::Message(_)));
    let mut prompt = scripted("behind-a-slow-one.", json!([{ "text": "x" }]));
    prompt.session = first.session_id();
    let second = client.run(prompt).unwrap();
    let lost = client.close().expect("it was lost");
    assert!(lost.message().contains("its turn"), "{lost}");
    let (first, second) = (error(&first), error(&second));
    assert_eq!((first.kind(), first.is_sent()), (ErrorKind::Closed, true), "{first}");
    assert_eq!((second.kind(), second.is_sent()), (ErrorKind::Closed, false), "{second}");
    assert_eq!(shared().model.runs("behind-a-slow-one."), 0);
}
