//! What is measured: one row a question, with everybody who answers it.

/// One question.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What the numbers stand for, where the title does not say it.
    pub(crate) note: &'static str,
    /// What a client is asked for; it prints the numbers.
    pub(crate) asks: &'static str,
    pub(crate) metric: Metric,
    /// Other numbers of the clients that are worth a column.
    pub(crate) beside: &'static [(&'static str, &'static str)],
    pub(crate) server: Source,
    /// How often, or how much; of a row that grows, each size.
    pub(crate) counts: &'static [u64],
    /// Who is too slow for the whole count.
    pub(crate) few: &'static [(&'static str, u64)],
    pub(crate) clients: &'static [&'static str],
    /// Who is asked in the first round alone: a minute for one of them says enough.
    pub(crate) once: &'static [&'static str],
    /// Whom nobody can beat.
    pub(crate) limit: Option<&'static str>,
    pub(crate) goals: &'static [Goal],
    /// It takes part in so many rounds at most: a row that takes long says enough after a few.
    pub(crate) rounds: usize,
    /// How often it is asked in a round.
    pub(crate) repeat: usize,
}

/// The number that is compared.
pub(crate) struct Metric {
    pub(crate) key: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) is_better: Better,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

/// Who serves a row, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// nginx on the core of the client: without it, small requests take twice as long in one run of two.
    NginxTogether,
    /// nginx on another core, so that both work at once.
    NginxApart,
    /// A server of `opencode-benches`.
    Fake(&'static str),
    /// What is asked brings its own: the real server, or none.
    Own,
}

/// What is to be reached. None fails anything.
pub(crate) enum Goal {
    /// `of` is at most so many times `to`.
    AtMost(&'static str, &'static str, f64),
    /// `to` costs at least so many times what `of` costs, or gives that much less.
    Better(&'static str, &'static str, f64),
    /// A number of a client is at most that.
    Value(&'static str, &'static str, f64),
    /// A number of the first is at most that much above that of the second.
    Above(&'static str, &'static str, &'static str, f64),
}

const LESS_US: Metric = Metric { key: "us", unit: "µs", is_better: Better::Less };
const LESS_MS: Metric = Metric { key: "ms", unit: "ms", is_better: Better::Less };
const MORE: Metric = Metric { key: "per_s", unit: "events/s", is_better: Better::More };

const CPU: &[(&str, &str)] = &[("p99_us", "p99 µs"), ("cpu_us", "CPU µs")];
const RSS: &[(&str, &str)] = &[("rss_mb", "peak MB")];

const EVERYBODY: &[&str] = &[
    "raw socket",
    "core",
    "ureq",
    "C",
    "libcurl + cJSON",
    "Python",
    "urllib3 + orjson",
    "urllib3 + json",
    "http.client",
    "requests",
    "httpx",
    "opencode-ai",
    "Lua",
    "LuaSocket + cjson",
    "lua-http + cjson",
    "fetch",
    "@opencode-ai/sdk",
];
const HISTORY: &[&str] = &[
    "raw socket",
    "core",
    "ureq",
    "C",
    "libcurl + cJSON",
    "Python",
    "urllib3 + orjson",
    "urllib3 + json",
    "requests",
    "httpx",
    "opencode-ai",
    "Lua",
    "LuaSocket + cjson",
    "lua-http + cjson",
    "fetch",
    "@opencode-ai/sdk",
];

const BASE: Row = Row {
    name: "",
    title: "",
    note: "",
    asks: "",
    metric: LESS_US,
    beside: &[],
    server: Source::Own,
    counts: &[1],
    few: &[],
    clients: &[],
    once: &[],
    limit: None,
    goals: &[],
    rounds: usize::MAX,
    repeat: 1,
};

/// Slow ones need not ask two thousand times.
const FEW_GETS: &[(&str, u64)] = &[
    ("requests", 400),
    ("httpx", 500),
    ("opencode-ai", 400),
    ("fetch", 1_000),
    ("@opencode-ai/sdk", 800),
];

/// What the rows of small requests share.
const SMALL_GET: Row = Row {
    beside: CPU,
    server: Source::NginxTogether,
    counts: &[2_000],
    few: FEW_GETS,
    clients: EVERYBODY,
    limit: Some("raw socket"),
    goals: &[
        Goal::AtMost("core", "raw socket", 1.2),
        Goal::AtMost("C", "raw socket", 1.3),
        Goal::Better("Python", "requests", 13.0),
        Goal::Better("Python", "urllib3 + orjson", 4.5),
        Goal::Better("Python", "opencode-ai", 12.0),
        Goal::Better("Lua", "LuaSocket + cjson", 3.2),
    ],
    ..BASE
};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "get_health",
        title: "A small GET: 36 bytes of JSON",
        note: "`GET /global/health`, kept alive, parsed. The raw socket parses nothing; the core makes a tree, C looks at one field.",
        asks: "get_health",
        ..SMALL_GET
    },
    Row {
        name: "get_session",
        title: "A small GET: a session, 387 bytes of JSON",
        note: "`GET /session/ID`, as above.",
        asks: "get_session",
        ..SMALL_GET
    },
    Row {
        name: "history",
        title: "A history of 100 MB as objects of the language",
        note: "`GET /session/ID/message`, the first request of a process. The raw socket and C keep bytes; the core makes a tree.",
        asks: "history",
        metric: LESS_MS,
        beside: RSS,
        server: Source::NginxApart,
        counts: &[100],
        clients: HISTORY,
        once: &["opencode-ai"],
        limit: Some("raw socket"),
        goals: &[
            Goal::AtMost("C", "raw socket", 1.3),
            Goal::AtMost("Python", "urllib3 + orjson", 0.9),
            Goal::AtMost("Lua", "LuaSocket + cjson", 0.8),
            Goal::Better("Python", "opencode-ai", 10.0),
        ],
        rounds: 3,
        ..BASE
    },
    Row {
        name: "history_bytes",
        title: "A history of 100 MB as bytes",
        note: "What the core and ureq do without reading the JSON.",
        asks: "history_bytes",
        metric: LESS_MS,
        beside: RSS,
        server: Source::NginxApart,
        counts: &[100],
        clients: &["raw socket", "core", "ureq"],
        limit: Some("raw socket"),
        goals: &[Goal::AtMost("core", "raw socket", 1.3)],
        ..BASE
    },
    Row {
        name: "events",
        title: "Events as objects of the language",
        note: "300,000 events of 320 bytes as fast as the server can send them. The raw socket only splits them. `lost` were \
               dropped because their reader was slow, and told.",
        asks: "events",
        metric: MORE,
        beside: &[("lost", "lost"), ("rss_mb", "peak MB")],
        server: Source::NginxApart,
        counts: &[300_000],
        few: &[("opencode-ai", 20_000), ("lua-http + cjson", 100_000)],
        clients: HISTORY,
        limit: Some("raw socket"),
        goals: &[
            Goal::Better("Python", "urllib3 + orjson", 1.3),
            Goal::Better("Python", "opencode-ai", 60.0),
        ],
        rounds: 3,
        ..BASE
    },
    Row {
        name: "start",
        title: "Import and client of a Python program",
        note: "What `import` and the making of a client add to an interpreter that runs already, and to its memory.",
        asks: "start",
        metric: LESS_MS,
        beside: &[("rss_mb", "added MB")],
        server: Source::NginxApart,
        clients: &["Python", "json only", "urllib3", "requests", "httpx", "opencode-ai"],
        goals: &[
            Goal::Value("Python", "ms", 3.0),
            Goal::Value("Python", "rss_mb", 3.0),
            Goal::Better("Python", "opencode-ai", 60.0),
        ],
        repeat: 4,
        ..BASE
    },
    Row {
        name: "tick",
        title: "A poll with nothing new, 100 runs waiting",
        note: "`opencode_run_next(run, 0, …)` of the C library, one by one; what the clock costs is taken off.",
        asks: "tick",
        metric: Metric { key: "ns", unit: "ns", is_better: Better::Less },
        beside: &[("p999_us", "p99.9 µs")],
        server: Source::Fake("busy"),
        counts: &[100],
        clients: &["C"],
        goals: &[Goal::Value("C", "ns", 30.0), Goal::Value("C", "p999_us", 5.0)],
        ..BASE
    },
    Row {
        name: "cancel",
        title: "From a cancel to the return of the function that waits",
        note: "The server never answers. Lua has one thread: there it is the cancel and the wait after it.",
        asks: "cancel",
        beside: &[("p99_us", "p99 µs")],
        server: Source::Fake("silent"),
        counts: &[100],
        clients: &["core", "C", "Python", "Lua"],
        goals: &[
            Goal::Value("core", "p99_us", 1_000.0),
            Goal::Value("C", "p99_us", 1_000.0),
            Goal::Value("Python", "p99_us", 1_000.0),
            Goal::Value("Lua", "p99_us", 1_000.0),
        ],
        rounds: 3,
        ..BASE
    },
    Row {
        name: "close",
        title: "Close of a client whose server does not answer",
        note: "A run that is not sent yet gets a second for it.",
        asks: "close",
        beside: &[("p99_us", "p99 µs")],
        server: Source::Fake("silent"),
        counts: &[5],
        clients: &["close"],
        rounds: 1,
        ..BASE
    },
    Row {
        name: "prompt",
        title: "A prompt to a session of the real server",
        note: "The model answers after 0.1 s. `post` is the one blocking request of the server, with nothing around it. `notice` is \
               from the end of the answer, as the server has it, until its reply is in hand; `KB` is what a prompt moves.",
        asks: "prompt",
        metric: LESS_MS,
        beside: &[("notice_ms", "notice ms"), ("kb", "KB")],
        counts: &[0],
        clients: &["prompt"],
        limit: Some("post"),
        goals: &[
            Goal::Above("core", "post", "ms", 20.0),
            Goal::Above("core", "post", "notice_ms", 5.0),
        ],
        rounds: 3,
        ..BASE
    },
    Row {
        name: "prompt_1000",
        title: "The same after 1,000 messages",
        note: "",
        asks: "prompt",
        metric: LESS_MS,
        beside: &[("notice_ms", "notice ms"), ("kb", "KB")],
        counts: &[1_000],
        clients: &["prompt"],
        limit: Some("post"),
        goals: &[
            Goal::Above("core", "post", "ms", 20.0),
            Goal::Above("core", "post", "notice_ms", 5.0),
            Goal::Value("core", "kb", 10.0),
        ],
        rounds: 2,
        ..BASE
    },
    Row {
        name: "waiting",
        title: "CPU of 100 prompts that wait, a minute",
        note: "Client and server together, on the real server. `polls` asks for the last message of each every 250 ms, with a bare \
               socket; programs in Python need more.",
        asks: "waiting",
        metric: Metric { key: "cpu_s", unit: "s", is_better: Better::Less },
        beside: &[("client_cpu_s", "client s"), ("server_cpu_s", "server s")],
        counts: &[100],
        clients: &["waiting"],
        goals: &[Goal::Better("core", "polls", 45.0)],
        rounds: 1,
        ..BASE
    },
    Row {
        name: "grow_runs",
        title: "How the cost of runs grows with their number",
        note: "Runs that wait, on a fake server: the real one would be most of it. CPU of the client until all are sent; then, while \
               nothing happens, a tick that polls all of them.",
        asks: "crowd",
        metric: Metric {
            key: "cpu_ms",
            unit: "ms of CPU until all are sent",
            is_better: Better::Less,
        },
        beside: &[
            ("tick_us", "tick µs"),
            ("kb_each", "KB each"),
            ("idle_percent", "CPU % while waiting"),
            ("threads", "threads"),
            ("descriptors", "descriptors"),
        ],
        server: Source::Fake("busy"),
        counts: &[1, 10, 100, 1_000],
        clients: &["crowd"],
        goals: &[Goal::Value("core", "kb_each", 20.0)],
        rounds: 2,
        ..BASE
    },
    Row {
        name: "grow_history",
        title: "How the notice of an end grows with the history",
        note: "The real server. Its own part grows: compare with `post`.",
        asks: "prompt",
        metric: Metric {
            key: "notice_ms",
            unit: "ms from the end to its notice",
            is_better: Better::Less,
        },
        beside: &[("ms", "whole ms"), ("kb", "KB")],
        counts: &[0, 100, 1_000, 10_000],
        clients: &["prompt"],
        goals: &[Goal::Above("core", "post", "notice_ms", 5.0), Goal::Value("core", "kb", 10.0)],
        rounds: 1,
        ..BASE
    },
    Row {
        name: "grow_decode",
        title: "How reading a history grows with its size",
        note: "1, 10 and 100 MB.",
        asks: "history",
        metric: LESS_MS,
        beside: RSS,
        server: Source::NginxApart,
        counts: &[1, 10, 100],
        clients: &[
            "raw socket",
            "core",
            "C",
            "Python",
            "urllib3 + orjson",
            "Lua",
            "LuaSocket + cjson",
        ],
        rounds: 2,
        ..BASE
    },
    Row {
        name: "grow_events",
        title: "How the time for events grows with their number",
        note: "Events a second, from the opening of the stream on.",
        asks: "events",
        metric: MORE,
        beside: &[("lost", "lost"), ("rss_mb", "peak MB")],
        server: Source::NginxApart,
        counts: &[10, 1_000, 100_000, 1_000_000],
        clients: &["raw socket", "core", "C", "Python", "urllib3 + orjson", "Lua"],
        rounds: 1,
        ..BASE
    },
    Row {
        name: "grow_sessions",
        title: "How a list of sessions grows with their number",
        note: "`GET /session?limit=N` from nginx, as objects.",
        asks: "sessions",
        server: Source::NginxTogether,
        beside: CPU,
        counts: &[1, 10, 100, 1_000],
        clients: &["core", "Python", "urllib3 + orjson", "Lua", "LuaSocket + cjson"],
        rounds: 2,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_goals_about_its_clients() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..index].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(
                !row.clients.is_empty()
                    && !row.counts.is_empty()
                    && row.rounds > 0
                    && row.repeat > 0
            );
            // Programs that bring their server name the clients themselves.
            let is_known =
                |name: &str| row.clients.contains(&name) || matches!(row.server, Source::Own);
            for goal in row.goals {
                let (Goal::AtMost(of, to, _) | Goal::Better(of, to, _) | Goal::Above(of, to, ..)) =
                    goal
                else {
                    continue;
                };
                assert!(is_known(of) && is_known(to), "{}: {of}, {to}", row.name);
            }
        }
    }
}
