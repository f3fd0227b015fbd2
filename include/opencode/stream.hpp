// libopencode for C++17: what comes one by one, from the server. Included by opencode.hpp.

#ifndef OPENCODE_STREAM_HPP
#define OPENCODE_STREAM_HPP

#include "result.hpp"

namespace opencode {

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

/// A long list, page by page; or an export, piece by piece.
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

/// The requests of a terminal interface that is controlled by programs.
class TuiControl {
  public:
    explicit TuiControl(OpencodeTuiControl *control) noexcept : control_(control) {}
    OpencodeTuiControl *get() const noexcept { return control_.get(); }

    /// {"path":...,"body":...}, or none within this time.
    Result<std::optional<Reply>> poll(std::int64_t timeout_ms = 0) const {
        return detail::next(
            [&](OpencodeReply **request) { return opencode_tui_control_poll(get(), timeout_ms, request); });
    }
    /// Answers the last request with any JSON. Blocks for one request.
    Result<void> respond(std::string_view json) const {
        return detail::done([&](OpencodeReply **error) {
            return opencode_tui_control_respond(get(), std::string(json).c_str(), error);
        });
    }

  private:
    detail::Owner<OpencodeTuiControl, opencode_tui_control_free> control_;
};

} // namespace opencode

#endif // OPENCODE_STREAM_HPP
