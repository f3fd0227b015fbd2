//! A summary whose server is gone, dies or hangs: it ends with what happened, and what comes later works.

use super::compact::{goes_on, told};
use super::world::{Place, Way, World};
use super::*;
use opencode_core::{CompactOptions, ErrorKind};

/// Long enough to be interrupted.
fn slow() -> Value {
    json!({ "text": "## Objective\n a b c d e f g h i j k l m n o p", "delay_ms": 500 })
}

fn compact(client: &Client, session: &str, server_timeout: u64) -> Run {
    let mut options = CompactOptions::default();
    options.limits.server_timeout = Some(Duration::from_secs(server_timeout));
    client.compact(session, options).unwrap()
}

/// Waits until the model writes.
fn until_begun(client: &Place<'_>, run: &Run) {
    if client.has_events() {
        until(run, |update| matches!(update, Update::Text(_)));
    } else {
        eventually("the summary to begin", || run.message_id());
        std::thread::sleep(Duration::from_millis(1_500));
    }
}

#[test]
fn a_server_that_is_killed_ends_the_summary() {
    for_both(|generation| {
        let world = World::start(generation, |server| server.persistent());
        for way in [Way::Steady, Way::Deaf] {
            let client = world.place(way);
            let session = told(&client, "to sum up", slow());
            // It dies, and stays away.
            let run = compact(&client, &session, 1);
            until_begun(&client, &run);
            world.server().kill();
            let found = error(&run);
            assert_eq!(found.kind(), ErrorKind::Connection, "{way:?} {found}");
            // It is away before it is asked, for this client and for one that never met it.
            for client in [&*client, &*world.place(way)] {
                let found = error(&compact(client, &session, 1));
                assert_eq!(found.kind(), ErrorKind::Connection, "{way:?} {found}");
            }
            world.server().restart().unwrap();
            // Nobody could take away what is left of it: whoever comes next does, with another summary or a prompt.
            if way == Way::Steady {
                assert!(reply(&compact(&client, &session, 60)).text.contains("Objective"));
            }
            goes_on(&client, session);
            // It dies, and is back before the run gives up: what is left of the summary can be taken away.
            let session = told(&client, "to sum up", slow());
            let run = compact(&client, &session, 60);
            until_begun(&client, &run);
            world.server().kill();
            world.server().restart().unwrap();
            let found = error(&run);
            assert_eq!(found.kind(), ErrorKind::Interrupted, "{way:?} {found}");
            goes_on(&client, session);
        }
    });
}

#[test]
fn what_is_left_of_a_summary_is_not_the_next_prompts() {
    for_both(|generation| {
        let world = World::shared(generation);
        let proxy = Proxy::start(&world.server().url()).unwrap();
        for way in [Way::Steady, Way::Deaf] {
            let client = world.behind(&proxy.url(), way);
            let badly = json!({ "status": 400, "body": { "error": "no" } });
            let (failing, cancelled) =
                (told(&client, "badly", badly), told(&client, "slow", slow()));
            // Whatever is to go away stays.
            proxy.always("DELETE /session/*", Plan::refuse(End::Reset));
            let found = error(&compact(&client, &failing, 60));
            assert_eq!(found.kind(), ErrorKind::Agent, "{way:?} {found}");
            let run = compact(&client, &cancelled, 60);
            until_begun(&client, &run);
            run.cancel(LIMIT);
            let found = error(&run);
            assert_eq!(found.kind(), ErrorKind::Cancelled, "{way:?} {found}");
            proxy.pass();
            for session in [failing, cancelled] {
                goes_on(&client, session.clone());
                goes_on(&client, session);
            }
        }
    });
}

#[test]
fn a_server_that_hangs_ends_the_summary() {
    for_both(|generation| {
        let world = World::start(generation, |server| server);
        let mut options = world.options();
        options.timeout = Duration::from_secs(1);
        let client = Client::new(options).unwrap();
        let session = told(&client, "to sum up", slow());
        let run = compact(&client, &session, 2);
        until(&run, |update| matches!(update, Update::Text(_)));
        world.server().stop();
        let found = error(&run);
        assert_eq!(found.kind(), ErrorKind::Timeout, "{found}");
        let found = error(&compact(&client, &session, 2));
        assert_eq!(found.kind(), ErrorKind::Timeout, "{found}");
        world.server().cont();
    });
}
