/* A game that goes on while the agent works: the tick polls, and never waits. `poll_in_tick PROMPT` */

#define _POSIX_C_SOURCE 199309L

#include <opencode.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static long ticks, slowest;

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void draw_frame(void) {
    struct timespec frame = {0, 16666667};
    nanosleep(&frame, NULL);
}

/* Takes what is new, and returns whether the run is over. */
static int tick(OpencodeRun *run, int *failed) {
    OpencodeReply *update = NULL;
    int over = 0;
    ticks++;
    for (;;) {
        long before = now_us(), took;
        if (opencode_run_poll(run, 0, &update) != OPENCODE_STATUS_OK)
            over = *failed = 1;
        took = now_us() - before;
        slowest = took > slowest ? took : slowest;
        if (!update)
            return over;
        const char *type = opencode_reply_text(update, "/type");
        if (strcmp(type, "text") == 0) {
            fputs(opencode_reply_text(update, "/delta"), stdout);
            fflush(stdout);
        } else if (strcmp(type, "done") == 0) {
            over = 1;
        } else if (strcmp(type, "failed") == 0) {
            fprintf(stderr, "%s\n", opencode_reply_text(update, "/error/message"));
            over = *failed = 1;
        }
        opencode_reply_free(update);
    }
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *error = NULL;
    int failed = 0;

    if (opencode_client_new(NULL, &client, &error) != OPENCODE_STATUS_OK ||
        opencode_run_text(client, count > 1 ? words[1] : "Say pong", NULL, &run, &error) != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(error));
        failed = 1;
    } else {
        do
            draw_frame();
        while (!tick(run, &failed));
        printf("\n[%ld ticks, the slowest poll took %ld us]\n", ticks, slowest);
    }
    opencode_reply_free(error);
    opencode_run_free(run);
    opencode_client_free(client);
    return failed;
}
