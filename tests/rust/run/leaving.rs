//! Who starts a run and leaves at once: its prompt is sent all the same, or the loss is told.

use super::world::Way;
use super::*;
use opencode_core::{ErrorKind, Level, Log, Tool};
use opencode_tests::Directory;
use std::sync::{Arc, Mutex};
use std::time::Instant;

#[test]
fn a_prompt_that_is_started_and_left_is_sent() {
    on_both(|world| {
        let session = reply(&world.client().run("Say pong").unwrap()).session_id.clone();
        // Where the stream does not come, a run would wait for it for three seconds.
        let deaf = Proxy::start(&world.server().url()).unwrap();
        deaf.hook(|asked| match is_stream(asked) {
            true => Plan::pass().stall_request(0, Duration::MAX),
            false => Plan::pass(),
        });
        let url = world.server().url();
        for (n, url) in [url, deaf.url()].into_iter().enumerate() {
            let leaves = [(true, false), (false, true), (true, true), (false, false)];
            for (closes, given) in leaves.into_iter().take(world.word(4, 2)) {
                let mut words = String::new();
                // A machine that has much to do may need longer than the second that there is; then it is told.
                let mut attempts = (0..5).map(|attempt| {
                    let client = Client::new(options(world.server(), &url)).unwrap();
                    words = format!("left-{n}-{closes}-{given}-{attempt}.");
                    let mut prompt = scripted(&words, json!([{ "text": "x" }]));
                    prompt.session = given.then(|| session.clone());
                    drop(client.run(prompt).unwrap());
                    if closes { client.close() } else { client.release() }
                });
                assert!(attempts.any(|lost| lost.is_none()), "{words} is lost again and again");
                eventually(&words, || (world.model().runs(&words) > 0).then_some(()));
                assert_eq!(world.model().runs(&words), 1, "{words}");
                // The session is free again.
                let idle = json!([{ "text": "y" }]);
                let mut next = scripted(&format!("after {words}"), idle);
                next.session = given.then(|| session.clone());
                reply(&world.client().run(next).unwrap());
            }
        }
    });
}

/// The tools of a client end with it: what is left is sent without them.
#[test]
fn a_prompt_of_a_client_with_tools_that_is_left_is_sent() {
    on_both(|world| {
        let directory = Directory::new("left").unwrap();
        let mut options = options(world.server(), &world.server().url());
        options.directory = Some(directory.path().display().to_string());
        // The server prepares a directory when it first hears of it, which takes longer than the second that there is.
        reply(&Client::new(options.clone()).unwrap().run("Say pong").unwrap());
        for closes in [true, false] {
            let mut words = String::new();
            let mut attempts = (0..5).map(|attempt| {
                let client = Client::new(options.clone()).unwrap();
                client.tool(Tool::new("idle", "Does nothing")).unwrap();
                words = format!("left-with-tools-{closes}-{attempt}.");
                drop(client.run(scripted(&words, json!([{ "text": "x" }]))).unwrap());
                let lost = if closes { client.close() } else { client.release() };
                if lost.is_none() {
                    eventually(&words, || (world.model().runs(&words) > 0).then_some(()));
                }
                lost
            });
            assert!(attempts.any(|lost| lost.is_none()), "{words} is lost again and again");
            assert_eq!(world.model().runs(&words), 1, "{words}");
        }
    });
}

#[test]
fn a_prompt_that_cannot_be_sent_is_told_at_the_close() {
    // What its server is, nobody knows.
    let logged = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&logged);
    // Nobody listens; and somebody who never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for url in ["http://127.0.0.1:9".to_owned(), silent] {
        let mut options = ClientOptions::default();
        options.base_url = url;
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
    on_both(|world| {
        let client = world.place(Way::Steady);
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
        assert_eq!(world.model().runs("behind-a-slow-one."), 0);
    });
}
