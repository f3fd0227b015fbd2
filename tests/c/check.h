/* What the tests in C say: a line per test, and how many passed. */

#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int passed, failed;
static const char *current;

/* Ends a test that is not as it should be. */
#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            printf("FAILED %s: line %d: %s\n", current, __LINE__, #condition);               \
            failed++;                                                                        \
            return;                                                                          \
        }                                                                                    \
    } while (0)

/* Flushed at once: a test may fork, and a copy must not print it again. */
#define RUN(test) (current = #test, test(), printf("%s\n", #test), fflush(stdout))

#endif
