//! A session is summarized: the end is told by its messages, whatever the server answers.

use super::*;
use opencode_core::{CompactOptions, ErrorKind, Model, model::MessageInfo};

const SUMMARY: &str = "## Objective\n- all that was said\n";

/// A session to which something was said, whose summary the model writes like this.
pub(super) fn told(client: &Client, words: &str, summary: Value) -> String {
    let prompt = opencode_tests::prompt(words, json!([{ "text": "first answer" }]));
    let run = client.run(format!("{prompt} @summary{}", json!([summary]))).unwrap();
    reply(&run).session_id.clone()
}

/// The next prompt has an answer of its own.
pub(super) fn goes_on(client: &Client, session: String) {
    let mut next = scripted("go on", json!([{ "text": "an answer of its own" }]));
    next.session = Some(session);
    assert_eq!(reply(&client.run(next).unwrap()).text, "an answer of its own");
}

fn compact(client: &Client, session: &str) -> Run {
    client.compact(session, CompactOptions::default()).unwrap()
}

#[test]
fn a_session_is_summarized_with_the_model_of_its_last_prompt() {
    with_events_and_without(|client| {
        let session = told(client, "sum up", json!({ "text": SUMMARY, "delay_ms": 20 }));
        let run = compact(client, &session);
        let text = shown(run.updates());
        let done = reply(&run);
        assert_eq!(
            (done.text.trim_end(), text.trim_end()),
            (SUMMARY.trim_end(), SUMMARY.trim_end())
        );
        assert_eq!(done.session_id, session);
        assert_eq!(done.model_id.as_deref(), Some("test"));
        assert!(done.cost > 0.0 && done.tokens.total() > 0, "{done:?}");
        goes_on(client, session);
    });
}

#[test]
fn where_there_is_nothing_to_summarize_it_says_so() {
    with_events_and_without(|client| {
        let created = client.call(client.world().word("session.create", "v2.session.create"), ());
        let created: Value = created.unwrap().json().unwrap();
        let id = created["id"].as_str().or(created["data"]["id"].as_str()).unwrap().to_owned();
        let told = told(client, "once", json!({ "text": SUMMARY }));
        assert!(!reply(&compact(client, &told)).text.is_empty());
        // The second follows the first at once.
        for session in [id, told] {
            let found = error(&compact(client, &session));
            assert_eq!(found.kind(), ErrorKind::Agent, "{found}");
            assert_eq!(found.code(), Some("compaction.unavailable"), "{found}");
            assert!(found.message().starts_with("compact: "), "{found}");
        }
        let gone = error(&compact(client, "ses_none"));
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
    });
}

#[test]
fn a_summary_that_is_cancelled_or_fails_leaves_the_next_prompt_alone() {
    with_events_and_without(|client| {
        let slow = json!({ "text": "## Objective\n a b c d e f", "delay_ms": 700 });
        let session = told(client, "slowly", slow);
        let run = compact(client, &session);
        if client.has_events() {
            until(&run, |update| matches!(update, Update::Text(_)));
        } else {
            eventually("the summary to begin", || run.message_id());
            std::thread::sleep(Duration::from_millis(700));
        }
        run.cancel(LIMIT);
        let found = error(&run);
        assert_eq!(found.kind(), ErrorKind::Cancelled, "{found}");
        let failing = told(client, "badly", json!({ "status": 400, "body": { "error": "no" } }));
        let found = error(&compact(client, &failing));
        assert_eq!(found.kind(), ErrorKind::Agent, "{found}");
        assert!(found.message().starts_with("compact: "), "{found}");
        for session in [session, failing] {
            goes_on(client, session);
        }
    });
}

#[test]
fn a_model_that_nobody_knows_is_refused_before_the_session_changes() {
    steadily(|client| {
        let session = told(client, "which model", json!({ "text": SUMMARY }));
        let model = |name: &str| CompactOptions {
            model: Some(Model { provider_id: "local".to_owned(), model_id: name.to_owned() }),
            ..CompactOptions::default()
        };
        let found = error(&client.compact(&session, model("none")).unwrap());
        assert!(found.message().contains("local/none"), "{found}");
        let done = reply(&client.compact(&session, model("other")).unwrap());
        assert_eq!(done.model_id.as_deref(), Some("other"));
    });
}

#[test]
fn a_summary_waits_for_what_the_session_does() {
    steadily(|client| {
        let session = told(client, "busy", json!({ "text": SUMMARY }));
        let other = client.world().client();
        let mut slow = scripted("slow", json!([{ "text": "a b c d", "delay_ms": 300 }]));
        slow.session = Some(session.clone());
        let slow = other.run(slow).unwrap();
        until(&slow, |update| matches!(update, Update::Text(_)));
        let refuse = CompactOptions {
            when_busy: opencode_core::WhenBusy::Refuse,
            ..CompactOptions::default()
        };
        let found = error(&client.compact(&session, refuse).unwrap());
        assert_eq!(found.kind(), ErrorKind::Conflict, "{found}");
        let done = reply(&compact(client, &session));
        assert_eq!(reply(&slow).text, "a b c d");
        assert!(done.text.contains("Objective"), "{done:?}");
    });
}

#[test]
fn a_request_for_a_summary_that_is_cut_happens_once() {
    for_both(|generation| {
        let world = world::World::shared(generation);
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let mut options = world.options();
        options.base_url = proxy.url();
        let client = Client::new(options).unwrap();
        let session = told(&client, "cut", json!({ "text": SUMMARY }));
        let cuts = AtomicU64::new(0);
        proxy.hook(move |asked| {
            let is_it = asked.is("POST */summarize*") || asked.is("POST /api/session/*/compact");
            match is_it && cuts.fetch_add(1, Ordering::Relaxed) == 0 {
                true => Plan::pass().cut_answer(0, End::Reset),
                false => Plan::pass(),
            }
        });
        assert_eq!(reply(&compact(&client, &session)).text.trim_end(), SUMMARY.trim_end());
        let messages = client.messages(&session, Default::default());
        let summaries = messages.filter(|message| {
            let message = message.as_ref().unwrap();
            matches!(&message.info, MessageInfo::Assistant(info) if info.agent == "compaction")
        });
        assert_eq!(summaries.count(), 1);
    });
}

#[test]
fn what_cannot_be_summarized_is_refused_before_anything_is_asked() {
    on_both(|world| {
        let client = world.client();
        let empty = client.compact("", CompactOptions::default()).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::InvalidArgument, "{empty}");
        let odd = CompactOptions { traceparent: Some("x".to_owned()), ..CompactOptions::default() };
        let odd = client.compact("ses_1", odd).unwrap_err();
        assert!(odd.message().contains("traceparent"), "{odd}");
        client.close();
        let closed = client.compact("ses_1", CompactOptions::default()).unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Closed, "{closed}");
    });
}
