/* A game that goes on while the agent works: the tick polls, and never waits. At the end it says how long the ticks
 * were. `poll_in_tick PROMPT` */

#define _POSIX_C_SOURCE 199309L

#include <opencode.h>
#include <stdio.h>
#include <time.h>

/* Ticks below 10 us, 100 us, 1 ms, 10 ms, and all longer ones. */
static const long bounds[] = {10, 100, 1000, 10000};
static long ticks, slowest, histogram[5];

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void draw_frame(void) {
    struct timespec frame = {0, 16666667};
    nanosleep(&frame, NULL);
}

/* Takes what is new, and gives where the run stands. */
static OpencodeRunState tick(OpencodeRun *run) {
    OpencodeRunState state = OPENCODE_RUN_STATE_FAILED;
    OpencodeReply *update = NULL;
    while (opencode_run_next(run, 0, &state, &update) == OPENCODE_STATUS_OK && update) {
        if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_TEXT)
            fputs(opencode_update_text(update), stdout);
        else if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_FAILED)
            fprintf(stderr, "%s\n", opencode_update_text(update));
        opencode_reply_free(update);
    }
    fflush(stdout);
    return state;
}

static int is_over(OpencodeRunState state) {
    return state == OPENCODE_RUN_STATE_DONE || state == OPENCODE_RUN_STATE_FAILED;
}

static OpencodeRunState measured_tick(OpencodeRun *run) {
    long before = now_us(), took;
    OpencodeRunState state = tick(run);
    size_t bucket = 0;
    took = now_us() - before;
    slowest = took > slowest ? took : slowest;
    while (bucket < 4 && took >= bounds[bucket])
        bucket++;
    histogram[bucket]++;
    ticks++;
    return state;
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *error = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_FAILED;

    if (opencode_client_new(NULL, &client, &error) != OPENCODE_STATUS_OK ||
        opencode_run_text(client, count > 1 ? words[1] : "Say pong", NULL, &run, &error) != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(error));
    } else {
        do {
            draw_frame();
            state = measured_tick(run);
        } while (!is_over(state));
        printf("\n[%ld ticks, the slowest poll took %ld us]\n", ticks, slowest);
        printf("[below 10 us: %ld, 100 us: %ld, 1 ms: %ld, 10 ms: %ld, longer: %ld]\n", histogram[0], histogram[1],
               histogram[2], histogram[3], histogram[4]);
    }
    opencode_reply_free(error);
    opencode_run_free(run);
    opencode_client_free(client);
    return state != OPENCODE_RUN_STATE_DONE;
}
