// libopencode for C++17: the C library with values that free themselves. Header only; docs/cpp.md shows it in use.
//
// What can fail gives a Result: look at it before you take the value, or call value(), which throws opencode::Error where
// exceptions are enabled and ends the program where they are not. So one program compiles both ways.
//
// Texts go in as std::string_view and are copied for the call; texts that come out belong to the Reply that gave them.
// Times are milliseconds: 0 waits for nothing, forever has no end.

#ifndef OPENCODE_HPP
#define OPENCODE_HPP

#include "opencode.h"

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace opencode {

inline constexpr std::int64_t forever = -1;

namespace detail {

template <typename Handle, void (*Free)(Handle *)>
struct Deleter {
    void operator()(Handle *handle) const noexcept { Free(handle); }
};

template <typename Handle, void (*Free)(Handle *)>
using Owner = std::unique_ptr<Handle, Deleter<Handle, Free>>;

inline std::string_view view(const char *text) noexcept { return text ? std::string_view(text) : std::string_view(); }

} // namespace detail

/// What came out of a call. Empty when it was moved from.
class Reply {
  public:
    Reply() = default;
    explicit Reply(OpencodeReply *reply) noexcept : reply_(reply) {}

    explicit operator bool() const noexcept { return reply_ != nullptr; }
    OpencodeReply *get() const noexcept { return reply_.get(); }

    OpencodeStatus status() const noexcept { return opencode_reply_status(get()); }
    int http_status() const noexcept { return opencode_reply_http_status(get()); }
    /// The body, with its NULs.
    std::string_view json() const noexcept { return {opencode_reply_json(get()), opencode_reply_length(get())}; }
    /// Of a failure: one line for people.
    std::string_view message() const noexcept { return detail::view(opencode_reply_message(get())); }

    /// A string without quotes, anything else as JSON; nothing for null and for what is not there.
    std::optional<std::string_view> text(std::string_view pointer) const {
        const char *found = opencode_reply_text(get(), std::string(pointer).c_str());
        return found ? std::optional<std::string_view>(found) : std::nullopt;
    }
    double number(std::string_view pointer, double otherwise = 0) const {
        return opencode_reply_number(get(), std::string(pointer).c_str(), otherwise);
    }
    std::int64_t integer(std::string_view pointer, std::int64_t otherwise = 0) const {
        return opencode_reply_int64(get(), std::string(pointer).c_str(), otherwise);
    }
    bool boolean(std::string_view pointer, bool otherwise = false) const {
        return opencode_reply_bool(get(), std::string(pointer).c_str(), otherwise) != 0;
    }
    /// "null", "boolean", "number", "string", "array" or "object"; empty when there is no such value.
    std::string_view type(std::string_view pointer) const {
        return detail::view(opencode_reply_type(get(), std::string(pointer).c_str()));
    }
    std::size_t count(std::string_view pointer = "") const {
        return opencode_reply_count(get(), std::string(pointer).c_str());
    }
    std::string_view key(std::string_view pointer, std::size_t index) const {
        return detail::view(opencode_reply_key(get(), std::string(pointer).c_str(), index));
    }
    Reply item(std::string_view pointer, std::size_t index) const {
        return Reply(opencode_reply_item(get(), std::string(pointer).c_str(), index));
    }
    std::string_view header(std::string_view name) const {
        return detail::view(opencode_reply_header(get(), std::string(name).c_str()));
    }

    class Items;
    /// The items of a list, or the values of an object, for a range-for. The reply must outlive it.
    Items items(std::string_view pointer = "") const;

  private:
    detail::Owner<OpencodeReply, opencode_reply_free> reply_;
};

class Reply::Items {
  public:
    struct End {};
    class Iterator {
      public:
        Iterator(const Items &items) : items_(items), item_(items.reply_.item(items.pointer_, 0)) {}
        const Reply &operator*() const noexcept { return item_; }
        const Reply *operator->() const noexcept { return &item_; }
        Iterator &operator++() {
            item_ = items_.reply_.item(items_.pointer_, ++index_);
            return *this;
        }
        bool operator!=(End) const noexcept { return static_cast<bool>(item_); }

      private:
        const Items &items_;
        std::size_t index_ = 0;
        Reply item_;
    };

    Items(const Reply &reply, std::string_view pointer) : reply_(reply), pointer_(pointer) {}
    Iterator begin() const { return Iterator(*this); }
    End end() const noexcept { return {}; }

  private:
    const Reply &reply_;
    std::string pointer_;
};

inline Reply::Items Reply::items(std::string_view pointer) const { return Items(*this, pointer); }

/// Why something failed.
class Error : public std::exception {
  public:
    Error(OpencodeStatus status, OpencodeReply *reply) : status_(status), reply_(std::make_shared<Reply>(reply)) {}

    OpencodeStatus status() const noexcept { return status_; }
    /// The word for the status: "not_found" and so on.
    std::string_view name() const noexcept { return detail::view(opencode_status_name(status_)); }
    /// One line for people.
    std::string_view message() const noexcept { return reply_->message(); }
    const char *what() const noexcept override { return opencode_reply_message(reply_->get()); }
    /// All that is known: "/operation", "/code", "/body" and so on.
    const Reply &reply() const noexcept { return *reply_; }

  private:
    OpencodeStatus status_;
    std::shared_ptr<Reply> reply_;
};

namespace detail {

[[noreturn]] inline void fail(const Error &error) {
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
    throw error;
#else
    static_cast<void>(error);
    std::abort();
#endif
}

} // namespace detail

/// A value, or why there is none.
template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(std::move(error)) {}

    explicit operator bool() const noexcept { return value_.has_value(); }
    /// Throws the error; without exceptions it ends the program.
    T &value() & {
        if (!value_)
            detail::fail(*error_);
        return *value_;
    }
    T &&value() && { return std::move(value()); }
    T &operator*() { return value(); }
    T *operator->() { return &value(); }
    /// Only when there is no value.
    const Error &error() const { return *error_; }

  private:
    std::optional<T> value_;
    std::optional<Error> error_;
};

/// Done, or why not.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    explicit operator bool() const noexcept { return !error_; }
    void value() const {
        if (error_)
            detail::fail(*error_);
    }
    const Error &error() const { return *error_; }

  private:
    std::optional<Error> error_;
};

/// An object that is being written: Json().text("title", title).boolean("roots", true).
class Json {
  public:
    Json() : json_(opencode_json_new()) {}

    Json &text(std::string_view name, std::string_view value) {
        return add(opencode_json_text(get(), field(name), std::string(value).c_str()));
    }
    Json &number(std::string_view name, double value) { return add(opencode_json_number(get(), field(name), value)); }
    Json &integer(std::string_view name, std::int64_t value) {
        return add(opencode_json_int64(get(), field(name), value));
    }
    Json &boolean(std::string_view name, bool value) { return add(opencode_json_bool(get(), field(name), value)); }
    /// What is JSON already.
    Json &raw(std::string_view name, std::string_view value) {
        return add(opencode_json_raw(get(), field(name), std::string(value).c_str()));
    }
    Json &object(std::string_view name = {}) { return add(opencode_json_object(get(), field(name))); }
    /// Names of what is inside are empty, until end().
    Json &list(std::string_view name = {}) { return add(opencode_json_list(get(), field(name))); }
    Json &end() { return add(opencode_json_end(get())); }

    /// After a mistake it is the message, which is no JSON: whoever takes it fails.
    std::string str() const { return opencode_json_get(get()); }
    std::string_view message() const noexcept { return detail::view(opencode_json_message(get())); }

  private:
    OpencodeJson *get() const noexcept { return json_.get(); }
    Json &add(OpencodeStatus) noexcept { return *this; }
    /// An empty name is none.
    const char *field(std::string_view name) {
        name_ = name;
        return name.empty() ? nullptr : name_.c_str();
    }

    detail::Owner<OpencodeJson, opencode_json_free> json_;
    std::string name_;
};

/// Options and arguments: JSON as a text, a Json, or nothing.
class Options {
  public:
    Options() = default;
    Options(const char *json) : json_(json ? json : "") {}
    Options(std::string_view json) : json_(json) {}
    Options(std::string json) : json_(std::move(json)) {}
    Options(const Json &json) : json_(json.str()) {}

    const char *c_str() const noexcept { return json_.empty() ? nullptr : json_.c_str(); }

  private:
    std::string json_;
};

namespace detail {

/// Calls a function that gives a reply last.
template <typename Work>
Result<Reply> reply(Work work) {
    OpencodeReply *made = nullptr;
    const OpencodeStatus status = work(&made);
    if (status != OPENCODE_STATUS_OK)
        return Error(status, made);
    return Reply(made);
}

/// Calls a function that gives the next of many, or none.
template <typename Work>
Result<std::optional<Reply>> next(Work work) {
    OpencodeReply *made = nullptr;
    const OpencodeStatus status = work(&made);
    if (status != OPENCODE_STATUS_OK)
        return Error(status, made);
    return made ? std::optional<Reply>(Reply(made)) : std::optional<Reply>();
}

/// Calls a function that only can fail.
template <typename Work>
Result<void> done(Work work) {
    OpencodeReply *error = nullptr;
    const OpencodeStatus status = work(&error);
    if (status != OPENCODE_STATUS_OK)
        return Error(status, error);
    return {};
}

/// Calls a function that hands out a handle.
template <typename Made, typename Handle, typename Work>
Result<Made> handle(Work work) {
    Handle *made = nullptr;
    OpencodeReply *error = nullptr;
    const OpencodeStatus status = work(&made, &error);
    if (status != OPENCODE_STATUS_OK)
        return Error(status, error);
    return Made(made);
}

} // namespace detail

/// One thing that happened in a run.
class Update {
  public:
    explicit Update(OpencodeReply *update) noexcept : reply_(update) {}

    OpencodeUpdateType type() const noexcept { return opencode_update_type(reply_.get()); }
    bool is_text() const noexcept { return type() == OPENCODE_UPDATE_TYPE_TEXT; }
    std::string_view text() const noexcept { return detail::view(opencode_update_text(reply_.get())); }
    bool replaces() const noexcept { return opencode_update_replaces(reply_.get()) != 0; }
    /// Of a permission, a question or a call of a tool.
    std::string_view id() const noexcept { return detail::view(opencode_update_id(reply_.get())); }
    /// All of it.
    const Reply &reply() const noexcept { return reply_; }

  private:
    Reply reply_;
};

/// One prompt on its way to its reply. `for (const Update &update : run)` waits for each.
class Run {
  public:
    explicit Run(OpencodeRun *run) noexcept : run_(run) {}
    OpencodeRun *get() const noexcept { return run_.get(); }

    /// The next update, or none within this time. With 0 for ticks.
    std::optional<Update> next(std::int64_t timeout_ms = 0) const {
        OpencodeReply *update = nullptr;
        opencode_run_poll(get(), timeout_ms, &update);
        return update ? std::optional<Update>(Update(update)) : std::nullopt;
    }
    /// The next piece of the text alone, or none within this time; fails as the run did, after its text.
    Result<std::optional<Reply>> next_text(std::int64_t timeout_ms = 0) const {
        OpencodeRunState state;
        return next_text(state, timeout_ms);
    }
    /// The same, with the state that tells whether more can come.
    Result<std::optional<Reply>> next_text(OpencodeRunState &state, std::int64_t timeout_ms = 0) const {
        return detail::next(
            [&](OpencodeReply **update) { return opencode_run_next_text(get(), timeout_ms, &state, update); });
    }
    OpencodeRunState state() const noexcept { return opencode_run_state(get()); }
    /// The reply; fails with TIMEOUT when the run is not over, and it goes on.
    Result<Reply> wait(std::int64_t timeout_ms = forever) const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_run_wait(get(), timeout_ms, reply); });
    }
    /// 0 only asks for it.
    Result<void> cancel(std::int64_t timeout_ms = 0) const {
        return detail::done([&](OpencodeReply **error) { return opencode_run_cancel(get(), timeout_ms, error); });
    }
    Result<Reply> info() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_run_info(get(), reply); });
    }
    /// "once", "always" or "reject".
    Result<void> reply_permission(std::string_view id, std::string_view answer, std::string_view message = {}) const {
        const std::string text(message);
        return detail::done([&](OpencodeReply **error) {
            return opencode_run_reply_permission(get(), std::string(id).c_str(), std::string(answer).c_str(),
                                                 message.empty() ? nullptr : text.c_str(), error);
        });
    }
    /// [["A"],["X","Y"]]; nothing dismisses it.
    Result<void> reply_question(std::string_view id, const Options &answers = {}) const {
        return detail::done([&](OpencodeReply **error) {
            return opencode_run_reply_question(get(), std::string(id).c_str(), answers.c_str(), error);
        });
    }
    Result<Reply> detach(std::int64_t timeout_ms = forever) const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_run_detach(get(), timeout_ms, reply); });
    }

    struct End {};
    class Iterator {
      public:
        explicit Iterator(const Run &run) : run_(run), update_(run.next(forever)) {}
        const Update &operator*() const noexcept { return *update_; }
        const Update *operator->() const noexcept { return &*update_; }
        Iterator &operator++() {
            update_ = run_.next(forever);
            return *this;
        }
        bool operator!=(End) const noexcept { return update_.has_value(); }

      private:
        const Run &run_;
        std::optional<Update> update_;
    };
    Iterator begin() const { return Iterator(*this); }
    End end() const noexcept { return {}; }

  private:
    detail::Owner<OpencodeRun, opencode_run_free> run_;
};

/// An operation in the background.
class Call {
  public:
    explicit Call(OpencodeCall *call) noexcept : call_(call) {}
    OpencodeCall *get() const noexcept { return call_.get(); }

    /// The answer, or none while it is not there. Never blocks.
    Result<std::optional<Reply>> poll() const {
        return detail::next([&](OpencodeReply **reply) { return opencode_call_poll(get(), reply); });
    }
    Result<Reply> wait(std::int64_t timeout_ms = forever) const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_call_wait(get(), timeout_ms, reply); });
    }
    Result<void> cancel() const {
        return detail::done([&](OpencodeReply **error) { return opencode_call_cancel(get(), error); });
    }

  private:
    detail::Owner<OpencodeCall, opencode_call_free> call_;
};

/// What happens on the server.
class Events {
  public:
    explicit Events(OpencodeEvents *events) noexcept : events_(events) {}
    OpencodeEvents *get() const noexcept { return events_.get(); }

    Result<std::optional<Reply>> next(std::int64_t timeout_ms = 0) const {
        return detail::next([&](OpencodeReply **event) { return opencode_events_next(get(), timeout_ms, event); });
    }
    Result<void> close() const {
        return detail::done([&](OpencodeReply **error) { return opencode_events_close(get(), error); });
    }

  private:
    detail::Owner<OpencodeEvents, opencode_events_free> events_;
};

/// A long list, page by page.
class Pages {
  public:
    explicit Pages(OpencodePages *pages) noexcept : pages_(pages) {}
    OpencodePages *get() const noexcept { return pages_.get(); }

    /// None at the end. Blocks when a page has to be fetched.
    Result<std::optional<Reply>> next() const {
        return detail::next([&](OpencodeReply **item) { return opencode_pages_next(get(), item); });
    }
    /// None when none came in time, and at the end: then is_end is true. With 0 for ticks.
    Result<std::optional<Reply>> poll(bool &is_end, std::int64_t timeout_ms = 0) const {
        std::int32_t end = 0;
        auto found = detail::next(
            [&](OpencodeReply **item) { return opencode_pages_poll(get(), timeout_ms, &end, item); });
        is_end = end != 0;
        return found;
    }
    bool is_complete() const noexcept { return opencode_pages_is_complete(get()) != 0; }

  private:
    detail::Owner<OpencodePages, opencode_pages_free> pages_;
};

/// A program in a terminal on the server's machine.
class Pty {
  public:
    explicit Pty(OpencodePty *pty) noexcept : pty_(pty) {}
    OpencodePty *get() const noexcept { return pty_.get(); }

    std::string_view id() const noexcept { return detail::view(opencode_pty_id(get())); }
    Result<std::optional<Reply>> read(std::int64_t timeout_ms = 0) const {
        return detail::next([&](OpencodeReply **output) { return opencode_pty_read(get(), timeout_ms, output); });
    }
    Result<void> write(std::string_view text) const {
        return detail::done(
            [&](OpencodeReply **error) { return opencode_pty_write(get(), std::string(text).c_str(), error); });
    }
    Result<void> resize(std::int32_t columns, std::int32_t rows) const {
        return detail::done([&](OpencodeReply **error) { return opencode_pty_resize(get(), columns, rows, error); });
    }
    Result<void> kill() const {
        return detail::done([&](OpencodeReply **error) { return opencode_pty_kill(get(), error); });
    }
    Result<Call> start_kill() const {
        return detail::handle<Call, OpencodeCall>(
            [&](OpencodeCall **call, OpencodeReply **error) { return opencode_pty_kill_start(get(), call, error); });
    }
    /// What Client::start_pty() has made: once, and none before.
    static Result<std::optional<Pty>> take(const Call &call) {
        OpencodePty *pty = nullptr;
        OpencodeReply *error = nullptr;
        const OpencodeStatus status = opencode_call_pty(call.get(), &pty, &error);
        if (status != OPENCODE_STATUS_OK)
            return Error(status, error);
        return pty ? std::optional<Pty>(Pty(pty)) : std::optional<Pty>();
    }

  private:
    detail::Owner<OpencodePty, opencode_pty_free> pty_;
};

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
    /// Sends a prompt and returns at once.
    Result<Run> run(std::string_view prompt, const Options &options = {}) const {
        return detail::handle<Run, OpencodeRun>([&](OpencodeRun **run, OpencodeReply **error) {
            return opencode_run_text(get(), std::string(prompt).c_str(), options.c_str(), run, error);
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
    Result<std::int64_t> fd() const {
        std::int64_t fd = -1;
        auto got = detail::done([&](OpencodeReply **error) { return opencode_client_fd(get(), &fd, error); });
        return got ? Result<std::int64_t>(fd) : Result<std::int64_t>(got.error());
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

/// A server that this program starts, and that ends with it.
class Server {
  public:
    explicit Server(OpencodeServer *server) noexcept : server_(server) {}
    /// Blocks until it answers.
    static Result<Server> start(const Options &options = {}) {
        return detail::handle<Server, OpencodeServer>([&](OpencodeServer **server, OpencodeReply **error) {
            return opencode_server_start(options.c_str(), server, error);
        });
    }
    /// Returns at once.
    static Result<Server> launch(const Options &options = {}) {
        return detail::handle<Server, OpencodeServer>([&](OpencodeServer **server, OpencodeReply **error) {
            return opencode_server_launch(options.c_str(), server, error);
        });
    }
    OpencodeServer *get() const noexcept { return server_.get(); }

    OpencodeServerState poll() const noexcept { return opencode_server_poll(get()); }
    OpencodeServerState wait(std::int64_t timeout_ms = forever) const noexcept {
        return opencode_server_wait(get(), timeout_ms);
    }
    Result<Client> client(const Options &options = {}) const {
        return detail::handle<Client, OpencodeClient>([&](OpencodeClient **client, OpencodeReply **error) {
            return opencode_server_client_with(get(), options.c_str(), client, error);
        });
    }
    Result<void> close() const {
        return detail::done([&](OpencodeReply **error) { return opencode_server_close(get(), error); });
    }
    Result<Call> start_close() const {
        return detail::handle<Call, OpencodeCall>([&](OpencodeCall **call, OpencodeReply **error) {
            return opencode_server_close_start(get(), call, error);
        });
    }
    Result<std::int64_t> fd() const {
        std::int64_t fd = -1;
        auto got = detail::done([&](OpencodeReply **error) { return opencode_server_fd(get(), &fd, error); });
        return got ? Result<std::int64_t>(fd) : Result<std::int64_t>(got.error());
    }

  private:
    detail::Owner<OpencodeServer, opencode_server_free> server_;
};

} // namespace opencode

#endif // OPENCODE_HPP
