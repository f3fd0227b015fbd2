/* A server of 2.x in the hands of C: what runs do there, once each. Started with `opencode-stack --server 2`. Prints a
 * line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK
#define SLOW "slow @@[{\"text\":\"a b c d e f\",\"delay_ms\":200}]"
#define SHELL "ask @@[{\"tools\":[{\"name\":\"shell\",\"arguments\":{\"command\":\"echo yes\"}}]},{\"text\":\"done\"}]"
#define FORM                                                                                                        \
    "form @@[{\"tools\":[{\"name\":\"question\",\"arguments\":{\"questions\":[{\"question\":\"Which?\",\"header\":" \
    "\"h\",\"options\":[{\"label\":\"A\",\"description\":\"a\"}]}]}}]},{\"text\":\"thanks\"}]"

static OpencodeClient *client;

static int is(const OpencodeReply *reply, const char *pointer, const char *wanted) {
    const char *got = opencode_reply_text(reply, pointer);
    return got && strcmp(got, wanted) == 0;
}

/* The next update of a type. Free it. */
static OpencodeReply *until(OpencodeRun *run, OpencodeUpdateType wanted) {
    OpencodeReply *update = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    while (opencode_run_next(run, 60000, &state, &update) == OK && update) {
        if (opencode_update_type(update) == wanted)
            return update;
        opencode_reply_free(update);
    }
    return NULL;
}

static void a_prompt_is_answered_with_files_and_summed_up(void) {
    OpencodeRun *run = NULL;
    OpencodeReply *reply = NULL, *other = NULL;
    OpencodePages *pages = NULL;
    CHECK(opencode_client_server(client, &reply) == OK && is(reply, "/dialect", "2.x"));
    opencode_reply_free(reply);
    CHECK(opencode_run_text(client, "say @@[{\"text\":\"one two\",\"usage\":{\"input\":1000,\"output\":20}}]",
                            "{\"files\":[{\"path\":\"/etc/hostname\"}]}", &run, NULL) == OK);
    CHECK((other = until(run, OPENCODE_UPDATE_TYPE_TEXT)) != NULL);
    opencode_reply_free(other);
    CHECK(opencode_run_wait(run, 60000, &reply) == OK && is(reply, "/text", "one two"));
    CHECK(opencode_messages_open(client, opencode_reply_text(reply, "/sessionID"), NULL, &pages, NULL) == OK);
    CHECK(opencode_pages_next(pages, &other) == OK && is(other, "/parts/0/text", "one two"));
    opencode_reply_free(other);
    opencode_pages_free(pages);
    CHECK(opencode_usage(client, opencode_reply_text(reply, "/sessionID"), NULL, &other) == OK);
    CHECK(opencode_reply_number(other, "/tokens/input", 0) == 1000);
    opencode_reply_free(other);
    opencode_reply_free(reply);
    opencode_run_free(run);
    passed++;
}

static void the_host_is_asked_for_permissions_and_forms(void) {
    OpencodeRun *run = NULL;
    OpencodeReply *reply = NULL, *asked = NULL;
    char options[200];
    CHECK(opencode_call(client, "v2.session.create",
                        "{\"permissions\":[{\"action\":\"shell\",\"resource\":\"*\",\"effect\":\"ask\"}]}",
                        &reply) == OK);
    sprintf(options, "{\"session\":\"%.100s\",\"permission\":\"ask\"}", opencode_reply_text(reply, "/data/id"));
    opencode_reply_free(reply);
    CHECK(opencode_run_text(client, SHELL, options, &run, NULL) == OK);
    CHECK((asked = until(run, OPENCODE_UPDATE_TYPE_PERMISSION)) != NULL);
    CHECK(opencode_run_reply_permission(run, opencode_update_id(asked), "once", NULL, NULL) == OK);
    opencode_reply_free(asked);
    CHECK(opencode_run_wait(run, 60000, &reply) == OK && is(reply, "/decisions/0/by", "host"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    CHECK(opencode_run_text(client, FORM, "{\"question\":\"ask\"}", &run, NULL) == OK);
    CHECK((asked = until(run, OPENCODE_UPDATE_TYPE_QUESTION)) != NULL);
    CHECK(opencode_run_reply_question(run, opencode_update_id(asked), "[[\"A\"]]", NULL) == OK);
    opencode_reply_free(asked);
    CHECK(opencode_run_wait(run, 60000, &reply) == OK && is(reply, "/text", "thanks"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    passed++;
}

static void a_run_is_cancelled_or_left_and_picked_up(void) {
    OpencodeRun *run = NULL;
    OpencodeReply *reply = NULL, *ids = NULL;
    CHECK(opencode_run_text(client, SLOW, NULL, &run, NULL) == OK);
    CHECK((reply = until(run, OPENCODE_UPDATE_TYPE_TEXT)) != NULL);
    opencode_reply_free(reply);
    CHECK(opencode_run_cancel(run, 60000, NULL) == OK && opencode_run_state(run) == OPENCODE_RUN_STATE_FAILED);
    opencode_run_free(run);
    CHECK(opencode_run_text(client, SLOW, NULL, &run, NULL) == OK);
    CHECK(opencode_run_detach(run, 60000, &ids) == OK);
    opencode_run_free(run);
    CHECK(opencode_run_resume(client, opencode_reply_text(ids, "/sessionID"), opencode_reply_text(ids, "/messageID"),
                              NULL, &run, NULL) == OK);
    opencode_reply_free(ids);
    CHECK(opencode_run_wait(run, 60000, &reply) == OK && is(reply, "/text", "a b c d e f"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    passed++;
}

static void a_session_is_summarized_once(void) { summarized_once(client); }

static void what_it_cannot_do_is_told(void) {
    OpencodeReply *reply = NULL;
    OpencodeStatus status = opencode_ask(client, "{\"prompt\":\"x\",\"format\":{\"type\":\"object\"}}", &reply);
    CHECK(failed_with(status, OPENCODE_STATUS_UNSUPPORTED, &reply, "ask for JSON in the prompt"));
    status = opencode_call(client, "session.create", NULL, &reply);
    CHECK(failed_with(status, OPENCODE_STATUS_UNSUPPORTED, &reply, "use v2.session.create"));
    passed++;
}

static void events_a_terminal_and_a_recording(void) {
    OpencodeEvents *events = NULL;
    OpencodePty *pty = NULL;
    OpencodeReplay *replay = NULL;
    OpencodeClient *other = NULL;
    OpencodeReply *reply = NULL;
    char all[10000] = "", options[300], tape[] = "/tmp/opencode-two-XXXXXX";
    int has_seen = 0, descriptor = mkstemp(tape);
    CHECK(opencode_events_open(client, "{\"scope\":\"global\"}", &events, NULL) == OK);
    CHECK(opencode_events_next(events, 60000, &reply) == OK && is(reply, "/type", "stream.connected"));
    opencode_reply_free(reply);
    CHECK(opencode_call(client, "v2.session.create", "{\"title\":\"seen\"}", NULL) == OK);
    while (!has_seen) {
        CHECK(opencode_events_next(events, 60000, &reply) == OK && reply);
        has_seen = is(reply, "/type", "session.created");
        opencode_reply_free(reply);
    }
    opencode_events_free(events);
    CHECK(opencode_pty_open(client, "{\"command\":\"bash\",\"args\":[\"--norc\",\"-c\",\"read x; echo got-$x; exit 3\"]}",
                            &pty, NULL) == OK);
    CHECK(opencode_pty_write(pty, "this\n", NULL) == OK);
    for (has_seen = 0; !has_seen;) {
        CHECK(opencode_pty_read(pty, 60000, &reply) == OK && reply);
        has_seen = is(reply, "/type", "end");
        if (!has_seen)
            strncat(all, opencode_reply_text(reply, "/text"), sizeof all - strlen(all) - 1);
        opencode_reply_free(reply);
    }
    CHECK(has(all, "got-this"));
    opencode_pty_free(pty);
    CHECK(descriptor >= 0 && close(descriptor) == 0);
    sprintf(options, "{\"record\":\"%s\"}", tape);
    CHECK(opencode_client_new(options, &other, NULL) == OK);
    CHECK(opencode_ask(other, "{\"prompt\":\"tape @@[{\\\"text\\\":\\\"kept\\\"}]\"}", &reply) == OK);
    CHECK(is(reply, "/text", "kept"));
    opencode_reply_free(reply);
    opencode_client_free(other);
    CHECK(opencode_replay_start(tape, &replay, NULL) == OK);
    sprintf(options, "{\"base_url\":\"%.200s\"}", opencode_replay_url(replay));
    CHECK(opencode_client_new(options, &other, NULL) == OK);
    CHECK(opencode_ask(other, "{\"prompt\":\"tape @@[{\\\"text\\\":\\\"kept\\\"}]\"}", &reply) == OK);
    CHECK(is(reply, "/text", "kept"));
    opencode_reply_free(reply);
    opencode_client_free(other);
    opencode_replay_free(replay);
    remove(tape);
    passed++;
}

static OpencodeStatus first_call(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    (void)known;
    return opencode_call(fresh, "v2.session.active", NULL, reply);
}

static OpencodeStatus first_ask(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    (void)known;
    return opencode_ask(fresh, "{\"prompt\":\"hello\"}", reply);
}

static OpencodeStatus first_resume(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    OpencodeRun *run = NULL;
    OpencodeStatus status = opencode_run_resume(fresh, opencode_reply_text(known, "/sessionID"),
                                                opencode_reply_text(known, "/messageID"), NULL, &run, reply);
    status = status == OK ? opencode_run_wait(run, 60000, reply) : status;
    opencode_run_free(run);
    return status;
}

static OpencodeStatus first_event(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    OpencodeEvents *events = NULL;
    OpencodeStatus status = opencode_events_open(fresh, NULL, &events, reply);
    (void)known;
    status = status == OK ? opencode_events_next(events, 60000, reply) : status;
    opencode_events_free(events);
    return status;
}

static OpencodeStatus first_item(OpencodeStatus status, OpencodePages *pages, OpencodeReply **reply) {
    status = status == OK ? opencode_pages_next(pages, reply) : status;
    opencode_pages_free(pages);
    return status;
}

static OpencodeStatus first_message(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    OpencodePages *pages = NULL;
    OpencodeStatus status =
        opencode_messages_open(fresh, opencode_reply_text(known, "/sessionID"), NULL, &pages, reply);
    return first_item(status, pages, reply);
}

static OpencodeStatus first_session(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    OpencodePages *pages = NULL;
    OpencodeStatus status = opencode_sessions_open(fresh, "{\"scope\":\"global\"}", &pages, reply);
    (void)known;
    return first_item(status, pages, reply);
}

static OpencodeStatus first_export(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    OpencodePages *pages = NULL;
    OpencodeStatus status =
        opencode_export_open(fresh, opencode_reply_text(known, "/sessionID"), NULL, &pages, reply);
    return first_item(status, pages, reply);
}

static OpencodeStatus first_usage(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    return opencode_usage(fresh, opencode_reply_text(known, "/sessionID"), NULL, reply);
}

static OpencodeStatus first_pty(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    OpencodePty *pty = NULL;
    const char *shell = "{\"command\":\"sh\",\"args\":[\"-c\",\"echo x; read y\"]}";
    OpencodeStatus status = opencode_pty_open(fresh, shell, &pty, reply);
    (void)known;
    status = status == OK ? opencode_pty_read(pty, 60000, reply) : status;
    opencode_pty_free(pty);
    return status;
}

static OpencodeStatus first_ready(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    (void)known;
    return opencode_client_wait_until_ready(fresh, NULL, reply);
}

static OpencodeStatus first_server(OpencodeClient *fresh, const OpencodeReply *known, OpencodeReply **reply) {
    (void)known;
    return opencode_client_server(fresh, reply);
}

/* What a client may do first: it knows nothing of its server then. */
static void whatever_a_client_does_first_works(void) {
    OpencodeStatus (*const firsts[])(OpencodeClient *, const OpencodeReply *, OpencodeReply **) = {
        first_call,   first_ask,   first_resume, first_event, first_message, first_session,
        first_export, first_usage, first_pty,    first_ready, first_server};
    OpencodeReply *known = NULL, *reply = NULL;
    OpencodeClient *fresh = NULL;
    size_t i;
    CHECK(opencode_ask(client, "{\"prompt\":\"hello\"}", &known) == OK);
    for (i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        reply = NULL;
        CHECK(opencode_client_new(NULL, &fresh, NULL) == OK);
        if (firsts[i](fresh, known, &reply) != OK || !reply)
            printf("the first use %u: %s\n", (unsigned)i, opencode_reply_message(reply));
        CHECK(reply && opencode_reply_status(reply) == OK);
        opencode_reply_free(reply);
        opencode_client_free(fresh);
    }
    opencode_reply_free(known);
    passed++;
}

int main(void) {
    if (opencode_client_new(NULL, &client, NULL) != OK)
        return 1;
    RUN(whatever_a_client_does_first_works);
    RUN(a_prompt_is_answered_with_files_and_summed_up);
    RUN(the_host_is_asked_for_permissions_and_forms);
    RUN(a_run_is_cancelled_or_left_and_picked_up);
    RUN(a_session_is_summarized_once);
    RUN(what_it_cannot_do_is_told);
    RUN(events_a_terminal_and_a_recording);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
