// A game that goes on while the agent works: the tick polls, and never waits. `poll_in_tick PROMPT`

#include <opencode.hpp>

#include <chrono>
#include <iostream>
#include <thread>

int main(int count, char **words) {
    using Clock = std::chrono::steady_clock;
    auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    auto run = client->run(count > 1 ? words[1] : "Say pong");
    if (!run) {
        std::cerr << run.error().what() << '\n';
        return 1;
    }
    long ticks = 0;
    Clock::duration slowest{};
    for (bool is_over = false; !is_over; ticks++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(16)); // Draws a frame.
        const auto began = Clock::now();
        while (auto update = run->next()) {
            if (update->is_text())
                std::cout << update->text() << std::flush;
            if (update->type() == OPENCODE_UPDATE_TYPE_FAILED)
                std::cerr << update->text() << '\n';
            is_over = update->type() == OPENCODE_UPDATE_TYPE_DONE || update->type() == OPENCODE_UPDATE_TYPE_FAILED;
        }
        slowest = std::max(slowest, Clock::now() - began);
    }
    const auto slowest_us = std::chrono::duration_cast<std::chrono::microseconds>(slowest).count();
    std::cout << "\n[" << ticks << " ticks, the slowest poll took " << slowest_us << " us]\n";
    return run->state() != OPENCODE_RUN_STATE_DONE;
}
