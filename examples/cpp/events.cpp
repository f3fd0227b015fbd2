// What happens on the server, as it happens, until a session was created: `events`.

#include <opencode.hpp>

#include <iostream>

int main() {
    auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    auto events = client->events();
    for (;;) {
        auto event = events->next(opencode::forever);
        if (!event || !*event) {
            std::cerr << event.error().what() << '\n';
            return 1;
        }
        const auto type = (*event)->text("/type").value_or("");
        std::cout << type << '\n';
        // From here on nothing is missed.
        if (type == "stream.connected")
            client->call("session.create").value();
        if (type == "session.created")
            return 0;
    }
}
