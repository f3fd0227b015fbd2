/* What the tests in C share: a line per test, how many passed, and what a failure looks like. */

#ifndef CHECK_H
#define CHECK_H

#include <opencode.h>
#include <stdio.h>
#include <string.h>

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

static inline int has(const char *text, const char *part) { return text && strstr(text, part) != NULL; }

/* Whether a call failed with a status and one line that has a part; frees the reply. */
static inline int failed_with(OpencodeStatus got, OpencodeStatus wanted, OpencodeReply **from, const char *part) {
    OpencodeReply *reply = *from;
    const char *message = opencode_reply_message(reply);
    int ok = got == wanted && opencode_reply_status(reply) == wanted && has(message, part) && !strchr(message, '\n');
    if (!ok)
        printf("status %d: %s\n", (int)got, message);
    opencode_reply_free(reply);
    return ok;
}

/* A session is summarized, and not a second time when nothing was said since. */
static inline void summarized_once(const OpencodeClient *client) {
    OpencodeRun *run = NULL;
    OpencodeReply *asked = NULL, *reply = NULL;
    CHECK(opencode_ask(client, "{\"prompt\":\"sum up\"}", &asked) == OPENCODE_STATUS_OK);
    const char *session = opencode_reply_text(asked, "/sessionID");
    CHECK(opencode_compact(client, session, NULL, &run, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_run_wait(run, 60000, &reply) == OPENCODE_STATUS_OK);
    CHECK(has(opencode_reply_text(reply, "/text"), "Objective"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    CHECK(opencode_compact(client, session, "{\"deadline_ms\":60000}", &run, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_run_wait(run, 60000, &reply) == OPENCODE_STATUS_AGENT);
    CHECK(has(opencode_reply_message(reply), "compaction.unavailable"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    opencode_reply_free(asked);
    passed++;
}

#endif
