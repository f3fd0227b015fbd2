// libopencode for C++17: options and arguments. Included by opencode.hpp.

#ifndef OPENCODE_JSON_HPP
#define OPENCODE_JSON_HPP

#include "reply.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace opencode {

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

} // namespace opencode

#endif // OPENCODE_JSON_HPP
