// libopencode for C++17: servers that this program starts. Included by opencode.hpp.

#ifndef OPENCODE_SERVER_HPP
#define OPENCODE_SERVER_HPP

#include "client.hpp"

namespace opencode {

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
    /// Its address is `text("")` of the reply.
    Result<Reply> url() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_server_url(get(), reply); });
    }
    /// The variables with which another program finds it, the password included.
    Result<Reply> environment() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_server_environment(get(), reply); });
    }
    /// The end of what it printed is `text("")` of the reply.
    Result<Reply> output() const {
        return detail::reply([&](OpencodeReply **reply) { return opencode_server_output(get(), reply); });
    }
    /// The process while it lives; 0 before it is started and from its end on.
    std::uint32_t pid() const noexcept { return opencode_server_pid(get()); }
    Result<void> close() const {
        return detail::done([&](OpencodeReply **error) { return opencode_server_close(get(), error); });
    }
    Result<Call> start_close() const {
        return detail::handle<Call, OpencodeCall>([&](OpencodeCall **call, OpencodeReply **error) {
            return opencode_server_close_start(get(), call, error);
        });
    }
    Result<std::int64_t> fd() const {
        return detail::descriptor(
            [&](std::int64_t *fd, OpencodeReply **error) { return opencode_server_fd(get(), fd, error); });
    }

  private:
    detail::Owner<OpencodeServer, opencode_server_free> server_;
};

/// A server that plays a recording back, for tests.
class Replay {
  public:
    explicit Replay(OpencodeReplay *replay) noexcept : replay_(replay) {}
    /// Blocks while the file is read.
    static Result<Replay> start(std::string_view path) {
        return detail::handle<Replay, OpencodeReplay>([&](OpencodeReplay **replay, OpencodeReply **error) {
            return opencode_replay_start(std::string(path).c_str(), replay, error);
        });
    }
    OpencodeReplay *get() const noexcept { return replay_.get(); }

    std::string_view url() const noexcept { return detail::view(opencode_replay_url(get())); }
    /// A client of it.
    Result<Client> client() const { return Client::make(Json().text("base_url", url())); }

  private:
    detail::Owner<OpencodeReplay, opencode_replay_free> replay_;
};

} // namespace opencode

#endif // OPENCODE_SERVER_HPP
