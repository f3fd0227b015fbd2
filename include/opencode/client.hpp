// libopencode for C++17: a handle to one server. Included by opencode.hpp.

#ifndef OPENCODE_CLIENT_HPP
#define OPENCODE_CLIENT_HPP

#include "call.hpp"
#include "json.hpp"
#include "pty.hpp"
#include "result.hpp"
#include "run.hpp"
#include "stream.hpp"

namespace opencode {

class ToolAnswer;

/// A handle to one server. What is made from it may outlive it.
class Client {
  public:
    explicit Client(OpencodeClient *client) noexcept : client_(client) {}
    /// Without options: what the environment says. Touches no network.
    static Result<Client> make(const Options &options = {}) {
        return detail::handle<Client, OpencodeClient>([&](OpencodeClient **client, OpencodeReply **error) {
            return opencode_client_new(options.c_str(), client, error);
        });
    }
    OpencodeClient *get() const noexcept { return client_.get(); }

    /// A client with other settings that shares everything. A close of the first client ends all; one of the new client
    /// ends its calls alone.
    Result<Client> with(const Options &options) const {
        return detail::handle<Client, OpencodeClient>([&](OpencodeClient **client, OpencodeReply **error) {
            return opencode_client_with(get(), options.c_str(), client, error);
        });
    }
    /// Blocks until agents, models and MCP servers are there.
    Result<Reply> wait_until_ready(const Options &options = {}) const {
        return detail::reply([&](OpencodeReply **reply) {
            return opencode_client_wait_until_ready(get(), options.c_str(), reply);
        });
    }

    /// @name Operations
    /// @{

    Result<Reply> call(std::string_view operation, const Options &arguments = {}, const Options &options = {}) const {
        return detail::reply([&](OpencodeReply **reply) {
            return opencode_call_with(get(), std::string(operation).c_str(), arguments.c_str(), options.c_str(), reply);
        });
    }
    Result<Call> start(std::string_view operation, const Options &arguments = {}, const Options &options = {}) const {
        return detail::handle<Call, OpencodeCall>([&](OpencodeCall **call, OpencodeReply **error) {
            return opencode_call_start(get(), std::string(operation).c_str(), arguments.c_str(), options.c_str(), call,
                                       error);
        });
    }
    Result<Reply> request(std::string_view method, std::string_view path, const Options &options = {}) const {
        return detail::reply([&](OpencodeReply **reply) {
            return opencode_request(get(), std::string(method).c_str(), std::string(path).c_str(), options.c_str(),
                                    reply);
        });
    }

    /// @}
    /// @name Prompts
    /// @{

    /// Sends a prompt and returns at once.
    Result<Run> run(std::string_view prompt, const Options &options = {}) const {
        return detail::handle<Run, OpencodeRun>([&](OpencodeRun **run, OpencodeReply **error) {
            return opencode_run_text(get(), std::string(prompt).c_str(), options.c_str(), run, error);
        });
    }
    /// The same with everything in one object, for prompts that are more than a text: {"prompt":[...]}.
    Result<Run> run_parts(const Options &prompt) const {
        return detail::handle<Run, OpencodeRun>([&](OpencodeRun **run, OpencodeReply **error) {
            return opencode_run_start(get(), prompt.c_str(), run, error);
        });
    }
    /// Sends a prompt and blocks until its reply is there.
    Result<Reply> ask(std::string_view prompt, const Options &options = {}) const {
        auto made = run(prompt, options);
        return made ? made->wait() : Result<Reply>(made.error());
    }
    Result<Run> resume(std::string_view session, std::string_view message, const Options &options = {}) const {
        return detail::handle<Run, OpencodeRun>([&](OpencodeRun **run, OpencodeReply **error) {
            return opencode_run_resume(get(), std::string(session).c_str(), std::string(message).c_str(),
                                       options.c_str(), run, error);
        });
    }

    /// Has a session summarized by its model: a run whose text is the summary.
    Result<Run> compact(std::string_view session, const Options &options = {}) const {
        return detail::handle<Run, OpencodeRun>([&](OpencodeRun **run, OpencodeReply **error) {
            return opencode_compact(get(), std::string(session).c_str(), options.c_str(), run, error);
        });
    }

    /// @}
    /// @name Functions of this program that the agent can call; Tools has them with handlers.
    /// @{

    /// {"name":...,"description":...,"parameters":{...}}. Nothing is sent: the server is told before the next prompt.
    Result<void> add_tool(const Options &tool) const {
        return detail::done([&](OpencodeReply **error) { return opencode_tool_add(get(), tool.c_str(), error); });
    }
    /// The oldest call that no run has taken, or none within this time; CLOSED when none will come any more.
    Result<std::optional<Update>> next_tool_call(std::int64_t timeout_ms = 0) const {
        return detail::next<Update>(
            [&](OpencodeReply **call) { return opencode_tool_next(get(), timeout_ms, call); });
    }
    /// NOT_FOUND when nobody waits for the answer any more. Never blocks.
    Result<void> reply_tool(std::string_view id, const ToolAnswer &answer) const;

    /// @}
    /// @name Streams, lists, terminals
    /// @{

    Result<Events> events(const Options &options = {}) const {
        return detail::handle<Events, OpencodeEvents>([&](OpencodeEvents **events, OpencodeReply **error) {
            return opencode_events_open(get(), options.c_str(), events, error);
        });
    }
    Result<Pages> messages(std::string_view session, const Options &options = {}) const {
        return detail::handle<Pages, OpencodePages>([&](OpencodePages **pages, OpencodeReply **error) {
            return opencode_messages_open(get(), std::string(session).c_str(), options.c_str(), pages, error);
        });
    }
    Result<Pages> sessions(const Options &options = {}) const {
        return detail::handle<Pages, OpencodePages>([&](OpencodePages **pages, OpencodeReply **error) {
            return opencode_sessions_open(get(), options.c_str(), pages, error);
        });
    }
    /// A session with its subagents as one text, as Markdown or JSON: the pieces are `text("")`.
    Result<Pages> export_session(std::string_view session, const Options &options = {}) const {
        return detail::handle<Pages, OpencodePages>([&](OpencodePages **pages, OpencodeReply **error) {
            return opencode_export_open(get(), std::string(session).c_str(), options.c_str(), pages, error);
        });
    }
    Result<Pty> pty(const Options &options = {}) const {
        return detail::handle<Pty, OpencodePty>([&](OpencodePty **pty, OpencodeReply **error) {
            return opencode_pty_open(get(), options.c_str(), pty, error);
        });
    }
    Result<Call> start_pty(const Options &options = {}) const {
        return detail::handle<Call, OpencodeCall>([&](OpencodeCall **call, OpencodeReply **error) {
            return opencode_pty_open_start(get(), options.c_str(), call, error);
        });
    }
    /// A terminal that is there already; returns at once.
    Result<Pty> connect_pty(std::string_view id, const Options &options = {}) const {
        return detail::handle<Pty, OpencodePty>([&](OpencodePty **pty, OpencodeReply **error) {
            return opencode_pty_connect(get(), std::string(id).c_str(), options.c_str(), pty, error);
        });
    }
    Result<TuiControl> tui_control() const {
        return detail::handle<TuiControl, OpencodeTuiControl>(
            [&](OpencodeTuiControl **control, OpencodeReply **error) {
                return opencode_tui_control_open(get(), control, error);
            });
    }

    /// @}
    /// @name What blocks for some requests; start() with the name in quotes does not
    /// @{

    /// Writes a session into a file; "export".
    Result<Reply> export_to(std::string_view session, std::string_view path, const Options &options = {}) const {
        return detail::reply([&](OpencodeReply **reply) {
            return opencode_export_to(get(), std::string(session).c_str(), std::string(path).c_str(), options.c_str(),
                                      reply);
        });
    }
    /// What a session cost; "usage".
    Result<Reply> usage(std::string_view session, const Options &options = {}) const {
        return detail::reply([&](OpencodeReply **reply) {
            return opencode_usage(get(), std::string(session).c_str(), options.c_str(), reply);
        });
    }
    /// What all sessions of a directory, or of the server, cost; "usage_of_all".
    Result<Reply> usage_of_all(const Options &options = {}) const {
        return detail::reply(
            [&](OpencodeReply **reply) { return opencode_usage_of_all(get(), options.c_str(), reply); });
    }
    /// Version and dialect of the server; "server".
    Result<Reply> server() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_client_server(get(), reply); });
    }
    /// What works and what does not; "doctor".
    Result<Reply> doctor() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_doctor(get(), reply); });
    }
    /// How the server's operations differ from those of this library; "drift".
    Result<Reply> drift() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_drift(get(), reply); });
    }
    /// Types a prompt into every terminal interface that is attached, and submits it; "tui_prompt".
    Result<void> tui_prompt(std::string_view text) const {
        return detail::done(
            [&](OpencodeReply **error) { return opencode_tui_prompt(get(), std::string(text).c_str(), error); });
    }

    /// @}

    /// Readable while anything of the client has something new.
    Result<std::int64_t> fd() const {
        return detail::descriptor(
            [&](std::int64_t *fd, OpencodeReply **error) { return opencode_client_fd(get(), fd, error); });
    }
    Result<std::optional<Reply>> next_log() const {
        return detail::next([&](OpencodeReply **record) { return opencode_client_next_log(get(), record); });
    }
    Result<void> close() const {
        return detail::done([&](OpencodeReply **error) { return opencode_client_close(get(), error); });
    }
    Result<Call> start_close() const {
        return detail::handle<Call, OpencodeCall>([&](OpencodeCall **call, OpencodeReply **error) {
            return opencode_client_close_start(get(), call, error);
        });
    }

  private:
    detail::Owner<OpencodeClient, opencode_client_free> client_;
};

} // namespace opencode

#endif // OPENCODE_CLIENT_HPP
