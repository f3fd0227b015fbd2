// libopencode for C++17: functions of this program that the agent can call. Included by opencode.hpp.

#ifndef OPENCODE_TOOL_HPP
#define OPENCODE_TOOL_HPP

#include "client.hpp"
#include "run.hpp"

#include <exception>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace opencode {

/// What the agent gets of a tool: a text, or JSON, and images behind it; or a failure, which it reads and goes on.
class ToolAnswer {
  public:
    ToolAnswer(std::string text) : text_(std::move(text)) {}
    ToolAnswer(std::string_view text) : text_(text) {}
    ToolAnswer(const char *text) : text_(text ? text : "") {}
    /// Any JSON.
    static ToolAnswer value(const Options &json) { return ToolAnswer("value", json.c_str() ? json.c_str() : "null"); }
    static ToolAnswer failure(std::string_view message) { return ToolAnswer("error", std::string(message)); }

    /// Bytes in base64.
    ToolAnswer &image(std::string_view mime, std::string_view base64) {
        images_.emplace_back(mime, base64);
        return *this;
    }

    /// As opencode_tool_reply() takes it.
    Json json() const {
        Json json;
        if (kind_ == "value")
            json.raw(kind_, text_);
        else
            json.text(kind_, text_);
        if (!images_.empty()) {
            json.list("images");
            for (const auto &[mime, data] : images_)
                json.object().text("mime", mime).text("data", data).end();
            json.end();
        }
        return json;
    }

  private:
    ToolAnswer(const char *kind, std::string text) : kind_(kind), text_(std::move(text)) {}

    std::string kind_ = "text";
    std::string text_;
    std::vector<std::pair<std::string, std::string>> images_;
};

/// A call of a tool: a look at an update of type TOOL_CALL, which must outlive it. Its arguments fit the schema of the tool.
class ToolCall {
  public:
    explicit ToolCall(const Update &update) noexcept : update_(&update) {}

    /// What an answer needs that comes later.
    std::string_view id() const noexcept { return update_->id(); }
    std::string_view name() const { return reply().text("/name").value_or(""); }
    /// Whose call it is; empty where nobody told.
    std::string_view session() const { return reply().text("/sessionID").value_or(""); }
    /// All arguments, as JSON.
    std::string_view arguments() const { return reply().text("/arguments").value_or(""); }
    /// One of them, by JSON pointer.
    std::optional<std::string_view> text(std::string_view pointer) const { return reply().text(inside(pointer)); }
    double number(std::string_view pointer, double otherwise = 0) const {
        return reply().number(inside(pointer), otherwise);
    }
    std::int64_t integer(std::string_view pointer, std::int64_t otherwise = 0) const {
        return reply().integer(inside(pointer), otherwise);
    }
    bool boolean(std::string_view pointer, bool otherwise = false) const {
        return reply().boolean(inside(pointer), otherwise);
    }
    Reply::Items items(std::string_view pointer) const { return reply().items(inside(pointer)); }
    const Reply &reply() const noexcept { return update_->reply(); }

  private:
    static std::string inside(std::string_view pointer) { return "/arguments" + std::string(pointer); }

    const Update *update_;
};

/// Tools with what they do. A handler runs in handle() and poll(), on the thread that calls them, and nowhere else.
class Tools {
  public:
    /// Without an answer the call waits for Client::reply_tool(), from any thread. What a handler throws is a failure.
    using Handler = std::function<std::optional<ToolAnswer>(const ToolCall &)>;

    /// Offers a tool, or replaces the one of this name. The parameters are a JSON schema of type object, or nothing. A call
    /// may wait for its answer for a minute, unless timeout_ms says how long.
    Result<void> add(const Client &client, std::string_view name, std::string_view description, const Options &parameters,
                     Handler handler, std::optional<std::int64_t> timeout_ms = std::nullopt) {
        Json tool;
        tool.text("name", name).text("description", description);
        if (parameters.c_str())
            tool.raw("parameters", parameters.c_str());
        if (timeout_ms)
            tool.integer("timeout_ms", *timeout_ms);
        auto added = client.add_tool(tool);
        if (!added)
            return added;
        // No insert_or_assign: that of libstdc++ has a variable that keeps a plugin from being unloaded.
        if (const auto found = handlers_.find(name); found != handlers_.end())
            found->second = std::move(handler);
        else
            handlers_.emplace(name, std::move(handler));
        return added;
    }

    /// Answers an update that is a call of one of these tools; false for any other.
    bool handle(const Client &client, const Update &update) const {
        if (update.type() != OPENCODE_UPDATE_TYPE_TOOL_CALL)
            return false;
        const ToolCall call(update);
        const auto found = handlers_.find(call.name());
        if (found == handlers_.end())
            return false;
        // The handler may replace its own tool.
        const Handler handler = found->second;
        if (const auto answer = run(handler, call))
            reply(client, call, *answer);
        return true;
    }

    /// Answers the calls that no run has taken, waiting for the first one; tells how many there were. Fails with CLOSED.
    Result<std::size_t> poll(const Client &client, std::int64_t timeout_ms = 0) const {
        std::size_t calls = 0;
        while (true) {
            const auto next = client.next_tool_call(calls ? 0 : timeout_ms);
            if (!next)
                return next.error();
            if (!*next)
                return calls;
            calls++;
            if (!handle(client, **next))
                reply(client, ToolCall(**next), ToolAnswer::failure("nothing answers this tool now"));
        }
    }

  private:
    static std::optional<ToolAnswer> run(const Handler &handler, const ToolCall &call) {
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
        try {
            return handler(call);
        } catch (const std::exception &error) {
            return ToolAnswer::failure(error.what());
        } catch (...) {
            return ToolAnswer::failure("the tool threw what is no std::exception");
        }
#else
        return handler(call);
#endif
    }

    /// The agent reads what is wrong with an answer. One that comes too late is no mistake of anybody.
    static void reply(const Client &client, const ToolCall &call, const ToolAnswer &answer) {
        const auto done = client.reply_tool(call.id(), answer);
        if (done || done.error().status() != OPENCODE_STATUS_INVALID_ARGUMENT)
            return;
        const Json json = answer.json();
        const auto words = json.message().empty() ? done.error().message() : json.message();
        static_cast<void>(client.reply_tool(call.id(), ToolAnswer::failure(words)));
    }

    std::map<std::string, Handler, std::less<>> handlers_;
};

inline Result<void> Client::reply_tool(std::string_view id, const ToolAnswer &answer) const {
    const Options json(answer.json());
    return detail::done([&](OpencodeReply **error) {
        return opencode_tool_reply(get(), std::string(id).c_str(), json.c_str(), error);
    });
}

} // namespace opencode

#endif // OPENCODE_TOOL_HPP
