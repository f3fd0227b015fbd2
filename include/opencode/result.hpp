// libopencode for C++17: a value, or why there is none. Included by opencode.hpp.

#ifndef OPENCODE_RESULT_HPP
#define OPENCODE_RESULT_HPP

#include "reply.hpp"

#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace opencode {

/// Why something failed.
class Error : public std::exception {
  public:
    // No make_shared: the one of libstdc++ has a variable that keeps a plugin from being unloaded.
    Error(OpencodeStatus status, OpencodeReply *reply) : status_(status), reply_(new Reply(reply)) {}

    OpencodeStatus status() const noexcept { return status_; }
    /// The word for the status: "not_found" and so on.
    std::string_view name() const noexcept { return detail::view(opencode_status_name(status_)); }
    /// One line for people.
    std::string_view message() const noexcept { return what(); }
    const char *what() const noexcept override {
        const char *words = opencode_reply_message(reply_->get());
        return *words ? words : opencode_status_name(status_);
    }
    /// All that is known: "/operation", "/code", "/body" and so on.
    const Reply &reply() const noexcept { return *reply_; }

  private:
    OpencodeStatus status_;
    std::shared_ptr<const Reply> reply_;
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

/// What error() gives where nothing failed. Hidden: a variable that all libraries of a program share would keep a plugin from
/// being unloaded.
#if defined(__GNUC__) && !defined(_WIN32)
__attribute__((visibility("hidden")))
#endif
inline const Error &no_error() {
    static const Error none(OPENCODE_STATUS_OK, nullptr);
    return none;
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
        check();
        return *value_;
    }
    const T &value() const & {
        check();
        return *value_;
    }
    /// By value, so that it lives as long as what it is given to: `for (const Update &update : client.run("Say hello").value())`.
    T value() && {
        check();
        return std::move(*value_);
    }
    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T operator*() && { return std::move(*this).value(); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }
    /// Its status is OK where nothing failed.
    const Error &error() const { return error_ ? *error_ : detail::no_error(); }

  private:
    void check() const {
        if (!value_)
            detail::fail(error());
    }

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
    /// Its status is OK where nothing failed.
    const Error &error() const { return error_ ? *error_ : detail::no_error(); }

  private:
    std::optional<Error> error_;
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
template <typename Made = Reply, typename Work>
Result<std::optional<Made>> next(Work work) {
    OpencodeReply *made = nullptr;
    const OpencodeStatus status = work(&made);
    if (status != OPENCODE_STATUS_OK)
        return Error(status, made);
    return made ? std::optional<Made>(Made(made)) : std::optional<Made>();
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

/// Calls a function that gives a descriptor.
template <typename Work>
Result<std::int64_t> descriptor(Work work) {
    std::int64_t fd = -1;
    OpencodeReply *error = nullptr;
    const OpencodeStatus status = work(&fd, &error);
    if (status != OPENCODE_STATUS_OK)
        return Error(status, error);
    return fd;
}

} // namespace detail

} // namespace opencode

#endif // OPENCODE_RESULT_HPP
