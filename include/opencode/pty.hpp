// libopencode for C++17: a terminal on the server's machine. Included by opencode.hpp.

#ifndef OPENCODE_PTY_HPP
#define OPENCODE_PTY_HPP

#include "call.hpp"
#include "result.hpp"

namespace opencode {

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
    /// Leaves it; the program goes on, and Client::connect_pty() comes back to it.
    Result<void> close() const {
        return detail::done([&](OpencodeReply **error) { return opencode_pty_close(get(), error); });
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

} // namespace opencode

#endif // OPENCODE_PTY_HPP
