//! What is closed leaves nothing behind.

use crate::client::*;
use crate::isolated;
use crate::process::{connections, descriptors, memory, threads};
use opencode_core::Client;
use opencode_tests::{Fake, eventually, flood, shared};

fn cycle(client: &Client) {
    let _descriptor = client.fd().unwrap();
    let background = client.start("tui.control.next", ()).unwrap();
    let run = client.run("flood").unwrap();
    run.next_update(None).unwrap();
    client.close();
    assert!(background.is_done());
}

/// Descriptors, without those of the scripted model: it lives in this process too, and the server keeps connections to it
/// as it likes.
fn own() -> usize {
    descriptors() - connections(shared().model.port())
}

#[test]
fn a_thousand_clients_leave_nothing_behind() {
    let _isolated = isolated();
    let fake = Fake::start(flood()).unwrap();
    let server = &shared().server;
    let new = |url: &str| Client::new(options(server, url)).unwrap();
    // Allocators and the loader settle first.
    (0..100).for_each(|_| cycle(&new(&fake.url())));
    (0..5).for_each(|_| cycle(&new(&server.url())));
    let (open, used) = (own(), memory());
    (0..1_000).for_each(|_| cycle(&new(&fake.url())));
    (0..20).for_each(|_| cycle(&new(&server.url())));
    assert_eq!(threads(), Vec::<String>::new(), "close joins every thread");
    eventually("the descriptors of before", || (own() <= open).then_some(()));
    let grown = memory().saturating_sub(used);
    assert!(grown < 8 << 20, "{grown} bytes more after a thousand clients");
}

#[test]
fn clients_made_from_another_cost_no_thread_and_no_descriptor() {
    let _isolated = isolated();
    let fake = Fake::start(flood()).unwrap();
    let client = Client::new(options(&shared().server, &fake.url())).unwrap();
    let open = own();
    let others: Vec<Client> = (0..1_000)
        .map(|i| client.with_json(&format!(r#"{{"directory":"/d{i}"}}"#)).unwrap())
        .collect();
    assert_eq!(threads(), Vec::<String>::new(), "a client costs no thread");
    eventually("the descriptors of before", || (own() <= open).then_some(()));
    for other in others.iter().take(2).chain([&client]) {
        other.start("tui.control.next", ()).unwrap().cancel();
        other.run("flood").unwrap().next_update(None).unwrap();
    }
    let count = |name: &str| threads().iter().filter(|thread| *thread == name).count();
    // A thread has the name of the one that started it, until it has its own.
    eventually("one engine and one event stream", || {
        (count("opencode-runs") == 1 && count("opencode-events") == 1).then_some(())
    });
    assert!(threads().len() <= 26, "those of one client: {:?}", threads());
    drop(others);
    client.close();
    assert_eq!(threads(), Vec::<String>::new());
}
