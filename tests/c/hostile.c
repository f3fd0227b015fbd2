/* What a program may do wrong, or at the worst moment. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <opencode_operations.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK
#define INVALID OPENCODE_STATUS_INVALID_ARGUMENT

/* Refused with one line that names what is wrong. */
#define REFUSED(call, part)                                                                  \
    do {                                                                                     \
        OpencodeReply *reply = NULL;                                                         \
        OpencodeStatus got = (call);                                                         \
        const char *message = opencode_reply_message(reply);                                 \
        int ok = got == INVALID && strstr(message, part) && !strchr(message, '\n');          \
        if (!ok)                                                                             \
            printf("FAILED %s: line %d: status %d: %s\n", current, __LINE__, (int)got, message); \
        opencode_reply_free(reply);                                                          \
        if (!ok) {                                                                           \
            failed++;                                                                        \
            return;                                                                          \
        }                                                                                    \
    } while (0)

static OpencodeClient *client;

static void null_everywhere(void) {
    OpencodeTuiControl *control = NULL;
    OpencodeRun *run = NULL;
    REFUSED(opencode_client_new(NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_client_next_log(NULL, &reply), "client is NULL");
    REFUSED(opencode_client_fd(NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_client_fd(client, NULL, &reply), "fd is NULL");
    REFUSED(opencode_call(NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_call(client, NULL, NULL, &reply), "operation is NULL");
    REFUSED(opencode_call_with(NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_call_start(NULL, NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_call_start(client, "global.health", NULL, NULL, NULL, &reply), "call is NULL");
    REFUSED(opencode_call_poll(NULL, &reply), "call is NULL");
    REFUSED(opencode_call_wait(NULL, 0, &reply), "call is NULL");
    REFUSED(opencode_request(NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_request(client, NULL, NULL, NULL, &reply), "method is NULL");
    REFUSED(opencode_request(client, "GET", NULL, NULL, &reply), "path is NULL");
    REFUSED(opencode_ask(NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_ask(client, NULL, &reply), "prompt_json is NULL");
    REFUSED(opencode_ask(client, "{\"prompt\":\"x\",\"permission\":\"ask\"}", &reply), "permission is 'ask'");
    REFUSED(opencode_ask(client, "{\"prompt\":\"x\",\"question\":\"ask\"}", &reply), "question is 'ask'");
    REFUSED(opencode_run_start(NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_run_text(NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_run_text(client, NULL, NULL, NULL, &reply), "text is NULL");
    REFUSED(opencode_run_text(client, "x", NULL, NULL, &reply), "run is NULL");
    REFUSED(opencode_run_resume(NULL, NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_run_resume(client, NULL, NULL, NULL, NULL, &reply), "session_id is NULL");
    REFUSED(opencode_run_resume(client, "ses_1", NULL, NULL, NULL, &reply), "message_id is NULL");
    REFUSED(opencode_run_resume(client, "ses_1", "msg_1", NULL, NULL, &reply), "run is NULL");
    REFUSED(opencode_compact(NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_compact(client, NULL, NULL, NULL, &reply), "session_id is NULL");
    REFUSED(opencode_compact(client, "ses_1", NULL, NULL, &reply), "run is NULL");
    REFUSED(opencode_run_poll(NULL, 0, &reply), "run is NULL");
    REFUSED(opencode_run_wait(NULL, 0, &reply), "run is NULL");
    REFUSED(opencode_run_info(NULL, &reply), "run is NULL");
    REFUSED(opencode_run_detach(NULL, 0, &reply), "run is NULL");
    REFUSED(opencode_events_open(NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_events_open(client, NULL, NULL, &reply), "events is NULL");
    REFUSED(opencode_events_next(NULL, 0, &reply), "events is NULL");
    REFUSED(opencode_messages_open(NULL, NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_messages_open(client, NULL, NULL, NULL, &reply), "session_id is NULL");
    REFUSED(opencode_messages_open(client, "ses_1", NULL, NULL, &reply), "pages is NULL");
    REFUSED(opencode_sessions_open(NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_sessions_open(client, NULL, NULL, &reply), "pages is NULL");
    REFUSED(opencode_pages_next(NULL, &reply), "pages is NULL");
    REFUSED(opencode_pty_open(NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_pty_connect(client, NULL, NULL, NULL, &reply), "pty_id is NULL");
    REFUSED(opencode_pty_connect(client, "pty_1", NULL, NULL, &reply), "pty is NULL");
    REFUSED(opencode_pty_read(NULL, 0, &reply), "pty is NULL");
    REFUSED(opencode_pty_write(NULL, NULL, &reply), "pty is NULL");
    REFUSED(opencode_pty_resize(NULL, 0, 0, &reply), "pty is NULL");
    REFUSED(opencode_pty_kill(NULL, &reply), "pty is NULL");
    REFUSED(opencode_server_start(NULL, NULL, &reply), "server is NULL");
    REFUSED(opencode_server_launch(NULL, NULL, &reply), "server is NULL");
    REFUSED(opencode_server_client(NULL, NULL, &reply), "server is NULL");
    REFUSED(opencode_server_url(NULL, &reply), "server is NULL");
    REFUSED(opencode_server_environment(NULL, &reply), "server is NULL");
    REFUSED(opencode_server_output(NULL, &reply), "server is NULL");
    REFUSED(opencode_attach(NULL, NULL, &reply), "path is NULL");
    REFUSED(opencode_attach_bytes(NULL, NULL, 0, NULL, &reply), "name is NULL");
    REFUSED(opencode_usage(NULL, NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_usage(client, NULL, NULL, &reply), "session_id is NULL");
    REFUSED(opencode_usage_of_all(NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_export_open(client, "ses_1", NULL, NULL, &reply), "pages is NULL");
    REFUSED(opencode_export_to(client, "ses_1", NULL, NULL, &reply), "path is NULL");
    REFUSED(opencode_tui_prompt(NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_tui_prompt(client, NULL, &reply), "text is NULL");
    REFUSED(opencode_tui_control_open(NULL, NULL, &reply), "client is NULL");
    REFUSED(opencode_tui_control_open(client, NULL, &reply), "control is NULL");
    REFUSED(opencode_tui_control_poll(NULL, 0, &reply), "control is NULL");
    CHECK(opencode_tui_control_open(client, &control, NULL) == OK);
    CHECK(opencode_tui_control_poll(control, 0, NULL) == INVALID);
    opencode_tui_control_free(control);
    REFUSED(opencode_tui_control_respond(NULL, NULL, &reply), "control is NULL");
    REFUSED(opencode_replay_start(NULL, NULL, &reply), "path is NULL");
    REFUSED(opencode_doctor(NULL, &reply), "client is NULL");
    REFUSED(opencode_client_server(NULL, &reply), "client is NULL");
    REFUSED(opencode_drift(NULL, &reply), "client is NULL");
    CHECK(opencode_client_close(NULL, NULL) == INVALID && opencode_call_cancel(NULL, NULL) == INVALID);
    REFUSED(opencode_run_cancel(NULL, 0, &reply), "run is NULL");
    REFUSED(opencode_run_reply_permission(NULL, NULL, NULL, NULL, &reply), "run is NULL");
    REFUSED(opencode_run_reply_question(NULL, NULL, NULL, &reply), "run is NULL");
    REFUSED(opencode_run_next(NULL, 0, NULL, &reply), "run is NULL");
    REFUSED(opencode_call_cancel(NULL, &reply), "call is NULL");
    REFUSED(opencode_client_close(NULL, &reply), "client is NULL");
    REFUSED(opencode_events_close(NULL, &reply), "events is NULL");
    REFUSED(opencode_pty_close(NULL, &reply), "pty is NULL");
    REFUSED(opencode_server_close(NULL, &reply), "server is NULL");
    CHECK(opencode_pty_close(NULL, NULL) == INVALID && opencode_server_close(NULL, NULL) == INVALID);
    CHECK(opencode_server_poll(NULL) == OPENCODE_SERVER_STATE_CLOSED && opencode_server_pid(NULL) == 0);
    CHECK(opencode_server_wait(NULL, -1) == OPENCODE_SERVER_STATE_CLOSED);
    CHECK(opencode_reply_number(NULL, NULL, 7) == 7 && opencode_reply_length(NULL) == 0);
    CHECK(opencode_reply_status(NULL) == INVALID && opencode_reply_http_status(NULL) == 0);
    CHECK(*opencode_pty_id(NULL) == 0 && *opencode_replay_url(NULL) == 0);
    /* An answer that nobody can take is none: the run keeps its updates. */
    CHECK(opencode_run_text(client, "Say pong", NULL, &run, NULL) == OK);
    CHECK(opencode_run_poll(run, -1, NULL) == INVALID && opencode_run_wait(run, 60000, NULL) == OK);
    CHECK(opencode_run_reply_permission(run, NULL, "once", NULL, NULL) == INVALID);
    CHECK(opencode_run_reply_permission(run, "per_1", NULL, NULL, NULL) == INVALID);
    CHECK(opencode_run_reply_permission(run, "per_1", "perhaps", NULL, NULL) == INVALID);
    CHECK(opencode_run_reply_question(run, "que_1", "[1]", NULL) == INVALID);
    /* Who takes no ids keeps the run. */
    CHECK(opencode_run_detach(run, -1, NULL) == INVALID);
    opencode_run_free(run);
    opencode_server_free(NULL);
    opencode_events_free(NULL);
    opencode_pages_free(NULL);
    opencode_replay_free(NULL);
    passed++;
}

static void not_utf8_everywhere(void) {
    const char *bad = "\xff\xfe";
    OpencodeClient *other = NULL;
    OpencodeRun *run = NULL;
    OpencodeCall *call = NULL;
    OpencodePty *pty = NULL;
    OpencodePages *pages = NULL;
    OpencodeEvents *events = NULL;
    OpencodeReplay *replay = NULL;
    OpencodeServer *server = NULL;
    REFUSED(opencode_client_new(bad, &other, &reply), "options_json is not UTF-8");
    REFUSED(opencode_call(client, bad, NULL, &reply), "operation is not UTF-8");
    REFUSED(opencode_call(client, "session.get", bad, &reply), "arguments_json is not UTF-8");
    REFUSED(opencode_call_with(client, "session.get", NULL, bad, &reply), "options_json is not UTF-8");
    REFUSED(opencode_call_start(client, bad, NULL, NULL, &call, &reply), "operation is not UTF-8");
    REFUSED(opencode_request(client, bad, "/", NULL, &reply), "method is not UTF-8");
    REFUSED(opencode_request(client, "GET", bad, NULL, &reply), "path is not UTF-8");
    REFUSED(opencode_ask(client, bad, &reply), "prompt_json is not UTF-8");
    REFUSED(opencode_run_text(client, bad, NULL, &run, &reply), "text is not UTF-8");
    REFUSED(opencode_run_resume(client, bad, "msg_1", NULL, &run, &reply), "session_id is not UTF-8");
    REFUSED(opencode_messages_open(client, bad, NULL, &pages, &reply), "session_id is not UTF-8");
    REFUSED(opencode_events_open(client, bad, &events, &reply), "options_json is not UTF-8");
    REFUSED(opencode_pty_connect(client, bad, NULL, &pty, &reply), "pty_id is not UTF-8");
    REFUSED(opencode_server_launch(bad, &server, &reply), "options_json is not UTF-8");
    REFUSED(opencode_attach(bad, NULL, &reply), "path is not UTF-8");
    REFUSED(opencode_usage(client, bad, NULL, &reply), "session_id is not UTF-8");
    REFUSED(opencode_tui_prompt(client, bad, &reply), "text is not UTF-8");
    REFUSED(opencode_replay_start(bad, &replay, &reply), "path is not UTF-8");
    CHECK(!other && !run && !call && !pty && !pages && !events && !replay && !server);
    passed++;
}

/* Who passes what a builder gives without a look at it reads what was wrong with the builder. */
static void a_mistake_of_a_builder_is_told_by_whoever_takes_it(void) {
    OpencodeJson *json = opencode_json_new();
    OpencodeTuiControl *control = NULL;
    OpencodeClient *other = NULL;
    OpencodeRun *run = NULL;
    OpencodeCall *call = NULL;
    OpencodePty *pty = NULL;
    OpencodePages *pages = NULL;
    OpencodeEvents *events = NULL;
    OpencodeServer *server = NULL;
    const char *bad, *words = "a mistake: opencode_json_end: there is nothing to end";
    opencode_json_end(json);
    opencode_json_end(json);
    opencode_json_text(json, "title", "x");
    bad = opencode_json_get(json);
    REFUSED(opencode_client_new(bad, &other, &reply), words);
    REFUSED(opencode_client_with(client, bad, &other, &reply), words);
    REFUSED(opencode_client_wait_until_ready(client, bad, &reply), words);
    REFUSED(opencode_call(client, "session.create", bad, &reply), words);
    REFUSED(opencode_call_with(client, "session.create", NULL, bad, &reply), words);
    REFUSED(opencode_call_start(client, "session.create", bad, NULL, &call, &reply), words);
    REFUSED(opencode_call_start(client, "session.create", NULL, bad, &call, &reply), words);
    REFUSED(opencode_request(client, "GET", "/session", bad, &reply), words);
    REFUSED(opencode_session_create(client, bad, &reply), words);
    REFUSED(opencode_ask(client, bad, &reply), words);
    REFUSED(opencode_run_start(client, bad, &run, &reply), words);
    REFUSED(opencode_run_text(client, "x", bad, &run, &reply), words);
    REFUSED(opencode_run_resume(client, "ses_1", "msg_1", bad, &run, &reply), words);
    REFUSED(opencode_compact(client, "ses_1", bad, &run, &reply), words);
    REFUSED(opencode_messages_open(client, "ses_1", bad, &pages, &reply), words);
    REFUSED(opencode_sessions_open(client, bad, &pages, &reply), words);
    REFUSED(opencode_export_open(client, "ses_1", bad, &pages, &reply), words);
    REFUSED(opencode_export_to(client, "ses_1", "file", bad, &reply), words);
    REFUSED(opencode_events_open(client, bad, &events, &reply), words);
    REFUSED(opencode_pty_open(client, bad, &pty, &reply), words);
    REFUSED(opencode_pty_open_start(client, bad, &call, &reply), words);
    REFUSED(opencode_pty_connect(client, "pty_1", bad, &pty, &reply), words);
    REFUSED(opencode_server_start(bad, &server, &reply), words);
    REFUSED(opencode_server_launch(bad, &server, &reply), words);
    REFUSED(opencode_attach("file", bad, &reply), words);
    REFUSED(opencode_attach_bytes("name", NULL, 0, bad, &reply), words);
    REFUSED(opencode_usage(client, "ses_1", bad, &reply), words);
    REFUSED(opencode_usage_of_all(client, bad, &reply), words);
    REFUSED(opencode_tool_add(client, bad, &reply), words);
    REFUSED(opencode_tool_reply(client, "id", bad, &reply), words);
    CHECK(opencode_run_text(client, "Say pong", NULL, &run, NULL) == OK);
    REFUSED(opencode_run_reply_question(run, "que_1", bad, &reply), words);
    opencode_run_free(run);
    CHECK(opencode_tui_control_open(client, &control, NULL) == OK);
    REFUSED(opencode_tui_control_respond(control, bad, &reply), words);
    opencode_tui_control_free(control);
    opencode_json_free(json);
    passed++;
}

/* The options of a request are read as those of everything else: nothing given in any form, names that nearly are, any depth. */
static void a_request_has_options_like_all_others(void) {
    enum { DEEP = 300 };
    static char options[2 * DEEP + 100];
    OpencodeReply *reply = NULL;
    int i;
    CHECK(opencode_request(client, "GET", "/path", "", NULL) == OK && opencode_request(client, "GET", "/path", "null", NULL) == OK);
    REFUSED(opencode_request(client, "GET", "/path", "{\"bdy\":1}", &reply), "request: unknown option 'bdy'; did you mean 'body'?");
    REFUSED(opencode_request(client, "GET", "/path", "{\"query\":[1]}", &reply), "request: query must be an object, not [1]");
    REFUSED(opencode_request(client, "GET", "/path", "7", &reply), "request: the options must be an object");
    strcpy(options, "{\"body\":{\"title\":\"deep\",\"metadata\":{\"a\":");
    for (i = 0; i < DEEP; i++)
        strcat(options, "[");
    for (i = 0; i < DEEP; i++)
        strcat(options, "]");
    strcat(options, "}}}");
    CHECK(opencode_request(client, "POST", "/session", options, &reply) == OK);
    CHECK(strcmp(opencode_reply_text(reply, "/title"), "deep") == 0 && has(opencode_reply_json(reply), "[[[[["));
    opencode_reply_free(reply);
    passed++;
}

static void numbers_beyond_all_bounds(void) {
    const char *huge[] = {"1e308", "18446744073709551616", "9223372036854775807", "0"};
    OpencodeReply *reply = NULL;
    OpencodeRun *run = NULL;
    OpencodeCall *call = NULL;
    OpencodeEvents *events = NULL;
    OpencodeClient *other = NULL;
    char options[300];
    size_t i;
    CHECK(opencode_run_text(client, "Say pong", NULL, &run, NULL) == OK);
    CHECK(opencode_run_wait(run, INT64_MAX, NULL) == OK && opencode_run_wait(run, INT64_MIN, NULL) == OK);
    CHECK(opencode_run_cancel(run, INT64_MAX, NULL) == OK && opencode_run_cancel(run, INT64_MIN, NULL) == OK);
    CHECK(opencode_run_detach(run, INT64_MAX, &reply) == OK);
    opencode_reply_free(reply);
    CHECK(opencode_run_detach(run, INT64_MIN, &reply) == OK);
    opencode_reply_free(reply);
    do {
        CHECK(opencode_run_poll(run, INT64_MAX, &reply) == OK);
        opencode_reply_free(reply);
    } while (reply);
    opencode_run_free(run);
    CHECK(opencode_call_start(client, "global.health", NULL, NULL, &call, NULL) == OK);
    CHECK(opencode_call_wait(call, INT64_MAX, NULL) == OK && opencode_call_wait(call, INT64_MIN, NULL) == OK);
    opencode_call_free(call);
    CHECK(opencode_events_open(client, NULL, &events, NULL) == OK);
    CHECK(opencode_events_next(events, INT64_MAX, &reply) == OK && reply);
    opencode_reply_free(reply);
    opencode_events_free(events);
    for (i = 0; i < sizeof huge / sizeof *huge; i++) {
        sprintf(options, "{\"connect_timeout_ms\":%s,\"stall_timeout_ms\":%s,\"max_body_bytes\":1e300}", huge[i], huge[i]);
        CHECK(opencode_client_new(options, &other, NULL) == OK);
        opencode_client_free(other);
        sprintf(options, "{\"deadline_ms\":%s,\"start_timeout_ms\":%s,\"server_timeout_ms\":%s}", i < 3 ? huge[i] : "1e9",
                huge[i], i < 3 ? huge[i] : "1e9");
        CHECK(opencode_run_text(client, "Say pong", options, &run, NULL) == OK);
        CHECK(i == 3 || opencode_run_wait(run, 60000, NULL) == OK);
        opencode_run_free(run);
        sprintf(options, "{\"timeout_ms\":%s,\"max_retries\":%s}", i < 3 ? huge[i] : "1e9", huge[i]);
        CHECK(opencode_call_with(client, "global.health", NULL, options, NULL) == OK);
    }
    REFUSED(opencode_call_with(client, "global.health", NULL, "{\"timeout_ms\":-1}", &reply), "not negative");
    REFUSED(opencode_call_with(client, "global.health", NULL, "{\"timeout_ms\":1e999}", &reply), "JSON");
    passed++;
}

static void a_span_has_the_form_of_w3c(void) {
    OpencodeRun *run = NULL;
    REFUSED(opencode_call_with(client, "global.health", NULL, "{\"traceparent\":\"00-abc-01\"}", &reply), "has not four parts");
    REFUSED(opencode_run_text(client, "Say pong", "{\"traceparent\":\"00-abc-01\"}", &run, &reply), "has not four parts");
    CHECK(opencode_call_with(client, "global.health", NULL,
                             "{\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}", NULL) == OK);
    passed++;
}

static void a_list_an_export_a_sum_and_a_terminal_have_a_span_too(void) {
    static const char right[] = "{\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"}";
    static const char wrong[] = "{\"traceparent\":\"00-abc-01\"}";
    OpencodePages *pages = NULL;
    OpencodePty *pty = NULL;
    OpencodeReply *page = NULL;
    const char *session = NULL;
    OpencodeReply *made = NULL;
    CHECK(opencode_call(client, "session.create", NULL, &made) == OK);
    session = opencode_reply_text(made, "/id");
    REFUSED(opencode_messages_open(client, session, wrong, &pages, &reply), "has not four parts");
    REFUSED(opencode_sessions_open(client, wrong, &pages, &reply), "has not four parts");
    REFUSED(opencode_export_open(client, session, wrong, &pages, &reply), "has not four parts");
    REFUSED(opencode_export_to(client, session, "/tmp/none.json", wrong, &reply), "has not four parts");
    REFUSED(opencode_usage(client, session, wrong, &reply), "has not four parts");
    REFUSED(opencode_usage_of_all(client, wrong, &reply), "has not four parts");
    REFUSED(opencode_client_wait_until_ready(client, wrong, &reply), "has not four parts");
    REFUSED(opencode_pty_open(client, wrong, &pty, &reply), "has not four parts");
    REFUSED(opencode_pty_connect(client, "pty_none", wrong, &pty, &reply), "has not four parts");
    CHECK(opencode_sessions_open(client, right, &pages, NULL) == OK);
    CHECK(opencode_pages_next(pages, &page) == OK && page);
    opencode_reply_free(page);
    opencode_pages_free(pages);
    CHECK(opencode_export_open(client, session, right, &pages, NULL) == OK);
    CHECK(opencode_pages_next(pages, &page) == OK && page);
    opencode_reply_free(page);
    opencode_pages_free(pages);
    CHECK(opencode_usage(client, session, right, NULL) == OK);
    CHECK(opencode_client_wait_until_ready(client, right, NULL) == OK);
    CHECK(opencode_pty_open(client, right, &pty, NULL) == OK);
    CHECK(opencode_pty_kill(pty, NULL) == OK);
    opencode_pty_free(pty);
    opencode_reply_free(made);
    passed++;
}

static void a_text_stays_where_it_is(void) {
    OpencodeReply *reply = NULL;
    const char *first, *again;
    char pointer[40];
    int i;
    CHECK(opencode_call(client, "session.create", "{\"title\":\"a\\u0000b\",\"metadata\":{\"n\":[1,2,3]}}", &reply) == OK);
    first = opencode_reply_text(reply, "/id");
    for (i = 0; i < 1000; i++) {
        sprintf(pointer, "/metadata/n/%d", i);
        opencode_reply_text(reply, pointer);
    }
    again = opencode_reply_text(reply, "/id");
    CHECK(first == again && strncmp(first, "ses_", 4) == 0);
    /* A text ends at its NUL; all of it is in the JSON. */
    CHECK(strcmp(opencode_reply_text(reply, "/title"), "a") == 0);
    CHECK(strstr(opencode_reply_json(reply), "a\\u0000b") != NULL);
    CHECK(!opencode_reply_text(reply, "no slash") && !opencode_reply_text(reply, "/metadata/n/99999999999999999999"));
    CHECK(!opencode_reply_text(reply, "\xff") && !opencode_reply_header(reply, "\xff"));
    CHECK(opencode_reply_number(reply, "/id", 5) == 5);
    opencode_reply_free(reply);
    passed++;
}

static void a_call_outlives_its_client(void) {
    OpencodeClient *other = NULL;
    OpencodeCall *call = NULL;
    OpencodeReply *reply = NULL;
    OpencodePages *pages = NULL;
    CHECK(opencode_client_new(NULL, &other, NULL) == OK);
    CHECK(opencode_call_start(other, "doc.get", NULL, NULL, &call, NULL) == OK);
    CHECK(opencode_sessions_open(other, NULL, &pages, NULL) == OK);
    opencode_client_free(other);
    CHECK(opencode_call_wait(call, 60000, &reply) == OK && opencode_reply_length(reply) > 1000);
    opencode_reply_free(reply);
    opencode_call_free(call);
    CHECK(opencode_pages_next(pages, &reply) == OK);
    opencode_reply_free(reply);
    opencode_pages_free(pages);
    passed++;
}

struct waiter {
    OpencodeRun *run;
    OpencodeCall *call;
    OpencodeEvents *events;
    OpencodePty *pty;
    OpencodeStatus status;
};

static void *wait_for_run(void *data) {
    struct waiter *mine = data;
    mine->status = opencode_run_wait(mine->run, -1, NULL);
    return NULL;
}

static void *wait_for_call(void *data) {
    struct waiter *mine = data;
    mine->status = opencode_call_wait(mine->call, -1, NULL);
    return NULL;
}

static void *wait_for_event(void *data) {
    struct waiter *mine = data;
    OpencodeReply *event = NULL;
    do {
        opencode_reply_free(event);
        event = NULL;
        mine->status = opencode_events_next(mine->events, -1, &event);
    } while (mine->status == OK);
    opencode_reply_free(event);
    return NULL;
}

static void *read_pty(void *data) {
    struct waiter *mine = data;
    OpencodeReply *output = NULL;
    const char *type = "";
    while ((mine->status = opencode_pty_read(mine->pty, -1, &output)) == OK && output && strcmp(type, "end")) {
        type = strcmp(opencode_reply_text(output, "/type"), "end") ? "" : "end";
        opencode_reply_free(output);
    }
    opencode_reply_free(output);
    return NULL;
}

static void closing_wakes_everybody(void) {
    void *(*work[])(void *) = {wait_for_run, wait_for_call, wait_for_event, read_pty};
    const struct timespec pause = {0, 300000000};
    OpencodeClient *other = NULL;
    pthread_t threads[4];
    struct waiter mine[4];
    int i;
    memset(mine, 0, sizeof mine);
    CHECK(opencode_client_new(NULL, &other, NULL) == OK);
    CHECK(opencode_run_text(other, "slow @@[{\"text\":\"a b c\",\"first_delay_ms\":60000}]", NULL, &mine[0].run, NULL) == OK);
    CHECK(opencode_call_start(other, "tui.control.next", NULL, NULL, &mine[1].call, NULL) == OK);
    CHECK(opencode_events_open(other, NULL, &mine[2].events, NULL) == OK);
    CHECK(opencode_pty_open(other, "{\"command\":\"cat\"}", &mine[3].pty, NULL) == OK);
    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, work[i], &mine[i]) == 0);
    nanosleep(&pause, NULL);
    CHECK(opencode_client_close(other, NULL) == OK);
    for (i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(mine[0].status == OPENCODE_STATUS_CLOSED && mine[2].status == OPENCODE_STATUS_CLOSED);
    CHECK(mine[1].status == OPENCODE_STATUS_CLOSED || mine[1].status == OPENCODE_STATUS_CANCELLED);
    opencode_client_free(other);
    opencode_pty_free(mine[3].pty);
    opencode_events_free(mine[2].events);
    opencode_call_free(mine[1].call);
    opencode_run_free(mine[0].run);
    passed++;
}

static void *use(void *data) {
    OpencodeClient *shared = data;
    OpencodeReply *reply = NULL;
    OpencodeRun *run = NULL;
    size_t errors = 0;
    int i;
    for (i = 0; i < 5; i++) {
        errors += opencode_call(shared, "global.health", NULL, &reply) != OK;
        opencode_reply_free(reply);
        errors += opencode_run_text(shared, "Say pong", NULL, &run, NULL) != OK;
        if (i % 2)
            errors += opencode_run_wait(run, -1, NULL) != OK;
        opencode_run_free(run);
    }
    return (void *)errors;
}

static void a_client_is_used_by_many_threads(void) {
    pthread_t threads[8];
    void *errors = NULL;
    int i;
    for (i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, use, client) == 0);
    for (i = 0; i < 8; i++)
        CHECK(pthread_join(threads[i], &errors) == 0 && errors == NULL);
    passed++;
}

/* A handle is NULL after a failure, whatever stood there: who frees it in a loop frees nothing twice. */
static void failures_leave_null(void) {
    void *const old = &failed;
    OpencodeClient *other = old;
    OpencodeCall *call = old;
    OpencodeRun *run = old;
    OpencodeEvents *events = old;
    OpencodePages *pages = old;
    OpencodePty *pty = old;
    OpencodeReplay *replay = old;
    OpencodeServer *server = old;
    OpencodeTuiControl *control = old;
    int64_t fd = 7;
    CHECK(opencode_client_new("{\"nonsense\":1}", &other, NULL) == INVALID && !other);
    CHECK(opencode_call_start(client, "global.health", NULL, "{\"x\":1}", &call, NULL) == INVALID && !call);
    CHECK(opencode_run_start(client, "{\"agnt\":1}", &run, NULL) == INVALID && !run);
    run = old;
    CHECK(opencode_run_text(client, "x", "{\"agnt\":1}", &run, NULL) == INVALID && !run);
    run = old;
    CHECK(opencode_run_resume(client, "", "", NULL, &run, NULL) == INVALID && !run);
    CHECK(opencode_events_open(client, "{\"x\":1}", &events, NULL) == INVALID && !events);
    CHECK(opencode_messages_open(client, "ses_1", "{\"x\":1}", &pages, NULL) == INVALID && !pages);
    pages = old;
    CHECK(opencode_sessions_open(client, "{\"x\":1}", &pages, NULL) == INVALID && !pages);
    CHECK(opencode_pty_open(client, "{\"x\":1}", &pty, NULL) == INVALID && !pty);
    pty = old;
    CHECK(opencode_pty_connect(client, "no id", NULL, &pty, NULL) == INVALID && !pty);
    CHECK(opencode_replay_start("/no/such/file", &replay, NULL) == OPENCODE_STATUS_NOT_FOUND && !replay);
    CHECK(opencode_server_start("{\"x\":1}", &server, NULL) == INVALID && !server);
    server = old;
    CHECK(opencode_server_launch("{\"binary\":\"/no/such/file\"}", &server, NULL) == OPENCODE_STATUS_START && !server);
    CHECK(opencode_server_client(NULL, &other, NULL) == INVALID && !other);
    other = old;
    CHECK(opencode_server_client_with(NULL, NULL, &other, NULL) == INVALID && !other);
    CHECK(opencode_tui_control_open(NULL, &control, NULL) == INVALID && !control);
    CHECK(opencode_client_fd(NULL, &fd, NULL) == INVALID && fd == -1);
    passed++;
}

/* A process that has no more descriptors is no bug of the library. */
static void out_of_descriptors(void) {
    enum { MANY = 1000 };
    static int taken[MANY];
    struct rlimit before, few;
    OpencodeClient *other = NULL;
    OpencodeReply *reply = NULL;
    OpencodeStatus fd, call;
    int64_t found = 0;
    int count = 0;
    CHECK(opencode_client_new("{\"max_retries\":0}", &other, NULL) == OK);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = before;
    few.rlim_cur = 200;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while (count < MANY && (taken[count] = dup(0)) >= 0)
        count++;
    fd = opencode_client_fd(other, &found, NULL);
    call = opencode_call(other, "global.health", NULL, &reply);
    while (count > 0)
        close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(fd == OPENCODE_STATUS_EXHAUSTED && found == -1);
    CHECK(failed_with(call, OPENCODE_STATUS_EXHAUSTED, &reply, "descriptor"));
    CHECK(opencode_client_fd(other, &found, NULL) == OK && found >= 0);
    CHECK(opencode_call(other, "global.health", NULL, NULL) == OK);
    opencode_client_free(other);
    passed++;
}

int main(void) {
    if (opencode_client_new(NULL, &client, NULL))
        return 1;
    RUN(null_everywhere);
    RUN(not_utf8_everywhere);
    RUN(a_mistake_of_a_builder_is_told_by_whoever_takes_it);
    RUN(a_request_has_options_like_all_others);
    RUN(failures_leave_null);
    RUN(out_of_descriptors);
    RUN(numbers_beyond_all_bounds);
    RUN(a_span_has_the_form_of_w3c);
    RUN(a_list_an_export_a_sum_and_a_terminal_have_a_span_too);
    RUN(a_text_stays_where_it_is);
    RUN(a_call_outlives_its_client);
    RUN(closing_wakes_everybody);
    RUN(a_client_is_used_by_many_threads);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
