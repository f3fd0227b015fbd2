// Types a command into a shell on the server's machine and shows the screen: `pty COMMAND`.
// Ends with the exit code of the command.

#include <opencode.hpp>

#include <iostream>
#include <string>

int main(int count, char **words) {
    auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    opencode::Json options;
    options.text("command", "sh");
    auto pty = client->pty(options);
    if (!pty) {
        std::cerr << pty.error().what() << '\n';
        return 1;
    }
    auto typed = pty->write(std::string(count > 1 ? words[1] : "echo $((6 * 7))") + "; exit\n");
    if (!typed) {
        std::cerr << typed.error().what() << '\n';
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
