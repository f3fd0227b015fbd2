/* Polls lose nothing and cost nothing. The server answers at once, so that the end of a run meets its loop at any moment.
 * More rounds with OPENCODE_LOOPS. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OK OPENCODE_STATUS_OK

static OpencodeClient *client;

/* Runs at a time: each takes a while, and most of that is waiting. */
enum { BATCH = 200 };

static void a_loop_of_polls_loses_nothing(void) {
    const char *given = getenv("OPENCODE_LOOPS");
    int round, rounds = (given ? atoi(given) : 1000) / BATCH;
    for (round = 0; round < rounds; round++) {
        OpencodeRun *runs[BATCH];
        OpencodeReply *update = NULL;
        char texts[BATCH][100], last[BATCH][20];
        int i, open = BATCH;
        for (i = 0; i < BATCH; i++) {
            texts[i][0] = last[i][0] = 0;
            CHECK(opencode_run_text(client, "x", NULL, &runs[i], NULL) == OK);
        }
        while (open > 0)
            for (i = 0; i < BATCH; i++) {
                const char *type;
                if (!runs[i])
                    continue;
                CHECK(opencode_run_poll(runs[i], 0, &update) == OK);
                if (!update)
                    continue;
                type = opencode_reply_text(update, "/type");
                if (strcmp(type, "text") == 0)
                    strcat(texts[i], opencode_reply_text(update, "/delta"));
                strcpy(last[i], type);
                opencode_reply_free(update);
                if (strcmp(last[i], "done") && strcmp(last[i], "failed"))
                    continue;
                CHECK(opencode_run_state(runs[i]) == OPENCODE_RUN_STATE_DONE);
                CHECK(opencode_run_poll(runs[i], 0, &update) == OK && !update);
                opencode_run_free(runs[i]);
                runs[i] = NULL;
                open--;
            }
        for (i = 0; i < BATCH; i++)
            CHECK(strcmp(texts[i], "the whole answer") == 0 && strcmp(last[i], "done") == 0);
    }
    passed++;
}

/* The time of this thread that a hundred polls of an answer take. */
static double cost(const char *operation) {
    struct timespec begin, end;
    OpencodeCall *call = NULL;
    OpencodeReply *reply = NULL;
    int i;
    if (opencode_call_start(client, operation, NULL, NULL, &call, NULL) || opencode_call_wait(call, 60000, NULL))
        return -1;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (i = 0; i < 100; i++) {
        if (opencode_call_poll(call, &reply) || opencode_reply_length(reply) < 10)
            return -1;
        opencode_reply_free(reply);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    opencode_call_free(call);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

static void a_poll_costs_the_same_for_any_answer(void) {
    double small = cost("global.health"), large = cost("doc.get");
    CHECK(small > 0 && large > 0);
    /* Eight megabytes a hundred times would take a hundredfold of this. */
    CHECK(large < small * 20 + 0.05);
    passed++;
}

int main(void) {
    char options[200];
    if (!getenv("OPENCODE_SWIFT_URL"))
        return 1;
    sprintf(options, "{\"base_url\":\"%s\",\"events\":false}", getenv("OPENCODE_SWIFT_URL"));
    if (opencode_client_new(options, &client, NULL))
        return 1;
    RUN(a_loop_of_polls_loses_nothing);
    RUN(a_poll_costs_the_same_for_any_answer);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
