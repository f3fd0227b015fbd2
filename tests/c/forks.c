/* A copy of the process, made by fork, has none of the library's threads: what was begun before ends there at once with
 * CLOSED, and goes on in the first process. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK
#define CLOSED OPENCODE_STATUS_CLOSED
/* Forks at any moment of the threads, which hold a lock now and then. */
#define COPIES 20

static OpencodeClient *client;
static OpencodeRun *run;
static OpencodeCall *call;
static OpencodeEvents *events;
static OpencodePty *pty;

#define WANT(condition)                                                                      \
    do {                                                                                     \
        if (!(condition))                                                                    \
            return __LINE__ % 200 + 1;                                                       \
    } while (0)

/* What a copy sees: 0, or where it was not as it should be. */
static int in_copy(void) {
    OpencodeReply *reply = NULL;
    OpencodeClient *own = NULL;
    /* Whoever hangs is ended. */
    alarm(30);
    WANT(opencode_run_poll(run, 0, &reply) == OK && strcmp(opencode_reply_text(reply, "/type"), "failed") == 0);
    opencode_reply_free(reply);
    WANT(opencode_run_state(run) == OPENCODE_RUN_STATE_FAILED);
    WANT(opencode_run_poll(run, -1, &reply) == OK && !reply);
    WANT(failed_with(opencode_run_wait(run, -1, &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_run_detach(run, -1, &reply), CLOSED, &reply, "forked"));
    WANT(opencode_run_cancel(run, -1, NULL) == OK);
    WANT(opencode_run_reply_permission(run, "per_1", "once", NULL, NULL) == OK);
    WANT(opencode_run_info(run, &reply) == OK);
    opencode_reply_free(reply);
    WANT(failed_with(opencode_call_poll(call, &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_call_wait(call, -1, &reply), CLOSED, &reply, "forked"));
    WANT(opencode_call_cancel(call, NULL) == OK);
    WANT(failed_with(opencode_events_next(events, 0, &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_events_next(events, -1, &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_pty_read(pty, 0, &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_pty_read(pty, -1, &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_pty_write(pty, "x", &reply), CLOSED, &reply, "forked"));
    WANT(failed_with(opencode_pty_kill(pty, &reply), CLOSED, &reply, "forked"));
    opencode_run_free(run);
    opencode_call_free(call);
    opencode_events_free(events);
    opencode_pty_free(pty);
    WANT(opencode_client_new(NULL, &own, NULL) == OK && opencode_call(own, "global.health", NULL, NULL) == OK);
    opencode_client_free(own);
    return 0;
}

static void what_was_begun_before_a_fork_is_closed_in_the_copy(void) {
    const char *slow = "slow @@[{\"text\":\"a b c d e f\",\"delay_ms\":400}]";
    OpencodeReply *reply = NULL;
    int i;
    CHECK(opencode_run_text(client, slow, NULL, &run, NULL) == OK);
    CHECK(opencode_call_start(client, "tui.control.next", NULL, NULL, &call, NULL) == OK);
    CHECK(opencode_events_open(client, NULL, &events, NULL) == OK);
    CHECK(opencode_pty_open(client, "{\"command\":\"cat\"}", &pty, NULL) == OK);
    for (i = 0; i < COPIES; i++) {
        int status = 0;
        pid_t copy = fork();
        if (copy == 0)
            _exit(in_copy());
        CHECK(copy > 0 && waitpid(copy, &status, 0) == copy);
        if (status != 0)
            printf("copy %d ended with %d, signal %d\n", i, WEXITSTATUS(status), WTERMSIG(status));
        CHECK(status == 0);
    }
    /* Here all goes on. */
    CHECK(opencode_run_wait(run, 60000, &reply) == OK && has(opencode_reply_text(reply, "/text"), "a b c d e f"));
    opencode_reply_free(reply);
    CHECK(opencode_call_poll(call, &reply) == OK && !reply);
    CHECK(opencode_pty_write(pty, "here\n", NULL) == OK);
    CHECK(opencode_pty_read(pty, 30000, &reply) == OK && has(opencode_reply_text(reply, "/text"), "here"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    opencode_call_free(call);
    opencode_events_free(events);
    opencode_pty_free(pty);
    passed++;
}

static volatile int is_over;

static void *work(void *unused) {
    while (!is_over)
        if (opencode_call(client, "global.health", NULL, NULL) != OK)
            return client;
    return unused;
}

/* A copy uses the client that it inherited, with connections and threads of its own. */
static int works_in_copy(void) {
    OpencodeReply *reply = NULL;
    OpencodeCall *own = NULL;
    OpencodeRun *answered = NULL;
    int64_t fd = -1;
    alarm(30);
    WANT(opencode_call(client, "global.health", NULL, NULL) == OK);
    WANT(opencode_client_fd(client, &fd, NULL) == OK && fd >= 0);
    WANT(opencode_call_start(client, "global.health", NULL, NULL, &own, NULL) == OK);
    WANT(opencode_call_wait(own, -1, &reply) == OK && reply);
    opencode_reply_free(reply);
    opencode_call_free(own);
    WANT(opencode_run_text(client, "hello from a copy", NULL, &answered, NULL) == OK);
    /* A close waits a second for a prompt to be sent: on a machine that has much to do that may be too short. */
    WANT(opencode_run_detach(answered, -1, &reply) == OK);
    opencode_reply_free(reply);
    opencode_run_free(answered);
    WANT(opencode_client_close(client, NULL) == OK);
    return 0;
}

static void a_client_works_in_a_copy_whatever_the_threads_of_the_first_process_hold(void) {
    pthread_t threads[4];
    size_t i;
    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (i = 0; i < COPIES; i++) {
        int status = 0;
        pid_t copy = fork();
        if (copy == 0)
            _exit(works_in_copy());
        CHECK(copy > 0 && waitpid(copy, &status, 0) == copy);
        if (status != 0)
            printf("copy %d ended with %d, signal %d\n", (int)i, WEXITSTATUS(status), WTERMSIG(status));
        CHECK(status == 0);
    }
    is_over = 1;
    for (i = 0; i < 4; i++) {
        void *found = client;
        CHECK(pthread_join(threads[i], &found) == 0 && !found);
    }
    passed++;
}

int main(void) {
    if (opencode_client_new(NULL, &client, NULL))
        return 1;
    RUN(what_was_begun_before_a_fork_is_closed_in_the_copy);
    RUN(a_client_works_in_a_copy_whatever_the_threads_of_the_first_process_hold);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
