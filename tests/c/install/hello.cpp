// Uses the library and needs no server.

#include <opencode.hpp>

#include <cstdio>

int main() {
    const auto client = opencode::Client::make("{\"base_url\":\"ftp://x\"}");
    const bool is_fine = !client && client.error().name() == "invalid_argument";
    std::puts(is_fine ? "fine" : "wrong");
    return !is_fine;
}
