/* What opencode_client_close() does to all that blocks in other threads, and to what is called afterwards. The server
 * takes every connection and says nothing. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "silent.h"

#include <opencode.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK
#define CLOSED OPENCODE_STATUS_CLOSED

static OpencodeClient *client;
static OpencodeRun *run;
static OpencodeCall *call;
static OpencodeEvents *events;
static OpencodePages *messages, *sessions;
static OpencodePty *pty;
static OpencodeTuiControl *control, *answering;

typedef OpencodeStatus Wait(OpencodeReply **reply);

static OpencodeStatus wait_call(OpencodeReply **reply) { return opencode_call(client, "session.list", NULL, reply); }
static OpencodeStatus wait_with(OpencodeReply **reply) {
    return opencode_call_with(client, "session.list", NULL, "{\"timeout_ms\":60000}", reply);
}
static OpencodeStatus wait_slow(OpencodeReply **reply) { return opencode_call(client, "tui.control.next", NULL, reply); }
static OpencodeStatus wait_request(OpencodeReply **reply) { return opencode_request(client, "GET", "/x", NULL, reply); }
static OpencodeStatus wait_ask(OpencodeReply **reply) { return opencode_ask(client, "{\"prompt\":\"x\"}", reply); }
static OpencodeStatus wait_drift(OpencodeReply **reply) { return opencode_drift(client, reply); }
static OpencodeStatus wait_doctor(OpencodeReply **reply) { return opencode_doctor(client, reply); }
static OpencodeStatus wait_usage(OpencodeReply **reply) { return opencode_usage(client, "ses_1", NULL, reply); }
static OpencodeStatus wait_tui_prompt(OpencodeReply **reply) { return opencode_tui_prompt(client, "x", reply); }
static OpencodeStatus wait_pty_open(OpencodeReply **reply) {
    OpencodePty *made = NULL;
    return opencode_pty_open(client, NULL, &made, reply);
}
static OpencodeStatus wait_run(OpencodeReply **reply) { return opencode_run_wait(run, -1, reply); }
static OpencodeStatus wait_detach(OpencodeReply **reply) { return opencode_run_detach(run, -1, reply); }
static OpencodeStatus wait_for_call(OpencodeReply **reply) { return opencode_call_wait(call, -1, reply); }
static OpencodeStatus wait_event(OpencodeReply **reply) {
    OpencodeStatus status;
    while ((status = opencode_events_next(events, -1, reply)) == OK)
        opencode_reply_free(*reply);
    return status;
}
static OpencodeStatus wait_message(OpencodeReply **reply) { return opencode_pages_next(messages, reply); }
static OpencodeStatus wait_session(OpencodeReply **reply) { return opencode_pages_next(sessions, reply); }
static OpencodeStatus wait_output(OpencodeReply **reply) { return opencode_pty_read(pty, -1, reply); }
static OpencodeStatus wait_kill(OpencodeReply **reply) { return opencode_pty_kill(pty, reply); }
static OpencodeStatus wait_control(OpencodeReply **reply) { return opencode_tui_control_poll(control, -1, reply); }
static OpencodeStatus wait_respond(OpencodeReply **reply) {
    return opencode_tui_control_respond(answering, "{}", reply);
}
/* The last update is why the run failed. */
static OpencodeStatus wait_update(OpencodeReply **reply) {
    OpencodeStatus status;
    while ((status = opencode_run_poll(run, -1, reply)) == OK && *reply)
        opencode_reply_free(*reply);
    return status == OK ? opencode_run_wait(run, 0, reply) : status;
}

static struct {
    const char *name;
    Wait *wait;
    OpencodeStatus status;
    pthread_t thread;
} all[] = {
    {"call", wait_call, OK, 0},         {"call_with", wait_with, OK, 0},     {"call (slow)", wait_slow, OK, 0},
    {"request", wait_request, OK, 0},   {"ask", wait_ask, OK, 0},            {"drift", wait_drift, OK, 0},
    {"doctor", wait_doctor, OK, 0},     {"usage", wait_usage, OK, 0},        {"tui_prompt", wait_tui_prompt, OK, 0},
    {"pty_open", wait_pty_open, OK, 0}, {"run_wait", wait_run, OK, 0},       {"run_detach", wait_detach, OK, 0},
    {"run_poll", wait_update, OK, 0},   {"call_wait", wait_for_call, OK, 0}, {"events_next", wait_event, OK, 0},
    {"messages", wait_message, OK, 0},  {"sessions", wait_session, OK, 0},   {"pty_read", wait_output, OK, 0},
    {"pty_kill", wait_kill, OK, 0},     {"tui_control_poll", wait_control, OK, 0},
    {"tui_control_respond", wait_respond, OK, 0},
};
enum { COUNT = sizeof all / sizeof *all };

static void *work(void *data) {
    size_t i = *(size_t *)data;
    OpencodeReply *reply = NULL;
    all[i].status = all[i].wait(&reply);
    opencode_reply_free(reply);
    return NULL;
}

static void open_all(void) {
    CHECK(opencode_run_text(client, "x", NULL, &run, NULL) == OK);
    CHECK(opencode_call_start(client, "session.list", NULL, NULL, &call, NULL) == OK);
    CHECK(opencode_events_open(client, NULL, &events, NULL) == OK);
    CHECK(opencode_messages_open(client, "ses_1", NULL, &messages, NULL) == OK);
    CHECK(opencode_sessions_open(client, NULL, &sessions, NULL) == OK);
    CHECK(opencode_pty_connect(client, "pty_1", NULL, &pty, NULL) == OK);
    CHECK(opencode_tui_control_open(client, &control, NULL) == OK);
    CHECK(opencode_tui_control_open(client, &answering, NULL) == OK);
    passed++;
}

static void a_close_ends_all_that_blocks_in_other_threads(void) {
    const struct timespec pause = {0, 500000000};
    static size_t numbers[COUNT];
    time_t began;
    size_t i, wrong = 0;
    for (i = 0; i < COUNT; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&all[i].thread, NULL, work, &numbers[i]) == 0);
    }
    nanosleep(&pause, NULL);
    began = time(NULL);
    /* Two prompts cannot be sent, and the close says so. */
    CHECK(opencode_client_close(client, NULL) == OPENCODE_STATUS_TIMEOUT);
    for (i = 0; i < COUNT; i++) {
        CHECK(pthread_join(all[i].thread, NULL) == 0);
        if (all[i].status != CLOSED) {
            printf("%s ended with %d\n", all[i].name, (int)all[i].status);
            wrong++;
        }
    }
    CHECK(wrong == 0);
    /* Most of them would take 15 or 60 seconds, and some for ever. */
    CHECK(time(NULL) - began < 8);
    passed++;
}

static void nothing_begins_after_a_close(void) {
    OpencodeRun *new_run = NULL;
    OpencodeCall *new_call = NULL;
    OpencodeEvents *new_events = NULL;
    OpencodePages *pages = NULL;
    OpencodePty *terminal = NULL;
    OpencodeTuiControl *new_control = NULL;
    OpencodeReply *reply = NULL;
    size_t i;
    for (i = 0; i < COUNT; i++) {
        OpencodeStatus status = all[i].wait(&reply);
        /* A list is at its end after a failure. */
        int is_end = status == OK && (all[i].wait == wait_message || all[i].wait == wait_session);
        if (status != CLOSED && !is_end)
            printf("%s gave %d\n", all[i].name, (int)status);
        opencode_reply_free(reply);
        CHECK(status == CLOSED || is_end);
    }
    CHECK(opencode_run_start(client, "{\"prompt\":\"x\"}", &new_run, NULL) == CLOSED && !new_run);
    CHECK(opencode_run_text(client, "x", NULL, &new_run, NULL) == CLOSED && !new_run);
    CHECK(opencode_run_resume(client, "ses_1", "msg_1", NULL, &new_run, NULL) == CLOSED && !new_run);
    CHECK(opencode_call_start(client, "global.health", NULL, NULL, &new_call, NULL) == CLOSED && !new_call);
    CHECK(opencode_events_open(client, NULL, &new_events, NULL) == CLOSED && !new_events);
    CHECK(opencode_messages_open(client, "ses_1", NULL, &pages, NULL) == CLOSED && !pages);
    CHECK(opencode_sessions_open(client, NULL, &pages, NULL) == CLOSED && !pages);
    CHECK(opencode_pty_connect(client, "pty_1", NULL, &terminal, NULL) == CLOSED && !terminal);
    CHECK(opencode_tui_control_open(client, &new_control, NULL) == CLOSED && !new_control);
    CHECK(opencode_pty_write(pty, "x", NULL) == CLOSED && opencode_pty_resize(pty, 80, 20, NULL) == CLOSED);
    CHECK(opencode_events_next(events, 0, &reply) == CLOSED);
    opencode_reply_free(reply);
    CHECK(opencode_call_poll(call, NULL) == CLOSED);
    CHECK(opencode_run_state(run) == OPENCODE_RUN_STATE_FAILED);
    CHECK(opencode_client_close(client, NULL) == OK);
    passed++;
}

int main(void) {
    client = silent();
    if (!client)
        return 1;
    RUN(open_all);
    RUN(a_close_ends_all_that_blocks_in_other_threads);
    RUN(nothing_begins_after_a_close);
    opencode_run_free(run);
    opencode_call_free(call);
    opencode_events_free(events);
    opencode_pages_free(messages);
    opencode_pages_free(sessions);
    opencode_pty_free(pty);
    opencode_tui_control_free(control);
    opencode_tui_control_free(answering);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
