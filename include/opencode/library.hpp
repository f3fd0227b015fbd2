// libopencode for C++17: what needs no client. Included by opencode.hpp.

#ifndef OPENCODE_LIBRARY_HPP
#define OPENCODE_LIBRARY_HPP

#include "json.hpp"
#include "result.hpp"

namespace opencode {

/// The version of the library that is loaded; OPENCODE_VERSION is that of the header.
inline std::string_view version() noexcept { return opencode_version(); }

/// Equal to OPENCODE_ABI_VERSION as long as a program that was compiled once runs.
inline std::uint32_t abi_version() noexcept { return opencode_abi_version(); }

/// The servers that answer on this machine and in its network. Blocks; Client::start("discover") does not.
inline Result<Reply> discover(std::int64_t timeout_ms = 2000) {
    return detail::reply([&](OpencodeReply **reply) { return opencode_discover(timeout_ms, reply); });
}

/// A local file as a part of a prompt, for Client::run_parts(). Blocks while it is read; Client::start("attach") does not.
inline Result<Reply> attach(std::string_view path, const Options &options = {}) {
    return detail::reply([&](OpencodeReply **reply) {
        return opencode_attach(std::string(path).c_str(), options.c_str(), reply);
    });
}

/// The same of bytes that are in memory.
inline Result<Reply> attach_bytes(std::string_view name, std::string_view bytes, const Options &options = {}) {
    return detail::reply([&](OpencodeReply **reply) {
        return opencode_attach_bytes(std::string(name).c_str(), reinterpret_cast<const std::uint8_t *>(bytes.data()),
                                     bytes.size(), options.c_str(), reply);
    });
}

} // namespace opencode

#endif // OPENCODE_LIBRARY_HPP
