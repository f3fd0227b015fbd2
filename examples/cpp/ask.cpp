// Sends a prompt and shows the answer as it comes: `ask PROMPT`.

#include <opencode.hpp>

#include <iostream>

int main(int count, char **words) {
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
    for (const opencode::Update &update : *run) {
        if (update.is_text())
            std::cout << update.text() << std::flush;
        else if (update.type() == OPENCODE_UPDATE_TYPE_DONE)
            std::cout << "\n[" << update.reply().integer("/reply/tokens/total") << " tokens]\n";
        else if (update.type() == OPENCODE_UPDATE_TYPE_FAILED)
            std::cerr << update.text() << '\n';
    }
    return run->state() != OPENCODE_RUN_STATE_DONE;
}
