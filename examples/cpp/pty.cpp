// A shell on the server's machine: its screen, its exit code. `pty COMMAND`

#include <opencode.hpp>

#include <iostream>

int main(int count, char **words) {
    auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    opencode::Json options;
    options.text("command", "sh").list("args").text("", "-c").text("", count > 1 ? words[1] : "ls").end();
    auto pty = client->pty(options);
    if (!pty) {
        std::cerr << pty.error().what() << '\n';
        return 1;
    }
    for (;;) {
        auto output = pty->read(opencode::forever);
        if (!output || !*output) {
            std::cerr << output.error().what() << '\n';
            return 1;
        }
        if ((*output)->text("/type") == "end") {
            const auto code = (*output)->integer("/exitCode", -1);
            std::cout << "\n[exit code " << code << "]\n";
            return static_cast<int>(code);
        }
        std::cout << (*output)->text("/text").value_or("") << std::flush;
    }
}
