// The agent asks before it does something, and you decide: `permissions PROMPT`.

#include <opencode.hpp>

#include <iostream>
#include <string>

int main(int count, char **words) {
    auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    auto run = client->run(count > 1 ? words[1] : "List the files here", opencode::Json().text("permission", "ask"));
    if (!run) {
        std::cerr << run.error().what() << '\n';
        return 1;
    }
    for (const opencode::Update &update : *run) {
        if (update.is_text()) {
            std::cout << update.text() << std::flush;
        } else if (update.type() == OPENCODE_UPDATE_TYPE_PERMISSION) {
            std::string answer;
            std::cout << "Allow it? " << update.reply().json() << " [y/n] " << std::flush;
            std::getline(std::cin, answer);
            if (auto done = run->reply_permission(update.id(), answer == "y" ? "once" : "reject"); !done)
                std::cerr << done.error().what() << '\n';
        }
    }
    std::cout << '\n';
    return run->state() != OPENCODE_RUN_STATE_DONE;
}
