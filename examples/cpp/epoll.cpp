// A program with an event loop: it sleeps until one of its prompts has something new, and wakes for nothing else. One descriptor
// covers them all. Linux only. `epoll PROMPT...`

#include <opencode.hpp>

#include <cstdio>
#include <iostream>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

struct Asked {
    opencode::Run run;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;

    bool is_over() const { return state == OPENCODE_RUN_STATE_DONE || state == OPENCODE_RUN_STATE_FAILED; }
};

struct Loop {
    int fd = epoll_create1(EPOLL_CLOEXEC);

    Loop() = default;
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;
    ~Loop() { close(fd); }

    bool watch(std::int64_t descriptor) const {
        epoll_event event{};
        event.events = EPOLLIN;
        return epoll_ctl(fd, EPOLL_CTL_ADD, static_cast<int>(descriptor), &event) == 0;
    }
    bool sleep() const {
        epoll_event event{};
        return epoll_wait(fd, &event, 1, -1) == 1;
    }
};

/// Takes all that is there: the descriptor is readable until nothing is left.
void take(Asked &asked, std::size_t number) {
    while (auto update = asked.run.next(asked.state)) {
        if (update->type() == OPENCODE_UPDATE_TYPE_DONE)
            std::cout << number << ": " << update->text() << std::endl;
        else if (update->type() == OPENCODE_UPDATE_TYPE_FAILED)
            std::cerr << number << ": " << update->text() << '\n';
    }
}

/// Until all are over; how often something woke it.
long serve(const Loop &loop, std::vector<Asked> &all) {
    long woken = 0;
    for (std::size_t left = all.size(); left > 0 && loop.sleep(); woken++) {
        for (std::size_t i = 0; i < all.size(); i++) {
            if (all[i].is_over())
                continue;
            take(all[i], i + 1);
            left -= all[i].is_over();
        }
    }
    return woken;
}

int complain(const opencode::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}

} // namespace

int main(int count, char **words) {
    if (count < 2) {
        std::cerr << "usage: epoll PROMPT...\n";
        return 2;
    }
    const auto client = opencode::Client::make();
    if (!client)
        return complain(client.error());
    const Loop loop;
    const auto fd = client->fd();
    if (!fd)
        return complain(fd.error());
    if (!loop.watch(*fd)) {
        std::perror("epoll_ctl");
        return 1;
    }
    std::vector<Asked> all;
    for (int i = 1; i < count; i++) {
        auto run = client->run(words[i]);
        if (!run)
            return complain(run.error());
        all.push_back({std::move(*run)});
    }
    const long woken = serve(loop, all);
    std::cout << "[woken " << woken << " times]\n";
    for (const Asked &asked : all)
        if (asked.state != OPENCODE_RUN_STATE_DONE)
            return 1;
    return 0;
}
