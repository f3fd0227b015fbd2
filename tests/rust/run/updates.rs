//! Updates: every kind comes, whatever the event stream does.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_kind_comes_in_every_way() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    everywhere(|client| {
        let name = format!("updates-{}.txt", COUNT.fetch_add(1, Ordering::Relaxed));
        let path = client.world().server().directory().join(name);
        let todos = json!([{ "content": "write it", "status": "pending", "priority": "high" }]);
        let todo = tool("todowrite", json!({ "todos": todos }));
        let mut first = client.word(todo, client.world().glance());
        (first["reasoning"], first["text"]) = ("hm".into(), "I write.".into());
        let write = client.world().write(&path, "x\n");
        let last = json!({ "text": "written" });
        let run = client.run(scripted("updates", json!([first, write, last]))).unwrap();
        let updates: Vec<Update> = run.updates().collect();
        let kinds: BTreeSet<&str> = updates.iter().map(Update::kind).collect();
        let wanted = ["reasoning", "text", "tool", "message", "status", "todo", "diff", "done"];
        // The agent of 2.x keeps no list of things to do.
        let there = wanted.into_iter().filter(|kind| *kind != "todo" || !client.world().is_two());
        assert_eq!(kinds, there.collect::<BTreeSet<_>>());
        let json = |kind| {
            let of_kind = updates.iter().filter(|update| update.kind() == kind);
            of_kind.map(Update::to_json).collect::<Vec<_>>()
        };
        assert!(json("todo").iter().all(|todo| todo.contains("write it")), "{:?}", json("todo"));
        assert_eq!(json("todo").len(), client.word(1, 0), "told once: {:?}", json("todo"));
        assert!(json("diff").last().unwrap().contains("updates-"), "{:?}", json("diff"));
        let done = json("tool").into_iter().filter(|tool| tool.contains("\"completed\""));
        assert!(done.count() >= 2, "both tools are told to be done: {:?}", json("tool"));
        assert_eq!(json("done").len(), 1);
        assert!(matches!(updates.last(), Some(Update::Done(_))), "and nothing after it");
    });
}
