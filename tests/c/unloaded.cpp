// A plugin that uses the C++ face as a whole, for unloads.c: each round leaves something else open.

#include <opencode.hpp>

#include <string>

extern "C" const char *plugin_play(int round, const char *swift);

namespace {

std::string wrong;

bool is_fine(bool condition, const char *words, const opencode::Error &error) {
    if (!condition)
        wrong = std::string(words) + ": " + error.what();
    return condition;
}

/// A prompt that is answered with the help of a function of this plugin.
bool play_with_a_tool(const opencode::Client &client) {
    opencode::Tools tools;
    auto added = tools.add(client, "count", "Counts", {},
                           [](const opencode::ToolCall &) { return opencode::ToolAnswer::value("3"); });
    if (!is_fine(static_cast<bool>(added), "tools", added.error()))
        return false;
    auto run = client.run("go @@[{\"tools\":[{\"name\":\"host_count\",\"arguments\":{}}]},{\"text\":\"over\"}]",
                          "{\"deadline_ms\":60000}");
    bool has_called = false;
    if (run)
        for (const opencode::Update &update : *run)
            has_called |= tools.handle(client, update);
    return is_fine(has_called && run->wait()->text("/text") == "over", "a run with a tool", run.error());
}

/// What is on its way when the plugin is unloaded; the client is the last to be freed, or the first.
bool leave_open(int round, const opencode::Options &options) {
    auto client = opencode::Client::make(options);
    if (!is_fine(static_cast<bool>(client), "client", client.error()))
        return false;
    opencode::Json title;
    title.text("title", "a \"title\"").list("files").end();
    auto run = client->run("Say hello", title);
    auto call = client->start("session.list");
    auto events = client->events();
    auto pages = client->sessions();
    auto pty = client->connect_pty("pty_1");
    auto other = client->with("{\"timeout_ms\":1000}");
    auto control = client->tui_control();
    bool is_end = false;
    const bool made = run && call && events && pages && pty && other && control;
    if (!is_fine(made && client->fd(), "handles", run.error()))
        return false;
    // That server has neither pages nor events: what comes first is another thing each time.
    static_cast<void>(pages->poll(is_end));
    static_cast<void>(events->next(0));
    while (round % 2 && run->next(10000)) {
    }
    // A failure, with its words, and none.
    const auto none = client->call("session.nonsense");
    if (!is_fine(!none && !std::string(none.error().what()).empty() && !call.error().status(), "failures", none.error()))
        return false;
#if defined(__cpp_exceptions)
    try {
        client->call("session.nonsense").value();
    } catch (const opencode::Error &error) {
        if (error.status() != OPENCODE_STATUS_INVALID_ARGUMENT)
            return false;
    }
#endif
    if (round % 3 == 0)
        static_cast<void>(client->close());
    if (round % 5 == 0) {
        auto closing = client->start_close();
        return is_fine(static_cast<bool>(closing), "close", closing.error());
    }
    if (round % 7 == 0)
        const opencode::Client gone(std::move(*client));
    return true;
}

} // namespace

/// What went wrong, or nothing. The first rounds use the real server, all others the one that answers at once.
const char *plugin_play(int round, const char *swift) {
    wrong.clear();
    bool is_done;
    if (round < 3) {
        auto client = opencode::Client::make();
        is_done = client && play_with_a_tool(*client);
    } else {
        // That server has no events for runs to wait for.
        const opencode::Options options = opencode::Json().text("base_url", swift).text("log", "debug").boolean("events", false);
        is_done = leave_open(round, options);
    }
    return is_done ? nullptr : wrong.empty() ? "it failed without words" : wrong.c_str();
}
