// libopencode for C++17: an operation in the background. Included by opencode.hpp.

#ifndef OPENCODE_CALL_HPP
#define OPENCODE_CALL_HPP

#include "result.hpp"

namespace opencode {

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

} // namespace opencode

#endif // OPENCODE_CALL_HPP
