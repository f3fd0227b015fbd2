/* What the tests share that try anything: chance that can be repeated, and how long they go on.
 *
 * `PROGRAM [SECONDS [SEED]]`; some seconds and one seed unless given, so that every run of the suite tries the same. */

#ifndef ANY_H
#define ANY_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static double seconds = 4;
static uint64_t seed = 1;

static void take_arguments(int count, char **words) {
    if (count > 1)
        seconds = atof(words[1]);
    if (count > 2)
        seed = strtoull(words[2], NULL, 0);
}

/* A number below `limit`, of a state of its own in each thread. */
static unsigned below(uint64_t *state, unsigned limit) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state >> 33) % limit;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

#endif
