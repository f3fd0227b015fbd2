//! [`Scene`]: a run whose server is the test.

use super::*;

/// A run with its requests in the hands of the test.
pub(super) struct Scene {
    pub(super) machine: Machine,
    pub(super) now: Millis,
    /// What a request is for, its operation, and what is asked, as it is sent and as the machine said it.
    pub(super) asked: Vec<(RequestKind, &'static str, (Value, Request))>,
    pub(super) snapshots: usize,
    /// What each of them was to read.
    pub(super) lists: Vec<Lists>,
    /// How often a turn was asked for, and whether the test gives it.
    pub(super) turns: usize,
    pub(super) holds_turns: bool,
    pub(super) updates: Vec<Update>,
    pub(super) outcome: Option<Outcome>,
    pub(super) events: u64,
    /// The directories in which the server is to learn the host's tools.
    pub(super) placed: Vec<Option<String>>,
    /// What the log says.
    pub(super) warnings: Vec<String>,
}

impl Scene {
    pub(super) fn new(setup: Setup) -> Self {
        Scene::begin(setup, false)
    }

    /// `holds_turns`: turns are given by the test.
    pub(super) fn begin(setup: Setup, holds_turns: bool) -> Self {
        Scene::made(setup, holds_turns, None)
    }

    /// `place`: the directory of the session, where it is known.
    pub(super) fn placed(setup: Setup, place: Option<String>) -> Self {
        Scene::made(setup, false, place)
    }

    fn made(setup: Setup, holds_turns: bool, place: Option<String>) -> Self {
        let mut scene = Scene {
            machine: Machine::new(setup, 0),
            now: 0,
            asked: Vec::new(),
            snapshots: 0,
            lists: Vec::new(),
            turns: 0,
            holds_turns,
            updates: Vec::new(),
            outcome: None,
            events: 0,
            placed: Vec::new(),
            warnings: Vec::new(),
        };
        scene.machine.start(0, place);
        scene.collect();
        scene
    }

    /// As far as the send.
    pub(super) fn sending(setup: Setup) -> Self {
        let is_up = setup.events;
        let mut scene = Scene::new(setup);
        if is_up {
            scene.input(Input::Stream(true));
        }
        scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
        scene.snapshot(&[], &[]);
        scene.ok("session.messages", json!([]));
        scene
    }

    /// The server has the prompt and works on it, as its status says.
    pub(super) fn running(setup: Setup) -> Self {
        let mut scene = Scene::sending(setup);
        scene.ok("session.prompt_async", Value::Null);
        scene.wait(600);
        scene.snapshot(&[MINE], &[]);
        if scene.wants("session.messages") {
            let user = scene.user();
            scene.ok("session.messages", json!([user]));
        }
        scene
    }

    /// A run that is picked up from another process.
    pub(super) fn resumed(setup: Setup) -> Self {
        let mut scene = Scene::new(Setup { aim: Aim::Resume("msg_far".to_owned()), ..setup });
        scene.input(Input::Stream(true));
        scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
        scene
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.machine.step(self.now, input);
        self.collect();
    }

    pub(super) fn collect(&mut self) {
        let mut outputs = std::collections::VecDeque::from(self.machine.take_outputs());
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Ask(kind, request) => self.note(kind, request),
                Output::TakeSnapshot { lists, .. } => {
                    self.snapshots += 1;
                    self.lists.push(lists);
                }
                Output::Queue(_) => {
                    self.turns += 1;
                    if self.holds_turns {
                        continue;
                    }
                    self.machine.step(self.now, Input::Turn);
                    outputs.extend(self.machine.take_outputs());
                }
                Output::Update(update) => self.updates.push(update),
                Output::Over(outcome) => self.outcome = Some(outcome),
                Output::PlaceTools { directory } => self.placed.push(directory),
                Output::Warn(text) => self.warnings.push(text),
                Output::Track(_) => {}
            }
        }
    }

    pub(super) fn note(&mut self, kind: RequestKind, request: Request) {
        let OperationCall { operation, arguments } = WIRE.call(&request).unwrap();
        let arguments = serde_json::from_str(&arguments).unwrap();
        self.asked.push((kind, operation, (arguments, request)));
    }

    pub(super) fn wants(&self, operation: &str) -> bool {
        self.asked.iter().any(|(_, name, _)| *name == operation)
    }

    /// Takes the oldest request of an operation.
    pub(super) fn take(&mut self, operation: &str) -> (RequestKind, Value) {
        let (kind, (arguments, _)) = self.take_all(operation);
        (kind, arguments)
    }

    pub(super) fn take_all(&mut self, operation: &str) -> (RequestKind, (Value, Request)) {
        let at = self.asked.iter().position(|(_, name, _)| *name == operation);
        let at = at.unwrap_or_else(|| panic!("{operation} was not asked; {}", self.machine.why()));
        let (kind, _, asked) = self.asked.remove(at);
        (kind, asked)
    }

    /// Answers the oldest request of an operation, and gives its arguments.
    pub(super) fn answer_with(&mut self, operation: &str, answer: Result<Answer>) -> Value {
        let (kind, (arguments, request)) = self.take_all(operation);
        match WIRE.read(&request, answer) {
            Meaning::Done(response) => self.input(Input::Answer(kind, response)),
            Meaning::Then(request) => self.note(kind, request),
        }
        arguments
    }

    pub(super) fn ok(&mut self, operation: &str, value: Value) -> Value {
        self.page(operation, value, None)
    }

    pub(super) fn page(&mut self, operation: &str, value: Value, cursor: Option<&str>) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if let Some(cursor) = cursor {
            headers.insert("x-next-cursor", HeaderValue::from_str(cursor).unwrap());
        }
        let body = if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
        let status = if value.is_null() { 204 } else { 200 };
        self.answer_with(operation, Ok(Answer::new(operation, status, headers, body)))
    }

    pub(super) fn fails(&mut self, operation: &str, error: Error) -> Value {
        self.answer_with(operation, Err(error))
    }

    /// Answers a look: which sessions are busy, and what is listed as a permission.
    pub(super) fn snapshot(&mut self, busy: &[&str], permissions: &[Value]) {
        assert!(self.snapshots > 0, "nobody looked; {}", self.machine.why());
        self.snapshots = 0;
        let has_lists = self.lists.last() != Some(&Lists::Unread);
        let mut snapshot = DirectorySnapshot {
            started: self.now,
            has_permissions: has_lists,
            has_questions: has_lists,
            ..DirectorySnapshot::default()
        };
        for session in busy {
            snapshot.status.insert((*session).to_owned(), Status::Busy);
        }
        let read = |value: &Value| {
            let raw = serde_json::value::RawValue::from_string(value.to_string()).unwrap();
            Arc::new(read_inquiry(&raw, false).unwrap())
        };
        snapshot.inquiries = permissions.iter().map(read).collect();
        self.input(Input::Snapshot(&snapshot));
    }

    pub(super) fn event(&mut self, kind: &str, mut properties: Value) {
        self.events += 1;
        if properties["sessionID"].is_null() {
            properties["sessionID"] = MINE.into();
        }
        let data = json!({
            "id": format!("evt_{:012x}000", self.events), "type": kind, "properties": properties,
        });
        let event = Event::read(data.to_string().as_bytes()).unwrap().unwrap();
        self.hear(&event);
    }

    pub(super) fn hear(&mut self, event: &Event) {
        if let Some(fact) = WIRE.fact(event, &mut Memory::default()) {
            self.input(Input::Fact { session: event.session_id(), fact });
        }
    }

    pub(super) fn wait(&mut self, time: Millis) {
        self.now += time;
        self.input(Input::Time);
    }

    pub(super) fn user(&self) -> Value {
        message(self.machine.message_id(), "user", None)
    }

    /// An answer to this run's prompt.
    pub(super) fn answer(&self, id: &str, finish: Option<&str>) -> Value {
        let mut message = message(id, "assistant", Some(self.machine.message_id()));
        if let Some(finish) = finish {
            message["info"]["finish"] = finish.into();
            message["info"]["time"]["completed"] = 2.into();
        }
        message
    }

    pub(super) fn error(&self) -> Option<&Error> {
        self.outcome.as_ref().expect("it is over").error.as_ref()
    }
}
