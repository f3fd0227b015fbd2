// What the tests in C++ share: a line per test, how many passed, and what a failure looks like.

#ifndef CHECK_HPP
#define CHECK_HPP

#include <opencode.hpp>

#include <cstdio>
#include <string_view>

static int passed, failed;
static const char *current;

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            std::printf("FAILED %s: line %d: %s\n", current, __LINE__, #condition);          \
            failed++;                                                                        \
            return;                                                                          \
        }                                                                                    \
    } while (0)
/// Where a test cannot be left.
#define EXPECT(condition) \
    (static_cast<bool>(condition) ? void() : (failed++, void(std::printf("FAILED %s: line %d: %s\n", current, __LINE__, #condition))))
#define RUN(test) (current = #test, test(), std::printf("%s\n", #test))

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

#endif
