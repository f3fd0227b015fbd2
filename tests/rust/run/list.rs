//! The one list: which scenarios are played on which generation of servers.
//!
//! Every test of this folder is played on 1.x and on 2.x. What one of them cannot do is named here, with the reason; what a
//! user meets there is tested by `list::what_a_server_cannot_do_is_told_with_what_to_do_instead`.

use super::world::{Place, Way, World};
use opencode_core::{ErrorKind, Json, Prompt};
use opencode_tests::Generation;
use serde_json::json;
use std::path::Path;

/// A scenario that is played on one generation alone.
struct Only {
    on: Generation,
    test: &'static str,
    reason: &'static str,
}

const fn only(on: Generation, test: &'static str, reason: &'static str) -> Only {
    Only { on, test, reason }
}

use Generation::{One, Two};

const ONLY: &[Only] = &[
    only(One, "ends::a_structured_answer", "2.x takes no schema: `format` is unsupported there"),
    only(
        One,
        "text::what_a_cut_answer_of_the_model_said_is_taken_back",
        "2.x keeps what was said, and goes on: text::an_answer_that_was_cut_off_goes_on",
    ),
    only(
        Two,
        "text::an_answer_that_was_cut_off_goes_on",
        "1.x asks again: text::what_a_cut_answer_of_the_model_said_is_taken_back",
    ),
    only(
        One,
        "ends::a_context_that_overflows",
        "2.x fails where its summary fails, and a context of 4,000 is too small for any",
    ),
    only(
        One,
        "ends::a_loop_without_an_end",
        "2.x takes an unknown finish for a cut answer, and goes on a few times: there is no endless loop",
    ),
    only(One, "losses::an_instance_that_is_disposed_ends_the_run", "2.x cannot be told to dispose"),
    only(
        One,
        "queue::a_prompt_that_the_server_merges_into_anothers_is_superseded",
        "a run on 2.x queues its prompt, and a queued prompt has an answer of its own",
    ),
    only(
        One,
        "creating::a_directory_that_the_server_would_misread_is_refused",
        "2.x decodes no directory twice: creating::a_directory_that_1_x_would_misread_is_one_as_any_other",
    ),
    only(
        Two,
        "creating::a_directory_that_1_x_would_misread_is_one_as_any_other",
        "1.x would work elsewhere: creating::a_directory_that_the_server_would_misread_is_refused",
    ),
    only(
        Two,
        "cancelling::a_cancel_of_what_waits_takes_it_back_and_hits_nobody_else",
        "1.x has no list of what waits; the runs of one client wait for each other on both",
    ),
    only(
        Two,
        "queue::an_id_that_another_session_has_is_refused",
        "on 1.x ids of messages are those of one session",
    ),
    only(
        Two,
        "ends::an_agent_of_a_session_that_nobody_knows",
        "1.x looks the agent of a session up when it is made",
    ),
    only(
        Two,
        "ends::a_model_of_a_session_that_is_gone",
        "a session of 1.x has no model of its own",
    ),
];

/// What is played on 2.x in all ways: the rule is another one there without events, or with them.
const DIFFERS: &[&str] = &[
    "ask::a_permission_may_be_asked_of_the_host",
    "ask::questions_are_dismissed_answered_or_asked",
    "ends::a_limit_of_retries",
    "ends::a_model_of_a_session_that_is_gone",
    "ends::a_retry_is_told_with_its_reason_and_time",
    "ends::an_agent_of_a_session_that_nobody_knows",
    "ends::an_unknown_agent",
    "ends::an_unknown_model",
    "ends::a_cancel_in_mid_stream",
    "ends::a_cancel_leaves_the_next_prompt_alone",
    "text::deltas_add_up_to_the_reply",
];

/// The test that a closure stands in, as `ends::an_unknown_model`.
pub(super) fn name_of<F>() -> String {
    let name = std::any::type_name::<F>();
    let name = name.split_once("::run::").map_or(name, |(_, name)| name);
    name.split("::").take(2).collect::<Vec<_>>().join("::")
}

/// Whether 2.x is met in all ways.
pub(super) fn differs(test: &str) -> bool {
    DIFFERS.contains(&test) || std::env::var_os("OPENCODE_EVERY_WAY").is_some()
}

/// The generations that a test is played on. `OPENCODE_GENERATION` chooses one of them.
pub(super) fn generations(test: &str) -> impl Iterator<Item = Generation> {
    let only = ONLY.iter().find(|only| only.test == test).map(|only| only.on);
    let chosen = std::env::var("OPENCODE_GENERATION").unwrap_or_default();
    [(One, "1"), (Two, "2")]
        .into_iter()
        .filter(move |(_, number)| chosen.is_empty() || chosen == *number)
        .map(|(generation, _)| generation)
        .filter(move |generation| only.is_none_or(|only| only == *generation))
}

/// Plays a scenario on a server of each generation.
pub(super) fn on_both<F: Fn(&'static World)>(test: F) {
    generations(&name_of::<F>()).for_each(|generation| test(World::shared(generation)));
}

/// The same for one that makes servers of its own.
pub(super) fn for_both<F: Fn(Generation)>(test: F) {
    generations(&name_of::<F>()).for_each(test);
}

/// With the event stream, without it, and with one that comes late, drops, stalls and repeats.
pub(super) fn everywhere<F: Fn(&Place<'_>)>(test: F) {
    for generation in generations(&name_of::<F>()) {
        World::shared(generation).ways(&[Way::Steady, Way::Deaf, Way::Rough], &test);
    }
}

/// With and without the event stream.
pub(super) fn with_events_and_without<F: Fn(&Place<'_>)>(test: F) {
    for generation in generations(&name_of::<F>()) {
        World::shared(generation).ways(&[Way::Deaf, Way::Steady], &test);
    }
}

/// With the event stream.
pub(super) fn steadily<F: Fn(&Place<'_>)>(test: F) {
    for generation in generations(&name_of::<F>()) {
        World::shared(generation).ways(&[Way::Steady], &test);
    }
}

/// Without the event stream.
pub(super) fn without_events<F: Fn(&Place<'_>)>(test: F) {
    for generation in generations(&name_of::<F>()) {
        World::shared(generation).ways(&[Way::Deaf], &test);
    }
}

/// The source of a test of this folder.
fn source(test: &str) -> Option<String> {
    let (module, name) = test.split_once("::")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rust/run");
    let text = std::fs::read_to_string(folder.join(format!("{module}.rs"))).ok()?;
    let from = text.split(&format!("fn {name}() {{")).nth(1)?.to_owned();
    from.split("\n}\n").next().map(str::to_owned)
}

#[test]
fn what_is_listed_is_there_and_has_a_reason() {
    for Only { test, reason, .. } in ONLY {
        assert!(source(test).is_some(), "{test} is nowhere");
        assert!(reason.len() > 10, "{test}");
    }
    for test in DIFFERS {
        assert!(source(test).is_some(), "{test} is nowhere");
    }
}

#[test]
fn what_a_server_cannot_do_is_told_with_what_to_do_instead() {
    let world = World::shared(Two);
    let client = world.client();
    let words = "never sent";
    let mut prompts = [(); 4].map(|()| Prompt::new(words));
    prompts[0].system = Some("be brief".to_owned());
    prompts[1].tools = Some(Json::from(json!({ "read": false })));
    prompts[2].format = Some(Json::from(json!({ "type": "object" })));
    prompts[3].variant = Some("high".to_owned());
    for (prompt, name) in prompts.into_iter().zip(["system", "tools", "format", "variant"]) {
        let run = client.run(prompt).unwrap();
        let found = super::error(&run);
        assert_eq!((found.kind(), run.session_id()), (ErrorKind::Unsupported, None), "{found}");
        assert!(found.message().contains(name) && found.message().contains(';'), "{found}");
    }
    assert_eq!(world.model().runs(words), 0);
    // What is an operation there names the one of the other.
    let found = client.call("instance.dispose", ()).unwrap_err();
    assert_eq!(found.kind(), ErrorKind::Unsupported, "{found}");
}

#[test]
fn every_test_is_played_on_both_unless_the_list_says_why_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rust/run");
    let drivers = [
        "everywhere(",
        "with_events_and_without(",
        "steadily(",
        "without_events(",
        "on_both(",
        "for_both(",
    ];
    // Nobody needs a server for these.
    let needless = [
        "leaving::a_prompt_that_cannot_be_sent_is_told_at_the_close",
        "polls::loops_without_a_stream_lose_nothing",
    ];
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        if module == "promises" || module == "list" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for test in text.split("#[test]\n").skip(1) {
            let name = test.split(['(', ' ']).nth(1).unwrap_or_default();
            let name = format!("{module}::{name}");
            let body = source(&name).unwrap_or_default();
            let is_played = drivers.iter().any(|driver| body.contains(driver));
            assert!(is_played || needless.contains(&name.as_str()), "{name} is for one server");
        }
    }
}
