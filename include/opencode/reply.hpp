// libopencode for C++17: what comes out of a call. Included by opencode.hpp.

#ifndef OPENCODE_REPLY_HPP
#define OPENCODE_REPLY_HPP

#include "../opencode.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace opencode {

/// As a time: without an end.
inline constexpr std::int64_t forever = -1;

namespace detail {

template <typename Handle, void (*Free)(Handle *)>
struct Deleter {
    void operator()(Handle *handle) const noexcept { Free(handle); }
};

template <typename Handle, void (*Free)(Handle *)>
using Owner = std::unique_ptr<Handle, Deleter<Handle, Free>>;

inline std::string_view view(const char *text) noexcept { return text ? std::string_view(text) : std::string_view(); }

/// The end of a range whose length nobody knows before.
struct End {};

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
    /// "string", "null" and so on; empty for what is not there.
    std::string_view type(std::string_view pointer = "") const {
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
    Items items(std::string_view pointer = "") const &;
    /// The same of a reply that nobody else keeps: `for (const Reply &session : client.call("session.list").value().items())`.
    Items items(std::string_view pointer = "") &&;

  private:
    detail::Owner<OpencodeReply, opencode_reply_free> reply_;
};

class Reply::Items {
  public:
    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Reply;
        using difference_type = std::ptrdiff_t;
        using pointer = const Reply *;
        using reference = const Reply &;

        explicit Iterator(const Items &items) : items_(&items), item_(items.at(0)) {}
        const Reply &operator*() const noexcept { return item_; }
        const Reply *operator->() const noexcept { return &item_; }
        Iterator &operator++() {
            item_ = items_->at(++index_);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator &at, detail::End) noexcept { return !at.item_; }
        friend bool operator!=(const Iterator &at, detail::End) noexcept { return static_cast<bool>(at.item_); }

      private:
        const Items *items_;
        std::size_t index_ = 0;
        Reply item_;
    };

    Items(const Reply &reply, std::string_view pointer) : borrowed_(&reply), pointer_(pointer) {}
    Items(Reply &&reply, std::string_view pointer) : kept_(std::move(reply)), pointer_(pointer) {}
    Iterator begin() const { return Iterator(*this); }
    detail::End end() const noexcept { return {}; }

  private:
    Reply at(std::size_t index) const { return (borrowed_ ? *borrowed_ : kept_).item(pointer_, index); }

    const Reply *borrowed_ = nullptr;
    Reply kept_;
    std::string pointer_;
};

inline Reply::Items Reply::items(std::string_view pointer) const & { return Items(*this, pointer); }
inline Reply::Items Reply::items(std::string_view pointer) && { return Items(std::move(*this), pointer); }

} // namespace opencode

#endif // OPENCODE_REPLY_HPP
