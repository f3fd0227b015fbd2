/* What blocks, done without blocking: against the real server, and against one that takes every connection and says
 * nothing. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "silent.h"

#include <opencode.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK

static OpencodeClient *client;

/* Sleeps until the client has something new, a minute at most. */
static int woken(void) {
    struct pollfd watched = {0};
    int64_t fd = -1;
    if (opencode_client_fd(client, &fd, NULL) != OK)
        return 0;
    watched.fd = (int)fd;
    watched.events = POLLIN;
    return poll(&watched, 1, 60000) == 1;
}

/* The result of a call that is only polled; frees the call. */
static OpencodeStatus finish(OpencodeCall *call, OpencodeReply **reply) {
    OpencodeStatus status;
    while ((status = opencode_call_poll(call, reply)) == OK && !*reply)
        if (!woken())
            return OPENCODE_STATUS_INTERNAL;
    opencode_call_free(call);
    return status;
}

/* Whether a call by name gives what a reply has, which it frees. */
static int same(const char *name, const char *arguments, OpencodeReply *wanted) {
    OpencodeCall *call = NULL;
    OpencodeReply *got = NULL;
    int is_same = opencode_call_start(client, name, arguments, NULL, &call, NULL) == OK && finish(call, &got) == OK &&
                  strcmp(opencode_reply_json(got), opencode_reply_json(wanted)) == 0;
    if (!is_same)
        printf("%s: %s, and %s\n", name, opencode_reply_json(got), opencode_reply_json(wanted));
    opencode_reply_free(got);
    opencode_reply_free(wanted);
    return is_same;
}

static void what_is_no_operation_has_a_name_too(void) {
    OpencodeReply *reply = NULL, *session = NULL;
    OpencodeCall *call = NULL;
    char arguments[200];
    FILE *file = fopen("note.txt", "w");
    CHECK(file && fputs("milk\n", file) >= 0 && fclose(file) == 0);
    CHECK(opencode_ask(client, "{\"prompt\":\"x @@[{\\\"text\\\":\\\"y\\\"}]\"}", &session) == OK);
    sprintf(arguments, "{\"sessionID\":\"%.100s\",\"messages\":true}", opencode_reply_text(session, "/sessionID"));
    CHECK(opencode_usage(client, opencode_reply_text(session, "/sessionID"), "{\"messages\":true}", &reply) == OK);
    CHECK(same("usage", arguments, reply));
    CHECK(opencode_client_server(client, &reply) == OK && same("server", NULL, reply));
    CHECK(opencode_drift(client, &reply) == OK && same("drift", "{}", reply));
    CHECK(opencode_attach("note.txt", "{\"lines\":\"1-1\"}", &reply) == OK);
    CHECK(same("attach", "{\"path\":\"note.txt\",\"lines\":\"1-1\"}", reply));
    CHECK(opencode_request(client, "GET", "/session", "{\"query\":{\"limit\":1}}", &reply) == OK);
    CHECK(same("request", "{\"method\":\"get\",\"path\":\"/session\",\"query\":{\"limit\":1}}", reply));
    CHECK(opencode_tui_prompt(client, "x", &reply) == OK && same("tui_prompt", "{\"text\":\"x\"}", reply));
    /* What these find changes from one moment to the next. */
    CHECK(opencode_call_start(client, "doctor", NULL, NULL, &call, NULL) == OK && finish(call, &reply) == OK);
    CHECK(opencode_reply_bool(reply, "/ok", 0) && opencode_reply_count(reply, "/checks") > 3);
    opencode_reply_free(reply);
    CHECK(opencode_call(client, "discover", "{\"timeout_ms\":500}", &reply) == OK);
    CHECK(has(opencode_reply_json(reply), opencode_version()) || opencode_reply_count(reply, "") > 0);
    opencode_reply_free(reply);
    CHECK(failed_with(opencode_call(client, "usage", NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "sessionID"));
    CHECK(failed_with(opencode_call(client, "doctor", "{\"x\":1}", &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "x"));
    opencode_reply_free(session);
    passed++;
}

static void an_export_comes_in_pieces_and_in_a_file(void) {
    OpencodePages *pages = NULL;
    OpencodeReply *piece = NULL, *reply = NULL;
    OpencodeCall *call = NULL;
    char session[100], text[10000] = "", arguments[300];
    int32_t is_end = 0;
    FILE *file;
    CHECK(opencode_ask(client, "{\"prompt\":\"export @@[{\\\"text\\\":\\\"the end\\\"}]\"}", &reply) == OK);
    strcpy(session, opencode_reply_text(reply, "/sessionID"));
    opencode_reply_free(reply);
    CHECK(opencode_export_open(client, session, "{\"format\":\"markdown\"}", &pages, NULL) == OK);
    while (!is_end) {
        CHECK(opencode_pages_poll(pages, 1000, &is_end, &piece) == OK);
        if (piece)
            strcat(text, opencode_reply_text(piece, ""));
        opencode_reply_free(piece);
    }
    opencode_pages_free(pages);
    CHECK(strncmp(text, "# ", 2) == 0 && strstr(text, "the end\n\n*") != NULL);
    sprintf(arguments, "{\"sessionID\":\"%s\",\"path\":\"export.json\"}", session);
    CHECK(opencode_call_start(client, "export", arguments, NULL, &call, NULL) == OK);
    CHECK(opencode_call_wait(call, 60000, &reply) == OK && strcmp(opencode_reply_text(reply, "/sessions"), "1") == 0);
    opencode_reply_free(reply);
    opencode_call_free(call);
    file = fopen("export.json", "rb");
    CHECK(file != NULL && fread(text, 1, 9, file) == 9 && strncmp(text, "{\"info\":{", 9) == 0);
    fclose(file);
    remove("export.json");
    CHECK(failed_with(opencode_export_to(client, session, "/no/such/folder/x", NULL, &reply), OPENCODE_STATUS_NOT_FOUND, &reply,
                      "cannot be written"));
    CHECK(opencode_usage_of_all(client, "{\"since\":\"2020-01-01\"}", &reply) == OK);
    CHECK(opencode_reply_text(reply, "/days/0/name") != NULL && opencode_reply_text(reply, "/sessions/0/name") != NULL);
    opencode_reply_free(reply);
    passed++;
}

static void pages_come_in_the_background(void) {
    OpencodePages *blocking = NULL, *polled = NULL;
    OpencodeReply *one = NULL, *other = NULL;
    int32_t is_end = 1;
    size_t count = 0, idle = 0;
    int i;
    for (i = 0; i < 5; i++)
        CHECK(opencode_call(client, "session.create", "{\"title\":\"page\"}", NULL) == OK);
    CHECK(opencode_sessions_open(client, "{\"page\":2,\"search\":\"page\"}", &blocking, NULL) == OK);
    CHECK(opencode_sessions_open(client, "{\"page\":2,\"search\":\"page\"}", &polled, NULL) == OK);
    for (;;) {
        CHECK(opencode_pages_poll(polled, 0, &is_end, &other) == OK);
        if (!other && !is_end) {
            idle++;
            CHECK(woken());
            continue;
        }
        CHECK(opencode_pages_next(blocking, &one) == OK && (one != NULL) == (other != NULL) && (other == NULL) == is_end);
        if (is_end)
            break;
        CHECK(strcmp(opencode_reply_text(one, "/id"), opencode_reply_text(other, "/id")) == 0);
        opencode_reply_free(one);
        opencode_reply_free(other);
        count++;
    }
    CHECK(count == 5 && idle >= 3);
    CHECK(opencode_pages_poll(polled, -1, NULL, &other) == OK && !other);
    opencode_pages_free(blocking);
    opencode_pages_free(polled);
    /* Both ways, one after the other. */
    CHECK(opencode_sessions_open(client, "{\"page\":2,\"search\":\"page\"}", &polled, NULL) == OK);
    CHECK(opencode_pages_poll(polled, 0, &is_end, &other) == OK && !other && !is_end);
    for (count = 0; opencode_pages_next(polled, &one) == OK && one; count++)
        opencode_reply_free(one);
    CHECK(count == 5 && opencode_pages_poll(polled, -1, &is_end, &other) == OK && is_end == 1);
    opencode_pages_free(polled);
    CHECK(opencode_messages_open(client, "ses_none", NULL, &polled, NULL) == OK);
    CHECK(failed_with(opencode_pages_poll(polled, -1, &is_end, &other), OPENCODE_STATUS_NOT_FOUND, &other, "ses_none"));
    CHECK(opencode_pages_poll(polled, -1, &is_end, &other) == OK && is_end == 1);
    opencode_pages_free(polled);
    passed++;
}

static void a_terminal_is_made_and_killed_in_the_background(void) {
    OpencodeCall *call = NULL, *other = NULL;
    OpencodePty *pty = NULL, *again = NULL;
    OpencodeReply *reply = NULL;
    CHECK(opencode_pty_open_start(client, "{\"command\":\"cat\"}", &call, NULL) == OK);
    while (!pty) {
        CHECK(opencode_call_pty(call, &pty, NULL) == OK);
        if (!pty)
            CHECK(woken());
    }
    CHECK(opencode_call_pty(call, &again, NULL) == OK && !again);
    CHECK(opencode_call_poll(call, &reply) == OK && reply);
    opencode_reply_free(reply);
    opencode_call_free(call);
    CHECK(has(opencode_pty_id(pty), "pty_") && opencode_pty_write(pty, "hi\n", NULL) == OK);
    CHECK(opencode_pty_read(pty, 60000, &reply) == OK && has(opencode_reply_text(reply, "/text"), "h"));
    opencode_reply_free(reply);
    CHECK(opencode_pty_kill_start(pty, &call, NULL) == OK && finish(call, &reply) == OK);
    opencode_reply_free(reply);
    CHECK(failed_with(opencode_pty_kill(pty, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, "pty"));
    opencode_pty_free(pty);
    /* A call that makes none, and one that fails. */
    CHECK(opencode_call_start(client, "server", NULL, NULL, &other, NULL) == OK);
    CHECK(failed_with(opencode_call_pty(other, &again, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "server"));
    opencode_call_free(other);
    CHECK(opencode_pty_open_start(client, "{\"command\":\"/no/such\"}", &call, NULL) == OK);
    CHECK(opencode_call_wait(call, -1, NULL) == OPENCODE_STATUS_SERVER);
    CHECK(opencode_call_pty(call, &pty, NULL) == OPENCODE_STATUS_SERVER && !pty);
    opencode_call_free(call);
    /* One that nobody takes ends with its call, however far it is. */
    CHECK(opencode_pty_open_start(client, "{\"command\":\"cat\",\"title\":\"nobodys\"}", &call, NULL) == OK);
    CHECK(opencode_call_wait(call, -1, NULL) == OK && opencode_call_cancel(call, NULL) == OK);
    CHECK(opencode_call_pty(call, &pty, NULL) == OK && !pty);
    opencode_call_free(call);
    for (;;) {
        const struct timespec pause = {0, 20000000};
        int is_there;
        CHECK(opencode_call(client, "v2.pty.list", NULL, &reply) == OK);
        is_there = has(opencode_reply_json(reply), "nobodys");
        opencode_reply_free(reply);
        if (!is_there)
            break;
        nanosleep(&pause, NULL);
    }
    passed++;
}

static void nothing_waits_for_a_server_that_is_silent(void) {
    static const char *const names[] = {"usage", "doctor", "server", "drift", "tui_prompt", "request", "tui.control.response"};
    static const char *const arguments[] = {
        "{\"sessionID\":\"ses_1\"}", NULL, NULL, NULL, "{\"text\":\"x\"}", "{\"method\":\"GET\",\"path\":\"/x\"}",
        "{\"body\":{}}"};
    enum { NAMES = sizeof names / sizeof *names, CALLS = NAMES + 2 };
    OpencodeCall *calls[CALLS], *closing = NULL;
    OpencodePages *pages = NULL;
    OpencodePty *pty = NULL;
    OpencodeReply *reply = NULL;
    OpencodeClient *mute = silent();
    int32_t is_end = 1;
    size_t i;
    time_t began = time(NULL);
    CHECK(mute);
    for (i = 0; i < NAMES; i++)
        CHECK(opencode_call_start(mute, names[i], arguments[i], NULL, &calls[i], NULL) == OK);
    CHECK(opencode_pty_open_start(mute, NULL, &calls[NAMES], NULL) == OK);
    CHECK(opencode_pty_connect(mute, "pty_1", NULL, &pty, NULL) == OK);
    CHECK(opencode_pty_kill_start(pty, &calls[NAMES + 1], NULL) == OK);
    CHECK(opencode_sessions_open(mute, NULL, &pages, NULL) == OK);
    for (i = 0; i < 1000; i++)
        CHECK(opencode_pages_poll(pages, 0, &is_end, &reply) == OK && !reply && !is_end);
    for (i = 0; i < CALLS; i++)
        CHECK(opencode_call_poll(calls[i], &reply) == OK && !reply);
    CHECK(opencode_client_close_start(mute, &closing, NULL) == OK);
    CHECK(opencode_call_wait(closing, -1, NULL) == OK);
    opencode_call_free(closing);
    for (i = 0; i < CALLS; i++) {
        CHECK(opencode_call_poll(calls[i], NULL) == OPENCODE_STATUS_CLOSED);
        opencode_call_free(calls[i]);
    }
    CHECK(opencode_pages_poll(pages, -1, &is_end, &reply) == OPENCODE_STATUS_CLOSED);
    opencode_reply_free(reply);
    CHECK(opencode_client_close_start(mute, &closing, NULL) == OK && opencode_call_wait(closing, -1, NULL) == OK);
    opencode_call_free(closing);
    opencode_pages_free(pages);
    opencode_pty_free(pty);
    opencode_client_free(mute);
    /* One of these alone would take five seconds, and most a minute. */
    CHECK(time(NULL) - began < 4);
    passed++;
}

static void a_close_in_the_background_tells_what_was_lost(void) {
    OpencodeClient *lost = NULL;
    OpencodeCall *call = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *reply = NULL;
    CHECK(opencode_client_new("{\"base_url\":\"http://127.0.0.1:9\"}", &lost, NULL) == OK);
    CHECK(opencode_run_text(lost, "x", NULL, &run, NULL) == OK);
    CHECK(opencode_client_close_start(lost, &call, NULL) == OK);
    CHECK(failed_with(opencode_call_wait(call, -1, &reply), OPENCODE_STATUS_TIMEOUT, &reply, "prompt"));
    opencode_call_free(call);
    opencode_run_free(run);
    opencode_client_free(lost);
    passed++;
}

int main(void) {
    if (opencode_client_new(NULL, &client, NULL))
        return 1;
    RUN(what_is_no_operation_has_a_name_too);
    RUN(pages_come_in_the_background);
    RUN(an_export_comes_in_pieces_and_in_a_file);
    RUN(a_terminal_is_made_and_killed_in_the_background);
    RUN(nothing_waits_for_a_server_that_is_silent);
    RUN(a_close_in_the_background_tells_what_was_lost);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
