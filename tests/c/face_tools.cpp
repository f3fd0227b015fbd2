// Tools in C++: handlers, what they answer and throw, answers that come later, calls that no run takes. Prints a line per test.

#include "check.hpp"

#include <stdexcept>
#include <string>
#include <thread>

using opencode::Client;
using opencode::Json;
using opencode::ToolAnswer;
using opencode::ToolCall;
using opencode::Tools;
using opencode::Update;

static const char SCHEMA[] = "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"},\"what\":{\"type\":\"string\"},"
                             "\"deep\":{\"type\":\"array\"}},\"required\":[\"x\"]}";

/// A prompt whose model calls a tool, and says something then.
static std::string calling(const char *tool, const char *arguments = "{}") {
    return std::string("go @@[{\"tools\":[{\"name\":\"host_") + tool + "\",\"arguments\":" + arguments + "}]},{\"text\":\"over\"}]";
}

/// What the agent got of a tool: its output, or its error behind "! ".
static std::string got(const Update &update) {
    const auto &part = update.reply();
    if (update.type() != OPENCODE_UPDATE_TYPE_TOOL)
        return "";
    if (auto output = part.text("/part/state/output"))
        return std::string(*output);
    auto error = part.text("/part/state/error");
    return error ? "! " + std::string(*error) : "";
}

/// Plays a prompt with tools, and gives what the agent got; "!! " and words when the run did not end as it should.
static std::string play(const Client &client, const Tools &tools, const std::string &prompt) {
    auto run = client.run(prompt, "{\"deadline_ms\":60000}");
    std::string seen;
    if (!run)
        return "!! " + std::string(run.error().message());
    for (const Update &update : *run) {
        tools.handle(client, update);
        if (const auto now = got(update); !now.empty())
            seen = now;
        if (update.type() == OPENCODE_UPDATE_TYPE_FAILED)
            return "!! " + std::string(update.text());
    }
    return run->wait(0)->text("/text") == "over" ? seen : "!! it said something else";
}

static void handlers_answer() {
    auto client = Client::make();
    Tools tools;
    std::string asked;
    CHECK(tools.add(*client, "build", "Builds", SCHEMA, [&](const ToolCall &call) {
        EXPECT(call.name() == "build" && !call.id().empty() && has(call.session(), "ses_"));
        EXPECT(call.integer("/x") == 3 && call.number("/x") > 2.9 && call.boolean("/none", true) && !call.text("/none"));
        for (const auto &item : call.items("/deep"))
            asked += std::string(item.text("").value_or(""));
        asked += std::string(call.text("/what").value_or("")) + std::string(call.arguments());
        return ToolAnswer("built " + asked.substr(0, 3));
    }));
    CHECK(tools.add(*client, "look", "Looks", {}, [](const ToolCall &) { return ToolAnswer::value(Json().integer("sheep", 3)); }));
    CHECK(has(play(*client, tools, calling("build", "{\"x\":3,\"what\":\"#\",\"deep\":[\"a\",\"b\"]}")), "built ab#"));
    CHECK(has(asked, "\"x\":3"));
    CHECK(has(play(*client, tools, calling("look")), "\"sheep\":3"));
    // What does not fit the schema is refused before.
    asked.clear();
    CHECK(has(play(*client, tools, calling("build", "{\"x\":\"far\"}")), "! ") && asked.empty());
    // One that replaces itself, and one that is replaced.
    CHECK(tools.add(*client, "look", "Looks", {}, [&](const ToolCall &) {
        tools.add(*client, "look", "Looks", {}, [](const ToolCall &) { return ToolAnswer("blind"); }).value();
        return ToolAnswer("for the last time");
    }));
    CHECK(has(play(*client, tools, calling("look")), "for the last time"));
    CHECK(has(play(*client, tools, calling("look")), "blind"));
    passed++;
}

static void failures_are_read_by_the_agent() {
    auto client = Client::make();
    Tools tools;
    CHECK(!tools.add(*client, "no name", "x", {}, [](const ToolCall &) { return ToolAnswer(""); }));
    CHECK(!tools.add(*client, "x", "x", "[]", [](const ToolCall &) { return ToolAnswer(""); }));
    CHECK(tools.add(*client, "refuse", "x", {}, [](const ToolCall &) { return ToolAnswer::failure("the roof is missing"); }));
    CHECK(tools.add(*client, "wrong", "x", {}, [](const ToolCall &) { return ToolAnswer::value("{\"no\""); }));
    CHECK(tools.add(*client, "bytes", "x", {}, [](const ToolCall &) { return ToolAnswer("\xff\xfe"); }));
    CHECK(has(play(*client, tools, calling("refuse")), "! the roof is missing"));
    CHECK(has(play(*client, tools, calling("wrong")), "JSON"));
    CHECK(has(play(*client, tools, calling("bytes")), "UTF-8"));
#if defined(__cpp_exceptions)
    CHECK(tools.add(*client, "fall", "x", {}, [](const ToolCall &) -> ToolAnswer { throw std::runtime_error("it fell down"); }));
    CHECK(tools.add(*client, "odd", "x", {}, [](const ToolCall &) -> ToolAnswer { throw 5; }));
    CHECK(has(play(*client, tools, calling("fall")), "! it fell down"));
    CHECK(has(play(*client, tools, calling("odd")), "no std::exception"));
#endif
    auto none = client->reply_tool("none", "late");
    CHECK(!none && none.error().status() == OPENCODE_STATUS_NOT_FOUND);
    passed++;
}

static void answers_that_come_later() {
    auto client = Client::make();
    Tools tools;
    std::thread worker;
    CHECK(tools.add(*client, "walk", "Walks", {}, [&](const ToolCall &call) -> std::optional<ToolAnswer> {
        worker = std::thread([&client, id = std::string(call.id())] {
            ToolAnswer answer("arrived");
            static_cast<void>(client->reply_tool(id, answer.image("image/png", "iVBORw0KGgo=")));
        });
        return std::nullopt;
    }));
    CHECK(has(play(*client, tools, calling("walk")), "arrived"));
    worker.join();
    // One whose time is up.
    CHECK(tools.add(*client, "sleep", "Sleeps", {}, [](const ToolCall &) { return std::nullopt; }, 300));
    CHECK(has(play(*client, tools, calling("sleep")), "! "));
    passed++;
}

static void calls_that_no_run_takes() {
    auto client = Client::make();
    Tools tools;
    int calls = 0;
    CHECK(tools.add(*client, "count", "Counts", {}, [&](const ToolCall &) { return ToolAnswer(std::to_string(++calls)); }));
    auto run = client->run(calling("count"), "{\"deadline_ms\":60000}");
    std::size_t taken = 0;
    while (run->state() == OPENCODE_RUN_STATE_PENDING) {
        auto some = tools.poll(*client, 50);
        CHECK(some);
        taken += *some;
    }
    CHECK(run->wait()->text("/text") == "over" && calls == 1 && taken == 1);
    // By hand, and one that no handler is for.
    CHECK(client->add_tool(Json().text("name", "other").text("description", "x")));
    auto other = client->run(calling("other"), "{\"deadline_ms\":60000}");
    auto call = client->next_tool_call(60000);
    CHECK(call && *call && !tools.handle(*client, **call) && client->reply_tool((*call)->id(), "by hand"));
    CHECK(other->wait()->text("/text") == "over");
    other = client->run(calling("other"), "{\"deadline_ms\":60000}");
    while (*tools.poll(*client, 100) == 0)
        CHECK(other->state() == OPENCODE_RUN_STATE_PENDING);
    CHECK(other->wait()->text("/text") == "over");
    CHECK(*tools.poll(*client) == 0 && client->close());
    auto closed = tools.poll(*client);
    CHECK(!closed && closed.error().status() == OPENCODE_STATUS_CLOSED);
    CHECK(!tools.add(*client, "x", "x", {}, [](const ToolCall &) { return ToolAnswer(""); }));
    passed++;
}

int main() {
    RUN(handlers_answer);
    RUN(failures_are_read_by_the_agent);
    RUN(answers_that_come_later);
    RUN(calls_that_no_run_takes);
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
