// What else there is in C++: settings, sums, exports, terminals, servers, recordings. What it does is tested in C; here it is
// whether each method asks for the right thing and gives what came. Prints a line per test.

#include "check.hpp"

#include <fstream>
#include <iterator>
#include <string>

using opencode::Client;
using opencode::Json;

static std::string file(const std::string &path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

static void what_needs_no_client() {
    CHECK(opencode::version() == OPENCODE_VERSION && opencode::abi_version() == OPENCODE_ABI_VERSION);
    auto part = opencode::attach_bytes("x.txt", std::string_view("a\0b", 3), Json().text("mime", "text/plain"));
    CHECK(part && part->text("/filename") == "x.txt" && has(*part->text("/url"), "YQBi"));
    CHECK(opencode::attach_bytes("empty.txt", {}));
    auto none = opencode::attach("/no/such/file");
    CHECK(!none && none.error().status() == OPENCODE_STATUS_NOT_FOUND);
    auto servers = opencode::discover(500);
    CHECK(servers && servers->type() == "array" && servers->count() > 0);
    passed++;
}

static void sums_and_exports() {
    auto client = Client::make();
    const auto ready = client->wait_until_ready("{\"agents\":[\"build\"]}");
    CHECK(ready && ready->count("/agents") > 0);
    auto part = opencode::attach_bytes("notes.txt", "Buy milk.");
    Json prompt;
    prompt.list("prompt").text("", "say @@[{\"text\":\"one\"}]").raw("", part->json()).end();
    auto run = client->run_parts(prompt);
    CHECK(run);
    auto reply = run->wait();
    CHECK(reply && has(*reply->text("/text"), "one"));
    const std::string session(*reply->text("/sessionID"));
    auto usage = client->usage(session, "{\"messages\":true}");
    CHECK(usage && usage->text("/sessionID") == session && usage->count("/messages") > 0);
    auto all = client->usage_of_all("{\"since\":\"2020-01-01\"}");
    CHECK(all && all->type("/sessionID") == "null" && all->integer("/tokens/total") >= usage->integer("/tokens/total"));
    std::string text;
    auto pieces = client->export_session(session, "{\"format\":\"markdown\"}");
    CHECK(pieces);
    while (true) {
        auto piece = pieces->next();
        CHECK(piece);
        if (!*piece)
            break;
        text += std::string(*(*piece)->text(""));
    }
    CHECK(has(text, "one") && pieces->is_complete());
    auto written = client->export_to(session, "export.md", "{\"format\":\"markdown\"}");
    CHECK(written && written->boolean("/complete") && file("export.md") == text);
    auto messages = client->messages(session);
    CHECK(messages && *messages->next());
    CHECK(client->request("GET", "/session/" + session)->text("/id") == session);
    auto summary = client->compact(session, "{\"deadline_ms\":60000}");
    CHECK(summary && has(*summary->wait()->text("/text"), "Objective"));
    auto again = client->resume(session, *reply->text("/messageID"));
    CHECK(again && again->wait()->text("/text") == "one");
    passed++;
}

static void what_is_known_of_a_server() {
    auto client = Client::make();
    CHECK(client->server()->text("/dialect") == "1.x");
    CHECK(client->doctor()->boolean("/ok") && client->drift()->type() == "object");
    CHECK(client->tui_prompt("hello"));
    auto control = client->tui_control();
    CHECK(control && control->poll() && !*control->poll());
    auto none = control->respond("{");
    CHECK(!none && none.error().status() == OPENCODE_STATUS_INVALID_ARGUMENT);
    auto logging = Client::make("{\"log\":\"debug\"}");
    CHECK(logging && logging->call("global.health"));
    auto record = logging->next_log();
    CHECK(record && *record && (*record)->text("/message"));
    auto detached = client->run("slow @@[{\"text\":\"a b\",\"delay_ms\":300}]")->detach();
    CHECK(detached && detached->text("/sessionID"));
    passed++;
}

static void terminals_are_left_and_found_again() {
    auto client = Client::make();
    std::string id, seen;
    {
        auto pty = client->pty("{\"command\":\"sh\"}");
        CHECK(pty && pty->write("echo one\n") && pty->resize(100, 30));
        id = pty->id();
        CHECK(pty->close() && !pty->write("x"));
    }
    auto again = client->connect_pty(id, "{\"cursor\":0}");
    CHECK(again && again->write("echo $((40 + 2))\n"));
    while (!has(seen, "42")) {
        auto output = again->read(30000);
        CHECK(output && *output);
        seen += std::string((*output)->text("/text").value_or(""));
    }
    CHECK(again->kill());
    auto events = client->events();
    CHECK(events && (*events->next(30000))->text("/type") == "stream.connected" && events->close());
    passed++;
}

static void servers_and_recordings() {
    auto wrong = opencode::Server::start("{\"binary\":\"/bin/false\"}");
    CHECK(!wrong && wrong.error().status() == OPENCODE_STATUS_START);
    auto server = opencode::Server::launch("{\"binary\":\"/bin/cat\"}");
    CHECK(server && *server->fd() >= 0 && server->output());
    CHECK(server->wait() == OPENCODE_SERVER_STATE_FAILED && server->poll() == OPENCODE_SERVER_STATE_FAILED);
    CHECK(server->pid() == opencode_server_pid(server->get()));
    CHECK(!server->url() && !server->environment() && !server->client() && server->start_close()->wait() && server->close());
    {
        auto client = Client::make("{\"record\":\"recorded.jsonl\"}");
        CHECK(client && client->ask("say @@[{\"text\":\"again\"}]") && client->close());
    }
    auto replay = opencode::Replay::start("recorded.jsonl");
    CHECK(replay && has(replay->url(), "http://127.0.0.1:"));
    auto reply = replay->client()->ask("say @@[{\"text\":\"again\"}]");
    CHECK(reply && reply->text("/text") == "again");
    CHECK(!opencode::Replay::start("/no/such/file"));
    passed++;
}

int main() {
    RUN(what_needs_no_client);
    RUN(sums_and_exports);
    RUN(what_is_known_of_a_server);
    RUN(terminals_are_left_and_found_again);
    RUN(servers_and_recordings);
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
