// libopencode for C++17: a prompt on its way to its reply. Included by opencode.hpp.

#ifndef OPENCODE_RUN_HPP
#define OPENCODE_RUN_HPP

#include "json.hpp"
#include "result.hpp"

#include <cstddef>
#include <iterator>

namespace opencode {

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
        return taken([&](OpencodeReply **update) { return opencode_run_poll(get(), timeout_ms, update); });
    }
    /// The same, with the state of that moment: DONE or FAILED when the last update was taken.
    std::optional<Update> next(OpencodeRunState &state, std::int64_t timeout_ms = 0) const {
        return taken([&](OpencodeReply **update) { return opencode_run_next(get(), timeout_ms, &state, update); });
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
    /// The reply; fails with TIMEOUT when the run is not over, and it goes on. Takes no call of a tool: another thread must.
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

    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Update;
        using difference_type = std::ptrdiff_t;
        using pointer = const Update *;
        using reference = const Update &;

        explicit Iterator(const Run &run) : run_(&run), update_(run.next(forever)) {}
        const Update &operator*() const noexcept { return *update_; }
        const Update *operator->() const noexcept { return &*update_; }
        Iterator &operator++() {
            update_ = run_->next(forever);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator &at, detail::End) noexcept { return !at.update_; }
        friend bool operator!=(const Iterator &at, detail::End) noexcept { return at.update_.has_value(); }

      private:
        const Run *run_;
        std::optional<Update> update_;
    };
    Iterator begin() const { return Iterator(*this); }
    detail::End end() const noexcept { return {}; }

  private:
    /// Only a run that was moved from fails here, and has no updates.
    template <typename Work>
    static std::optional<Update> taken(Work work) {
        auto found = detail::next<Update>(work);
        return found ? std::move(*found) : std::nullopt;
    }

    detail::Owner<OpencodeRun, opencode_run_free> run_;
};

} // namespace opencode

#endif // OPENCODE_RUN_HPP
