// A game that goes on while the agent works: the tick polls, and never waits. At the end it says how long the ticks were.
// `poll_in_tick PROMPT`

#include <opencode.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

/// Ticks below 10 us, 100 us, 1 ms, 10 ms, and all longer ones.
class Histogram {
  public:
    void add(Clock::duration took) {
        const auto bucket = std::upper_bound(bounds.begin(), bounds.end(), took) - bounds.begin();
        counts_[static_cast<std::size_t>(bucket)]++;
        ticks_++;
        slowest_ = std::max(slowest_, took);
    }
    void print() const {
        std::cout << "\n[" << ticks_ << " ticks, the slowest poll took "
                  << std::chrono::duration_cast<microseconds>(slowest_).count() << " us]\n[below 10 us: " << counts_[0]
                  << ", 100 us: " << counts_[1] << ", 1 ms: " << counts_[2] << ", 10 ms: " << counts_[3]
                  << ", longer: " << counts_[4] << "]\n";
    }

  private:
    static constexpr std::array<Clock::duration, 4> bounds{microseconds(10), microseconds(100), microseconds(1000),
                                                           microseconds(10000)};
    std::array<long, 5> counts_{};
    long ticks_ = 0;
    Clock::duration slowest_{};
};

/// Takes what is new.
void tick(const opencode::Run &run, OpencodeRunState &state) {
    while (auto update = run.next(state)) {
        if (update->is_text())
            std::cout << update->text() << std::flush;
        else if (update->type() == OPENCODE_UPDATE_TYPE_FAILED)
            std::cerr << update->text() << '\n';
    }
}

} // namespace

int main(int count, char **words) {
    const auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    const auto run = client->run(count > 1 ? words[1] : "Say pong");
    if (!run) {
        std::cerr << run.error().what() << '\n';
        return 1;
    }
    Histogram histogram;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    while (state != OPENCODE_RUN_STATE_DONE && state != OPENCODE_RUN_STATE_FAILED) {
        std::this_thread::sleep_for(std::chrono::milliseconds(16)); // Draws a frame.
        const auto began = Clock::now();
        tick(*run, state);
        histogram.add(Clock::now() - began);
    }
    histogram.print();
    return state != OPENCODE_RUN_STATE_DONE;
}
