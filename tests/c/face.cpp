// The C++ face against a real server, with exceptions and without. Prints a line per test.

#include "check.hpp"

#include <cstring>
#include <string>
#include <type_traits>
#if __cplusplus >= 202002L
#include <ranges>
static_assert(std::ranges::input_range<opencode::Run> && std::ranges::input_range<opencode::Reply::Items>);
#endif

static_assert(!std::is_copy_constructible_v<opencode::Client> && std::is_nothrow_move_constructible_v<opencode::Client>);
static_assert(!std::is_copy_constructible_v<opencode::Reply> && std::is_nothrow_move_constructible_v<opencode::Run>);

static void updates_in_a_range_for() {
    auto client = opencode::Client::make();
    CHECK(client);
    auto run = client->run("say @@[{\"text\":\"one two three\"}]");
    CHECK(run);
    std::string said;
    OpencodeUpdateType last = OPENCODE_UPDATE_TYPE_NONE;
    for (const opencode::Update &update : *run) {
        if (update.is_text())
            said = update.replaces() ? std::string(update.text()) : said + std::string(update.text());
        last = update.type();
    }
    CHECK(said == "one two three" && last == OPENCODE_UPDATE_TYPE_DONE);
    CHECK(!run->next() && run->state() == OPENCODE_RUN_STATE_DONE);
    auto reply = run->wait();
    CHECK(reply && reply->text("/text") == "one two three" && reply->integer("/tokens/input") == 10);
    CHECK(run->info()->text("/state") == "done");
    // What nobody else keeps lives as long as the loop.
    int texts = 0;
    for (const opencode::Update &update : client->run("say @@[{\"text\":\"one\"}]").value())
        texts += update.is_text();
    CHECK(texts > 0);
    auto ticked = client->run("say @@[{\"text\":\"one\"}]");
    OpencodeRunState now = OPENCODE_RUN_STATE_PENDING;
    while (now == OPENCODE_RUN_STATE_PENDING) {
        auto update = ticked->next(now, 100);
        CHECK((now == OPENCODE_RUN_STATE_DONE) == (update && update->type() == OPENCODE_UPDATE_TYPE_DONE));
    }
    auto told = client->run("say @@[{\"text\":\"piece by piece\"}]");
    CHECK(told);
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    said.clear();
    while (true) {
        auto piece = told->next_text(state, opencode::forever);
        CHECK(piece);
        if (!*piece)
            break;
        said += std::string((*piece)->text("/delta").value_or(""));
    }
    CHECK(said == "piece by piece" && state == OPENCODE_RUN_STATE_DONE);
    auto asked = client->ask("say @@[{\"text\":\"asked\"}]", opencode::Json().text("title", "a \"title\""));
    CHECK(asked && asked->text("/text") == "asked");
    passed++;
}

static void values_names_and_items() {
    auto client = opencode::Client::make();
    const std::string_view title("quoted \" and \\, cut here", 16);
    auto made = client->call("session.create", opencode::Json().text("title", title));
    CHECK(made && made->text("/title") == title && made->http_status() == 200);
    CHECK(made->type("/title") == "string" && made->type("/none").empty() && !made->text("/none"));
    CHECK(made->header("content-type").find("json") != std::string_view::npos);
    auto sessions = client->call("session.list", "{\"limit\":3}");
    std::size_t seen = 0;
    for (const opencode::Reply &session : sessions->items())
        seen += session.text("/id") == sessions->item("", seen).text("/id");
    CHECK(sessions && seen > 0 && seen == sessions->count());
    for (const opencode::Reply &session : client->call("session.list", "{\"limit\":3}").value().items())
        seen -= session.text("/id").has_value();
    CHECK(seen == 0);
    CHECK(made->count() > 3 && !made->key("", 0).empty() && made->number("/time/created") > 1.7e12);
    auto pages = client->sessions();
    auto first = pages->next();
    CHECK(first && *first && (*first)->text("/id"));
    auto call = client->start("global.health");
    CHECK(call && call->wait()->boolean("/healthy"));
    CHECK(client->fd() && *client->fd() >= 0);
    bool is_end = true;
    auto polled = client->sessions();
    auto item = polled->poll(is_end, opencode::forever);
    CHECK(item && *item && !is_end && (*item)->text("/id") == (*first)->text("/id"));
    auto opening = client->start_pty("{\"command\":\"cat\"}");
    CHECK(opening && opening->wait());
    auto pty = opencode::Pty::take(*opening);
    CHECK(pty && *pty && (*pty)->start_kill()->wait() && !*opencode::Pty::take(*opening));
    // What was moved from says so, and a loop over it ends.
    auto run = client->run("say @@[{\"text\":\"x\"}]");
    const opencode::Run elsewhere = std::move(*run);
    for (const opencode::Update &update : *run)
        CHECK(update.text().empty() && false);
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    CHECK(!run->next(state) && state == OPENCODE_RUN_STATE_FAILED && has(run->wait().error().message(), "run is NULL"));
    CHECK(elsewhere.wait());
    // A reply that was moved from is empty, and says nothing.
    opencode::Reply moved = std::move(*made);
    CHECK(moved && !*made && made->json().empty() && !made->text("/title"));
    passed++;
}

static void failures() {
    auto wrong = opencode::Client::make("{\"base_url\":\"ftp://x\"}");
    CHECK(!wrong && wrong.error().status() == OPENCODE_STATUS_INVALID_ARGUMENT && wrong.error().name() == "invalid_argument");
    CHECK(has(wrong.error().message(), "base_url") && wrong.error().reply().text("/kind") == "invalid_argument");
    // A mistake is never taken for options that are not given.
    const auto mistake = opencode::Client::make(opencode::Json().text("", "x"));
    CHECK(!mistake && has(mistake.error().message(), "opencode_json_text: a field of an object needs a name"));
    auto client = opencode::Client::make();
    // Nothing failed: there is no error, and no words.
    CHECK(client && client.error().status() == OPENCODE_STATUS_OK && client.error().name() == "ok");
    auto none = client->call("session.get", opencode::Json().text("sessionID", "ses_none"));
    CHECK(!none && none.error().status() == OPENCODE_STATUS_NOT_FOUND);
    auto run = client->run("slow @@[{\"text\":\"a b c d\",\"delay_ms\":300}]");
    auto soon = run->wait(1);
    CHECK(!soon && soon.error().status() == OPENCODE_STATUS_TIMEOUT && has(soon.error().message(), "wait again"));
    CHECK(!run->reply_permission("per_1", "perhaps") && run->cancel());
#if defined(__cpp_exceptions)
    std::string caught;
    try {
        client->call("session.get", "{\"sessionID\":\"ses_none\"}").value();
    } catch (const opencode::Error &error) {
        caught = error.what();
    }
    CHECK(has(caught, "ses_none"));
#endif
    CHECK(client->start_close()->wait() && client->close());
    auto closed = client->run("x");
    CHECK(!closed && closed.error().status() == OPENCODE_STATUS_CLOSED);
    passed++;
}

int main() {
    RUN(updates_in_a_range_for);
    RUN(values_names_and_items);
    RUN(failures);
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
