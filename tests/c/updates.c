/* Runs without pointers: types, texts and states of updates; names and versions; times that are up. Prints a line per
 * test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK OPENCODE_STATUS_OK
#define TIMEOUT OPENCODE_STATUS_TIMEOUT
#define SLOW "slow @@[{\"text\":\"a b c d e f\",\"delay_ms\":300}]"
#define BASH "bash @@[{\"tools\":[{\"name\":\"bash\",\"arguments\":{\"command\":\"true\",\"description\":\"x\"}}]},{\"text\":\"allowed\"}]"

static OpencodeClient *client;

static int is_over(OpencodeRunState state) {
    return state == OPENCODE_RUN_STATE_DONE || state == OPENCODE_RUN_STATE_FAILED;
}

/* A chat loop: gives the whole text that was said, and the last update. */
static int chat(const char *prompt, const char *options, int timeout_ms, char *said, OpencodeReply **last) {
    OpencodeRun *run = NULL;
    OpencodeReply *update = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    said[0] = 0;
    *last = NULL;
    if (opencode_run_text(client, prompt, options, &run, NULL) != OK)
        return -1;
    while (!is_over(state)) {
        if (opencode_run_next(run, timeout_ms, &state, &update) != OK)
            return -2;
        switch (opencode_update_type(update)) {
        case OPENCODE_UPDATE_TYPE_TEXT:
            if (opencode_update_replaces(update))
                said[0] = 0;
            strcat(said, opencode_update_text(update));
            break;
        case OPENCODE_UPDATE_TYPE_PERMISSION:
            if (opencode_run_reply_permission(run, opencode_update_id(update), "once", NULL, NULL) != OK)
                return -3;
            break;
        case OPENCODE_UPDATE_TYPE_OTHER:
            return -4;
        case OPENCODE_UPDATE_TYPE_DONE:
        case OPENCODE_UPDATE_TYPE_FAILED:
            if (!is_over(state))
                return -5;
            *last = update;
            update = NULL;
            break;
        default:
            if (is_over(state))
                return -6;
        }
        opencode_reply_free(update);
    }
    if (!*last || opencode_run_next(run, -1, &state, &update) != OK || update || !is_over(state))
        return -7;
    opencode_run_free(run);
    return state == OPENCODE_RUN_STATE_DONE ? 0 : 1;
}

/* The text alone, of a client with other settings. */
static void the_text_alone_is_read(void) {
    OpencodeClient *other = NULL, *failing = NULL;
    OpencodeReply *reply = NULL, *update = NULL;
    OpencodeRun *run = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    char said[100] = "";
    int pieces = 0;
    CHECK(opencode_client_with(client, "{\"directory\":\"/tmp\",\"headers\":{\"x-a\":\"b\"}}", &other, NULL) == OK);
    CHECK(opencode_run_text(other, "say @@[{\"text\":\"one two three\"}]", NULL, &run, NULL) == OK);
    while (!is_over(state)) {
        CHECK(opencode_run_next_text(run, -1, &state, &update) == OK);
        if (update)
            pieces++, strcat(said, opencode_update_text(update));
        opencode_reply_free(update);
    }
    CHECK(strcmp(said, "one two three") == 0 && pieces > 0 && state == OPENCODE_RUN_STATE_DONE);
    CHECK(opencode_run_wait(run, -1, &reply) == OK && has(opencode_reply_json(reply), "\"/tmp\""));
    opencode_reply_free(reply);
    opencode_run_free(run);
    CHECK(opencode_run_text(other, "fail @@[{\"status\":401,\"body\":\"no\"}]", NULL, &run, NULL) == OK);
    state = OPENCODE_RUN_STATE_PENDING;
    CHECK(opencode_run_next_text(run, -1, &state, &update) != OK && update && state == OPENCODE_RUN_STATE_FAILED);
    opencode_reply_free(update);
    opencode_run_free(run);
    CHECK(opencode_client_with(client, "{\"password\":\"hunter2\"}", &failing, &reply) ==
          OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(has(opencode_reply_message(reply), "belongs to the connection") &&
          !has(opencode_reply_message(reply), "hunter2"));
    opencode_reply_free(reply);
    opencode_client_free(failing);
    opencode_client_free(other);
    CHECK(opencode_client_with(client, NULL, &other, NULL) == OK && opencode_client_close(other, NULL) == OK);
    CHECK(opencode_call(other, "session.list", NULL, &reply) == OPENCODE_STATUS_CLOSED);
    opencode_reply_free(reply);
    opencode_client_free(other);
    CHECK(opencode_call(client, "session.list", NULL, &reply) == OK);
    opencode_reply_free(reply);
    passed++;
}

static void a_directory_is_waited_for(void) {
    OpencodeReply *reply = NULL;
    CHECK(opencode_client_wait_until_ready(client, "{\"agents\":[\"build\"]}", &reply) == OK);
    CHECK(has(opencode_reply_json(reply), "\"build\""));
    opencode_reply_free(reply);
    CHECK(opencode_client_wait_until_ready(client, "{\"agents\":[\"nobody\"],\"timeout_ms\":100}", &reply) == TIMEOUT);
    CHECK(has(opencode_reply_message(reply), "no agent 'nobody'"));
    opencode_reply_free(reply);
    passed++;
}

static void a_chat_loop_needs_no_pointers(void) {
    char said[1000];
    OpencodeReply *last = NULL;
    /* With a pause between the ticks it spins; a wait takes the other way through the library. */
    int i, waits[] = {0, 50, -1};
    for (i = 0; i < 3; i++) {
        CHECK(chat("say @@[{\"text\":\"one two three\"}]", NULL, waits[i], said, &last) == 0);
        CHECK(strcmp(said, "one two three") == 0 && strcmp(opencode_update_text(last), said) == 0);
        CHECK(opencode_update_type(last) == OPENCODE_UPDATE_TYPE_DONE && opencode_update_replaces(last) == 0);
        CHECK(strcmp(opencode_update_id(last), "") == 0);
        opencode_reply_free(last);
    }
    CHECK(chat(BASH, "{\"permission\":\"ask\"}", 100, said, &last) == 0 && has(said, "allowed"));
    opencode_reply_free(last);
    CHECK(chat("x", "{\"model\":\"none/none\"}", -1, said, &last) == 1);
    CHECK(opencode_update_type(last) == OPENCODE_UPDATE_TYPE_FAILED && has(opencode_update_text(last), "none"));
    /* What is no update has no type. */
    CHECK(opencode_update_type(NULL) == OPENCODE_UPDATE_TYPE_NONE && strcmp(opencode_update_text(NULL), "") == 0);
    CHECK(strcmp(opencode_update_id(NULL), "") == 0 && opencode_update_replaces(NULL) == 0);
    opencode_reply_free(last);
    CHECK(opencode_call(client, "global.health", NULL, &last) == OK);
    CHECK(opencode_update_type(last) == OPENCODE_UPDATE_TYPE_NONE && strcmp(opencode_update_text(last), "") == 0);
    opencode_reply_free(last);
    passed++;
}

static void when_the_time_is_up(void) {
    OpencodeRun *run = NULL;
    OpencodeCall *call = NULL;
    OpencodeEvents *events = NULL;
    OpencodePty *pty = NULL;
    OpencodeTuiControl *control = NULL;
    OpencodeReply *reply = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_DONE;
    CHECK(opencode_run_text(client, SLOW, NULL, &run, NULL) == OK);
    CHECK(opencode_call_start(client, "tui.control.next", NULL, NULL, &call, NULL) == OK);
    CHECK(opencode_events_open(client, "{\"directory\":\"/nowhere\"}", &events, NULL) == OK);
    CHECK(opencode_pty_open(client, "{\"command\":\"cat\"}", &pty, NULL) == OK);
    CHECK(opencode_tui_control_open(client, &control, NULL) == OK);
    /* What waits for one thing fails, with words, and with NULL for them too; and it goes on. */
    CHECK(failed_with(opencode_run_wait(run, 1, &reply), TIMEOUT, &reply, "wait again"));
    CHECK(opencode_run_wait(run, 1, NULL) == TIMEOUT && opencode_run_wait(run, 0, NULL) == TIMEOUT);
    CHECK(failed_with(opencode_call_wait(call, 1, &reply), TIMEOUT, &reply, "tui.control.next: "));
    CHECK(opencode_call_wait(call, 1, NULL) == TIMEOUT && opencode_call_wait(call, 0, NULL) == TIMEOUT);
    /* What takes the next of many gives none. */
    CHECK(opencode_run_next(run, 1, &state, &reply) == OK && !is_over(state));
    opencode_reply_free(reply);
    while (opencode_run_poll(run, 1, &reply) == OK && reply)
        opencode_reply_free(reply);
    CHECK(!reply);
    CHECK(opencode_call_poll(call, &reply) == OK && !reply);
    while (opencode_events_next(events, 300, &reply) == OK && reply)
        opencode_reply_free(reply);
    CHECK(!reply);
    CHECK(opencode_pty_read(pty, 1, &reply) == OK && !reply);
    CHECK(opencode_tui_control_poll(control, 1, &reply) == OK && !reply);
    CHECK(opencode_call_cancel(call, &reply) == OK && !reply);
    CHECK(opencode_run_cancel(run, 0, &reply) == OK && !reply);
    CHECK(opencode_events_close(events, &reply) == OK && !reply && opencode_pty_close(pty, &reply) == OK && !reply);
    opencode_run_free(run);
    opencode_call_free(call);
    opencode_events_free(events);
    opencode_pty_free(pty);
    opencode_tui_control_free(control);
    passed++;
}

static void failures_have_words(void) {
    OpencodeRun *run = NULL;
    OpencodeReply *reply = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_DONE;
    CHECK(opencode_run_text(client, "say @@[{\"text\":\"x\"}]", NULL, &run, NULL) == OK);
    CHECK(failed_with(opencode_run_reply_permission(run, "per_1", "perhaps", NULL, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "perhaps"));
    CHECK(failed_with(opencode_run_reply_question(run, "que_1", "[1]", &reply), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &reply, "answers_json"));
    CHECK(failed_with(opencode_run_next(run, 0, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "state"));
    CHECK(opencode_run_next(run, 0, &state, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(state == OPENCODE_RUN_STATE_FAILED);
    CHECK(opencode_run_wait(run, -1, NULL) == OK);
    opencode_run_free(run);
    passed++;
}

static void versions_and_names(void) {
    char version[50];
    OpencodeReply *reply = NULL;
    OpencodeStatus status = opencode_call(client, "session.get", "{\"sessionID\":\"ses_none\"}", &reply);
    sprintf(version, "%d.%d.%d", OPENCODE_VERSION_MAJOR, OPENCODE_VERSION_MINOR, OPENCODE_VERSION_PATCH);
    CHECK(strcmp(opencode_version(), OPENCODE_VERSION) == 0 && strncmp(OPENCODE_VERSION, version, strlen(version)) == 0);
    CHECK(opencode_abi_version() == OPENCODE_ABI_VERSION);
    CHECK(strcmp(opencode_status_name(status), opencode_reply_text(reply, "/kind")) == 0);
    CHECK(strcmp(opencode_status_name(OK), "ok") == 0 && strcmp(opencode_status_name(99), "internal") == 0);
    CHECK(strcmp(opencode_status_name(-1), "unknown") == 0 && strcmp(opencode_status_name(3), "unknown") == 0);
    CHECK(sizeof(OpencodeStatus) == 4 && sizeof(OpencodeRunState) == 4 && sizeof(OpencodeUpdateType) == 4);
    opencode_reply_free(reply);
    passed++;
}

static void nothing_is_quoted_by_hand(void) {
    const char *title = "a \"title\" with \\ and\ta tab";
    OpencodeJson *json = opencode_json_new(), *wrong = opencode_json_new();
    OpencodeReply *made = NULL, *reply = NULL;
    OpencodeClient *nobody = NULL;
    CHECK(opencode_json_text(json, "title", title) == OK && opencode_json_text(json, "parentID", NULL) == OK);
    CHECK(opencode_call(client, "session.create", opencode_json_get(json), &made) == OK);
    CHECK(strcmp(opencode_reply_text(made, "/title"), title) == 0);
    opencode_json_free(json);
    json = opencode_json_new();
    opencode_json_text(json, "sessionID", opencode_reply_text(made, "/id"));
    opencode_json_object(json, "time");
    opencode_json_int64(json, "archived", 1700000000123);
    CHECK(opencode_call(client, "session.update", opencode_json_get(json), &reply) == OK);
    CHECK(opencode_reply_int64(reply, "/time/archived", 0) == 1700000000123);
    opencode_reply_free(reply);
    opencode_reply_free(made);
    /* A mistake is never taken for options that are not given. */
    CHECK(opencode_json_text(wrong, NULL, "x") == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(has(opencode_json_message(wrong), "needs a name") && has(opencode_json_get(wrong), "needs a name"));
    CHECK(failed_with(opencode_client_new(opencode_json_get(wrong), &nobody, &reply), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &reply, opencode_json_message(wrong)));
    opencode_json_free(json);
    opencode_json_free(wrong);
    CHECK(opencode_json_text(NULL, "x", "x") == OPENCODE_STATUS_INVALID_ARGUMENT && opencode_json_get(NULL));
    CHECK(has(opencode_json_message(NULL), "NULL") && opencode_json_end(NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_json_free(NULL);
    passed++;
}

/* The functions of a program are tools: calls are updates, and answers come when they come. */
static void a_tool_is_called_by_updates_and_answered_by_its_id(void) {
    static const char tool[] =
        "{\"name\":\"twice\",\"description\":\"Doubles\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}}";
    static const char prompt[] =
        "use it @@[{\"tools\":[{\"name\":\"c-prog_twice\",\"arguments\":{\"n\":21}},"
        "{\"name\":\"c-prog_twice\",\"arguments\":{\"n\":4}}]},{\"text\":\"end\"}]";
    char folder[] = "/tmp/opencode-tools-XXXXXX", options[120], id[40] = "", answer[60];
    OpencodeClient *tools = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *update = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    int calls = 0, failures = 0;

    CHECK(mkdtemp(folder));
    CHECK(failed_with(opencode_client_new("{\"tools_prefix\":\"c_prog\"}", &tools, &update), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &update, "a prefix is 1 to 15 letters, digits and '-'"));
    sprintf(options, "{\"directory\":\"%s\",\"tools_prefix\":\"c-prog\"}", folder);
    CHECK(opencode_client_new(options, &tools, NULL) == OK);
    CHECK(failed_with(opencode_tool_add(tools, "{\"name\":\"a b\"}", &update), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &update, "letters, digits"));
    CHECK(opencode_tool_add(tools, tool, NULL) == OK);
    CHECK(opencode_tool_next(tools, 0, &update) == OK && !update);
    CHECK(opencode_run_text(tools, prompt, NULL, &run, NULL) == OK);
    while (!is_over(state)) {
        CHECK(opencode_run_next(run, -1, &state, &update) == OK);
        if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_TOOL_CALL) {
            CHECK(strcmp(opencode_reply_text(update, "/name"), "twice") == 0 && strlen(opencode_update_id(update)) < sizeof id);
            strcpy(id, opencode_update_id(update));
            sprintf(answer, "{\"text\":\"it is %d\"}", 2 * (int)opencode_reply_number(update, "/arguments/n", 0));
            if (opencode_reply_number(update, "/arguments/n", 0) == 4)
                strcpy(answer, "{\"error\":\"four is too much\"}");
            CHECK(opencode_tool_reply(tools, id, answer, NULL) == OK);
            calls++;
        } else if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_DONE) {
            const char *json = opencode_reply_json(update);
            CHECK(has(json, "it is 42") && has(json, "four is too much"));
        } else if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_FAILED) {
            failures++;
        }
        opencode_reply_free(update);
    }
    CHECK(calls == 2 && failures == 0);
    CHECK(failed_with(opencode_tool_reply(tools, id, "{}", &update), OPENCODE_STATUS_NOT_FOUND, &update, "nobody waits"));
    CHECK(failed_with(opencode_tool_reply(tools, id, "{\"txt\":1}", &update), OPENCODE_STATUS_INVALID_ARGUMENT, &update,
                      "did you mean 'text'"));
    opencode_run_free(run);
    opencode_client_free(tools);
    passed++;
}

int main(void) {
    if (opencode_client_new(NULL, &client, NULL))
        return 1;
    RUN(a_chat_loop_needs_no_pointers);
    RUN(the_text_alone_is_read);
    RUN(a_directory_is_waited_for);
    RUN(when_the_time_is_up);
    RUN(failures_have_words);
    RUN(versions_and_names);
    RUN(nothing_is_quoted_by_hand);
    RUN(a_tool_is_called_by_updates_and_answered_by_its_id);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
