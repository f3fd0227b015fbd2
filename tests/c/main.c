/* The C library in the hands of a C program, against a real server. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode_operations.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static OpencodeClient *client;
static const char *self;

/* Whether a value of a reply is this text. */
static int is(const OpencodeReply *reply, const char *pointer, const char *wanted) {
    const char *got = opencode_reply_text(reply, pointer);
    return got && strcmp(got, wanted) == 0;
}

static void a_session_is_summarized_once(void) { summarized_once(client); }

static void operations(void) {
    OpencodeReply *reply = NULL;
    char arguments[200];
    CHECK(opencode_session_create(client, "{\"title\":\"from c\"}", &reply) == OPENCODE_STATUS_OK);
    CHECK(opencode_reply_http_status(reply) == 200);
    CHECK(is(reply, "/title", "from c"));
    sprintf(arguments, "{\"sessionID\":\"%s\"}", opencode_reply_text(reply, "/id"));
    opencode_reply_free(reply);
    CHECK(opencode_session_get(client, arguments, &reply) == OPENCODE_STATUS_OK);
    CHECK(opencode_reply_number(reply, "/time/created", 0) > 1.7e12);
    CHECK(opencode_reply_text(reply, "/nothing") == NULL);
    CHECK(has(opencode_reply_header(reply, "Content-Type"), "application/json"));
    CHECK(opencode_reply_length(reply) == strlen(opencode_reply_json(reply)));
    opencode_reply_free(reply);
    CHECK(opencode_call(client, "session.delete", arguments, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_request(client, "GET", "/global/health", NULL, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/healthy", "true"));
    opencode_reply_free(reply);
    passed++;
}

static void drift(void) {
    OpencodeReply *reply = NULL;
    OpencodeClient *nobody = NULL;
    CHECK(opencode_drift(client, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_json(reply), "{\"new\":[],\"gone\":[],\"changed\":[]}") == 0);
    opencode_reply_free(reply);
    CHECK(failed_with(opencode_drift(NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "client"));
    CHECK(opencode_client_new("{\"base_url\":\"http://127.0.0.1:9\",\"max_retries\":0}", &nobody, NULL) ==
          OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_drift(nobody, &reply), OPENCODE_STATUS_CONNECTION, &reply, "doc.get: "));
    opencode_client_free(nobody);
    CHECK(opencode_call_with(client, "global.health", NULL, "{\"max_retries\":0}", NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_call(client, "event.subscribe", NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &reply, "stream of events"));
    passed++;
}

static void calls(void) {
    OpencodeReply *reply = NULL;
    OpencodeCall *call = NULL;
    CHECK(opencode_call_start(client, "session.list", "{\"limit\":1}", NULL, &call, &reply) == OPENCODE_STATUS_OK);
    CHECK(opencode_call_wait(call, -1, &reply) == OPENCODE_STATUS_OK && reply);
    opencode_reply_free(reply);
    CHECK(opencode_call_poll(call, &reply) == OPENCODE_STATUS_OK && reply);
    opencode_reply_free(reply);
    opencode_call_free(call);
    CHECK(opencode_call_start(client, "tui.control.next", NULL, NULL, &call, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_call_wait(call, 50, &reply), OPENCODE_STATUS_TIMEOUT, &reply, "within 50 ms"));
    CHECK(opencode_call_poll(call, &reply) == OPENCODE_STATUS_OK && !reply);
    CHECK(opencode_call_cancel(call, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_call_wait(call, 5000, &reply), OPENCODE_STATUS_CANCELLED, &reply, "cancelled"));
    opencode_call_free(call);
    CHECK(failed_with(opencode_call_with(client, "tui.control.next", NULL, "{\"timeout_ms\":100}", &reply),
                      OPENCODE_STATUS_TIMEOUT, &reply, "100 ms"));
    passed++;
}

/* How many threads this process has. */
static int threads(void) {
    char line[200];
    int count = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Threads: %d", &count) == 1)
            break;
    if (file)
        fclose(file);
    return count;
}

static void a_thousand_calls(void) {
    static OpencodeCall *all[1000];
    OpencodeClient *other = NULL;
    OpencodeReply *reply = NULL;
    int i, most, before = threads();
    CHECK(opencode_client_new(NULL, &other, NULL) == OPENCODE_STATUS_OK);
    for (i = 0; i < 1000; i++)
        CHECK(opencode_call_start(other, "global.health", NULL, NULL, &all[i], NULL) == OPENCODE_STATUS_OK);
    most = threads();
    for (i = 0; i < 1000; i++) {
        CHECK(opencode_call_wait(all[i], 60000, &reply) == OPENCODE_STATUS_OK && is(reply, "/healthy", "true"));
        opencode_reply_free(reply);
        opencode_call_free(all[i]);
    }
    most = threads() > most ? threads() : most;
    CHECK(most > before && most - before <= 8);
    opencode_client_free(other);
    passed++;
}

/* How often this thread has slept so far, as the system counts it. */
static long sleeps(void) {
    char line[200];
    long count = -1;
    FILE *file = fopen("/proc/thread-self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
            break;
    if (file)
        fclose(file);
    return count;
}

static void runs(void) {
    OpencodeReply *update = NULL, *reply = NULL;
    OpencodeRun *run = NULL;
    char text[200] = "";
    long ticks = 0, before;
    time_t end = time(NULL) + 60;
    CHECK(opencode_run_start(client,
                             "{\"prompt\":\"count @@[{\\\"text\\\":\\\"1 2 3 4\\\",\\\"delay_ms\\\":20}]\"}",
                             &run, NULL) == OPENCODE_STATUS_OK);
    before = sleeps();
    for (;;) {
        const char *type;
        CHECK(time(NULL) < end);
        CHECK(opencode_run_poll(run, 0, &update) == OPENCODE_STATUS_OK);
        ticks++;
        if (!update)
            continue;
        type = opencode_reply_text(update, "/type");
        if (strcmp(type, "text") == 0)
            strcat(text, opencode_reply_text(update, "/delta"));
        opencode_reply_free(update);
        if (opencode_run_state(run) == OPENCODE_RUN_STATE_DONE && strcmp(text, "1 2 3 4") == 0)
            break;
        CHECK(opencode_run_state(run) != OPENCODE_RUN_STATE_FAILED);
    }
    CHECK(ticks > 1000 && (sleeps() - before) * 20 <= ticks);
    CHECK(opencode_run_wait(run, -1, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/text", text));
    CHECK(opencode_reply_number(reply, "/tokens/input", 0) == 10);
    opencode_reply_free(reply);
    CHECK(opencode_run_info(run, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/state", "done"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    passed++;
}

static void cancel_and_resume(void) {
    OpencodeReply *reply = NULL;
    OpencodeRun *run = NULL;
    CHECK(opencode_run_start(client,
                             "{\"prompt\":\"slow @@[{\\\"text\\\":\\\"a b c d\\\",\\\"delay_ms\\\":500}]\"}", &run,
                             NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_run_wait(run, 10, &reply), OPENCODE_STATUS_TIMEOUT, &reply, "not finished"));
    CHECK(opencode_run_detach(run, -1, &reply) == OPENCODE_STATUS_OK);
    opencode_run_free(run);
    CHECK(opencode_run_resume(client, opencode_reply_text(reply, "/sessionID"),
                              opencode_reply_text(reply, "/messageID"), NULL, &run, NULL) == OPENCODE_STATUS_OK);
    opencode_reply_free(reply);
    CHECK(opencode_run_cancel(run, 10000, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_run_state(run) == OPENCODE_RUN_STATE_FAILED);
    CHECK(failed_with(opencode_run_wait(run, -1, &reply), OPENCODE_STATUS_CANCELLED, &reply, "cancelled"));
    opencode_run_free(run);
    passed++;
}

static void permissions(void) {
    OpencodeReply *update = NULL, *reply = NULL;
    OpencodeRun *run = NULL;
    CHECK(opencode_run_start(client,
                             "{\"permission\":\"ask\",\"prompt\":\"ask @@[{\\\"tools\\\":[{\\\"name\\\":\\\"bash\\\","
                             "\\\"arguments\\\":{\\\"command\\\":\\\"echo yes\\\",\\\"description\\\":\\\"d\\\"}}]},"
                             "{\\\"text\\\":\\\"done\\\"}]\"}",
                             &run, NULL) == OPENCODE_STATUS_OK);
    while (opencode_run_poll(run, -1, &update) == OPENCODE_STATUS_OK && update) {
        if (is(update, "/type", "permission")) {
            CHECK(opencode_run_state(run) == OPENCODE_RUN_STATE_WAITING);
            CHECK(opencode_run_reply_permission(run, opencode_reply_text(update, "/id"), "once", NULL, NULL) ==
                  OPENCODE_STATUS_OK);
        }
        opencode_reply_free(update);
    }
    CHECK(opencode_run_wait(run, -1, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/decisions/0/by", "host"));
    opencode_reply_free(reply);
    opencode_run_free(run);
    passed++;
}

static void mistakes(void) {
    OpencodeReply *reply = NULL;
    OpencodeClient *other = NULL;
    OpencodeRun *run = NULL;
    CHECK(failed_with(opencode_client_new("{\"base_url\":\"ftp://x\"}", &other, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "base_url"));
    CHECK(failed_with(opencode_client_new("{", &other, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "JSON"));
    CHECK(failed_with(opencode_client_new(NULL, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "NULL"));
    CHECK(failed_with(opencode_client_new("\"\xff\"", &other, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "not UTF-8"));
    CHECK(opencode_client_new("{\"base_url\":\"http://127.0.0.1:9\"}", &other, &reply) == OPENCODE_STATUS_OK);
    CHECK(reply == NULL);
    CHECK(failed_with(opencode_session_list(other, NULL, &reply), OPENCODE_STATUS_CONNECTION, &reply,
                      "opencode serve"));
    opencode_client_free(other);
    CHECK(opencode_client_new("{\"password\":\"wrong\"}", &other, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_session_list(other, NULL, &reply), OPENCODE_STATUS_UNAUTHORIZED, &reply,
                      "OPENCODE_SERVER_PASSWORD"));
    CHECK(opencode_client_close(other, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_session_list(other, NULL, &reply), OPENCODE_STATUS_CLOSED, &reply, "closed"));
    opencode_client_free(other);
    CHECK(failed_with(opencode_session_get(client, "{\"sessionID\":\"ses_none\"}", &reply),
                      OPENCODE_STATUS_NOT_FOUND, &reply, "Session not found: ses_none"));
    CHECK(failed_with(opencode_call(client, "session.lst", NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "did you mean 'session.list'"));
    CHECK(failed_with(opencode_session_get(client, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "'sessionID' is missing"));
    CHECK(failed_with(opencode_session_get(client, "[1]", &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "JSON object"));
    CHECK(failed_with(opencode_session_get(NULL, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "client is NULL"));
    CHECK(failed_with(opencode_call(client, NULL, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "operation is NULL"));
    CHECK(failed_with(opencode_run_start(client, "{\"prompt\":\"\"}", &run, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "empty"));
    CHECK(failed_with(opencode_run_text(client, "x", "{\"prompt\":\"y\"}", &run, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "given twice"));
    CHECK(failed_with(opencode_run_start(client, NULL, &run, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "prompt_json is NULL"));
    CHECK(failed_with(opencode_run_start(client, "{\"prompt\":\"x\"}", NULL, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "run is NULL"));
    CHECK(failed_with(opencode_ask(client, "{\"prompt\":\"x\",\"model\":\"no/such\"}", &reply),
                      OPENCODE_STATUS_AGENT, &reply, "no/such"));
    CHECK(opencode_run_poll(NULL, 0, &reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_reply_free(reply);
    CHECK(opencode_run_state(NULL) == OPENCODE_RUN_STATE_FAILED);
    CHECK(opencode_reply_json(NULL)[0] == '\0' && opencode_reply_message(NULL)[0] == '\0');
    CHECK(opencode_reply_text(NULL, "/x") == NULL && opencode_reply_header(NULL, NULL) == NULL);
    opencode_reply_free(NULL);
    opencode_client_free(NULL);
    opencode_run_free(NULL);
    opencode_call_free(NULL);
    passed++;
}

static void events(void) {
    OpencodeReply *event = NULL, *reply = NULL;
    OpencodeEvents *stream = NULL, *everything = NULL;
    int found = 0;
    CHECK(opencode_events_open(client, NULL, &stream, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_events_open(client, "{\"scope\":\"global\"}", &everything, NULL) == OPENCODE_STATUS_OK);
    do
        CHECK(opencode_events_next(stream, 0, &event) == OPENCODE_STATUS_OK);
    while (!event);
    CHECK(is(event, "/type", "stream.connected"));
    opencode_reply_free(event);
    CHECK(opencode_events_next(everything, 60000, &event) == OPENCODE_STATUS_OK && event);
    CHECK(is(event, "/type", "stream.connected"));
    opencode_reply_free(event);
    CHECK(opencode_session_create(client, "{\"title\":\"seen by c\"}", NULL) == OPENCODE_STATUS_OK);
    while (!found) {
        CHECK(opencode_events_next(stream, 60000, &event) == OPENCODE_STATUS_OK && event);
        found = is(event, "/type", "session.created") && is(event, "/properties/info/title", "seen by c");
        opencode_reply_free(event);
    }
    opencode_events_free(everything);
    CHECK(opencode_events_close(stream, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_events_next(stream, -1, &reply), OPENCODE_STATUS_CLOSED, &reply, "closed"));
    opencode_events_free(stream);
    CHECK(failed_with(opencode_events_open(client, "{\"scope\":\"all\"}", &stream, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "directory, global"));
    CHECK(failed_with(opencode_events_open(client, NULL, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "events is NULL"));
    CHECK(opencode_events_next(NULL, 0, &reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_reply_free(reply);
    opencode_events_free(NULL);
    passed++;
}

static void pages(void) {
    OpencodeReply *item = NULL, *reply = NULL;
    OpencodePages *list = NULL;
    char arguments[200], text[20] = "", session[100];
    int i;
    CHECK(opencode_session_create(client, NULL, &reply) == OPENCODE_STATUS_OK);
    sprintf(session, "%.90s", opencode_reply_text(reply, "/id"));
    opencode_reply_free(reply);
    for (i = 0; i < 5; i++) {
        sprintf(arguments, "{\"sessionID\":\"%s\",\"noReply\":true,\"parts\":[{\"type\":\"text\",\"text\":\"%d\"}]}",
                session, i);
        CHECK(opencode_session_prompt(client, arguments, NULL) == OPENCODE_STATUS_OK);
    }
    CHECK(opencode_messages_open(client, session, "{\"page\":2}", &list, NULL) == OPENCODE_STATUS_OK);
    for (;;) {
        CHECK(opencode_pages_next(list, &item) == OPENCODE_STATUS_OK);
        if (!item)
            break;
        strcat(text, opencode_reply_text(item, "/parts/0/text"));
        opencode_reply_free(item);
    }
    CHECK(strcmp(text, "43210") == 0);
    CHECK(opencode_pages_is_complete(list) == 1 && opencode_pages_is_complete(NULL) == 0);
    opencode_pages_free(list);
    CHECK(opencode_sessions_open(client, "{\"scope\":\"global\",\"page\":1}", &list, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_pages_next(list, &item) == OPENCODE_STATUS_OK && opencode_reply_text(item, "/id"));
    opencode_reply_free(item);
    opencode_pages_free(list);
    CHECK(opencode_messages_open(client, "ses_none", NULL, &list, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_pages_next(list, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, "ses_none"));
    CHECK(opencode_pages_next(list, &item) == OPENCODE_STATUS_OK && !item);
    opencode_pages_free(list);
    opencode_pages_free(NULL);
    CHECK(failed_with(opencode_sessions_open(client, "{\"page\":0}", &list, &reply),
                      OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "1 or more"));
    CHECK(opencode_pages_next(NULL, &reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_reply_free(reply);
    passed++;
}

static void options_of_a_call(void) {
    OpencodeReply *reply = NULL;
    OpencodeCall *call = NULL;
    const char *there = "{\"directory\":\"/tmp\"}";
    CHECK(opencode_call_with(client, "path.get", NULL, there, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/directory", "/tmp"));
    opencode_reply_free(reply);
    CHECK(opencode_call_start(client, "path.get", NULL, there, &call, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_call_wait(call, 60000, &reply) == OPENCODE_STATUS_OK && is(reply, "/directory", "/tmp"));
    opencode_reply_free(reply);
    opencode_call_free(call);
    CHECK(opencode_request(client, "GET", "/path", there, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/directory", "/tmp"));
    opencode_reply_free(reply);
    CHECK(failed_with(opencode_call_with(client, "session.list", NULL, "{\"workspace\":\"wrk_none\"}", &reply),
                      OPENCODE_STATUS_SERVER, &reply, "wrk_none"));
    CHECK(failed_with(opencode_call_with(client, "session.list", NULL,
                                         "{\"headers\":{\"authorization\":\"Basic eDp5\"}}", &reply),
                      OPENCODE_STATUS_UNAUTHORIZED, &reply, "OPENCODE_SERVER_PASSWORD"));
    passed++;
}

static void logs(void) {
    OpencodeReply *record = NULL, *reply = NULL;
    OpencodeClient *loud = NULL;
    int count = 0;
    CHECK(opencode_client_next_log(client, &record) == OPENCODE_STATUS_OK && !record);
    CHECK(opencode_client_new("{\"log\":\"debug\",\"password\":\"hunter2-secret\"}", &loud, NULL) ==
          OPENCODE_STATUS_OK);
    CHECK(opencode_session_list(loud, NULL, NULL) == OPENCODE_STATUS_UNAUTHORIZED);
    CHECK(opencode_request(loud, "GET", "/session?auth_token=hunter2", NULL, NULL) == OPENCODE_STATUS_UNAUTHORIZED);
    while (opencode_client_next_log(loud, &record) == OPENCODE_STATUS_OK && record) {
        CHECK(is(record, "/level", "debug") && has(opencode_reply_text(record, "/message"), "GET /session"));
        CHECK(opencode_reply_number(record, "/time", 0) > 1.7e12);
        CHECK(!has(opencode_reply_json(record), "hunter2"));
        opencode_reply_free(record);
        count++;
    }
    CHECK(count > 0);
    opencode_client_free(loud);
    CHECK(failed_with(opencode_client_new("{\"log\":\"loud\"}", &loud, &reply), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &reply, "error, warn, info, debug"));
    CHECK(opencode_client_next_log(NULL, &reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_reply_free(reply);
    passed++;
}

/* Says things to the server that belong in no log. */
static int speak(void) {
    OpencodeClient *one = NULL;
    if (opencode_client_new("{\"headers\":{\"x-key\":\"hunter2-secret\"}}", &one, NULL))
        return 1;
    opencode_request(one, "GET", "/path?auth_token=hunter2-secret", NULL, NULL);
    opencode_global_health(one, NULL, NULL);
    opencode_client_free(one);
    return 0;
}

static void logs_of_the_environment(void) {
    static char all[20000];
    char command[1000];
    const char *password = getenv("OPENCODE_SERVER_PASSWORD");
    int quiet;
    for (quiet = 0; quiet < 2; quiet++) {
        FILE *pipe;
        CHECK(strlen(self) < 900);
        sprintf(command, "OPENCODE_LOG=%s '%s' speak 2>&1", quiet ? "" : "debug", self);
        pipe = popen(command, "r");
        CHECK(pipe);
        all[fread(all, 1, sizeof all - 1, pipe)] = 0;
        CHECK(pclose(pipe) == 0);
        if (quiet)
            CHECK(!*all);
        else
            CHECK(has(all, "opencode debug") && has(all, "GET /path?auth_token=***") && has(all, "GET /global/health"));
        CHECK(!has(all, "hunter2") && !(password && *password && has(all, password)));
    }
    passed++;
}

static void a_server_that_goes_away(void) {
    OpencodeReply *reply = NULL;
    OpencodeClient *doomed = NULL;
    char options[300];
    CHECK(getenv("OPENCODE_DOOMED_URL") != NULL);
    sprintf(options, "{\"base_url\":\"%s\"}", getenv("OPENCODE_DOOMED_URL"));
    CHECK(opencode_client_new(options, &doomed, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_ask(doomed,
                                   "{\"server_timeout_ms\":500,\"prompt\":\"doomed @@[{\\\"text\\\":\\\"a b c d e f g h "
                                   "i j k l m n\\\",\\\"delay_ms\\\":500}]\"}",
                                   &reply),
                      OPENCODE_STATUS_CONNECTION, &reply, "out of reach"));
    opencode_client_free(doomed);
    passed++;
}

/* Whether a terminal prints exactly this; sets the cursor behind it. */
static int screen_of(OpencodePty *pty, const char *wanted, double *cursor) {
    char all[1024] = "";
    OpencodeReply *reply = NULL;
    int i;
    for (i = 0; i < 60 && strlen(all) < strlen(wanted); i++) {
        if (opencode_pty_read(pty, 1000, &reply) != OPENCODE_STATUS_OK)
            break;
        if (reply && is(reply, "/type", "output")) {
            strcat(all, opencode_reply_text(reply, "/text"));
            *cursor = opencode_reply_number(reply, "/cursor", -1);
        }
        opencode_reply_free(reply);
    }
    return strcmp(all, wanted) == 0;
}

static void terminals(void) {
    OpencodeReply *reply = NULL;
    OpencodePty *pty = NULL, *other = NULL;
    char all[8192] = "";
    const char *type = "";
    double cursor = 0;
    int ticks = 0;
    CHECK(failed_with(opencode_pty_open(client, "{\"comand\":\"x\"}", &pty, &reply), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &reply, "did you mean 'command'"));
    CHECK(failed_with(opencode_pty_open(client, NULL, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "pty is NULL"));
    CHECK(opencode_pty_open(client,
                            "{\"command\":\"bash\",\"args\":[\"--norc\",\"-c\",\"read x; stty size; echo got-$x; exit "
                            "4\"],\"cols\":90,\"rows\":20}",
                            &pty, NULL) == OPENCODE_STATUS_OK);
    CHECK(strncmp(opencode_pty_id(pty), "pty_", 4) == 0);
    CHECK(failed_with(opencode_pty_resize(pty, 0, 5, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "0 columns"));
    CHECK(opencode_pty_read(pty, 0, &reply) == OPENCODE_STATUS_OK);
    opencode_reply_free(reply);
    CHECK(opencode_pty_resize(pty, 101, 33, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_pty_write(pty, "this\n", NULL) == OPENCODE_STATUS_OK);
    while (strcmp(type, "end") != 0 && ticks++ < 1000) {
        CHECK(opencode_pty_read(pty, 1000, &reply) == OPENCODE_STATUS_OK);
        if (!reply)
            continue;
        type = is(reply, "/type", "end") ? "end" : "output";
        if (strcmp(type, "output") == 0)
            strcat(all, opencode_reply_text(reply, "/text"));
        else
            CHECK(is(reply, "/exitCode", "4") && is(reply, "/complete", "true"));
        opencode_reply_free(reply);
    }
    CHECK(strstr(all, "33 101") && strstr(all, "got-this"));
    CHECK(failed_with(opencode_pty_write(pty, "x", &reply), OPENCODE_STATUS_CLOSED, &reply, "has ended"));
    opencode_pty_free(pty);
    CHECK(opencode_pty_connect(client, "pty_nobody", NULL, &other, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_pty_read(other, -1, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, "pty_nobody"));
    CHECK(opencode_pty_close(other, NULL) == OPENCODE_STATUS_OK);
    opencode_pty_free(other);
    CHECK(opencode_pty_open(client, "{\"command\":\"cat\"}", &pty, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_pty_write(pty, "skipped\n", NULL) == OPENCODE_STATUS_OK);
    CHECK(screen_of(pty, "skipped\r\nskipped\r\n", &cursor));
    /* Another handle goes on where this one is. */
    sprintf(all, "{\"cursor\":%d}", (int)cursor);
    CHECK(opencode_pty_connect(client, opencode_pty_id(pty), all, &other, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_pty_write(other, "more\n", NULL) == OPENCODE_STATUS_OK);
    CHECK(screen_of(other, "more\r\nmore\r\n", &cursor));
    opencode_pty_free(other);
    CHECK(opencode_pty_kill(pty, NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_pty_kill(pty, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, "PTY"));
    opencode_pty_free(pty);
    CHECK(opencode_pty_id(NULL)[0] == '\0');
    opencode_pty_free(NULL);
    passed++;
}

static void tools(void) {
    OpencodeReply *reply = NULL, *part = NULL;
    OpencodeTuiControl *control = NULL;
    char prompt[600], session[100];
    CHECK(failed_with(opencode_attach("/no/such/file", NULL, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, "/no/such"));
    CHECK(failed_with(opencode_attach_bytes("x", NULL, 3, NULL, &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply,
                      "bytes is NULL"));
    CHECK(opencode_attach_bytes("x", (const uint8_t *)"one\ntwo\n", 8, "{\"lines\":2}", &part) == OPENCODE_STATUS_OK);
    CHECK(is(part, "/mime", "text/plain"));
    sprintf(prompt, "{\"prompt\":[\"look @@[{\\\"text\\\":\\\"seen\\\"}]\",%s],\"files\":[]}", opencode_reply_json(part));
    opencode_reply_free(part);
    CHECK(opencode_ask(client, prompt, &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/text", "seen"));
    strcpy(session, opencode_reply_text(reply, "/sessionID"));
    opencode_reply_free(reply);
    CHECK(opencode_usage(client, session, "{\"messages\":true}", &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/count", "1") && is(reply, "/models/0/tokens/input", "10"));
    opencode_reply_free(reply);
    CHECK(failed_with(opencode_usage(client, "ses_none", NULL, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, "ses_none"));
    CHECK(opencode_tui_prompt(client, "hello", NULL) == OPENCODE_STATUS_OK);
    CHECK(failed_with(opencode_tui_prompt(client, "", &reply), OPENCODE_STATUS_INVALID_ARGUMENT, &reply, "empty"));
    CHECK(opencode_tui_control_open(client, &control, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_tui_control_poll(control, 20, &reply) == OPENCODE_STATUS_OK && reply == NULL);
    CHECK(opencode_tui_control_respond(control, "{\"ok\":true}", NULL) == OPENCODE_STATUS_OK);
    opencode_tui_control_free(control);
    opencode_tui_control_free(NULL);
    passed++;
}

static void replays(void) {
    OpencodeReply *reply = NULL;
    OpencodeClient *other = NULL;
    OpencodeReplay *replay = NULL;
    char tape[] = "tape-of-the-c-tests.jsonl", options[300];
    remove(tape);
    CHECK(failed_with(opencode_replay_start(tape, &replay, &reply), OPENCODE_STATUS_NOT_FOUND, &reply, tape));
    sprintf(options, "{\"record\":\"%s\"}", tape);
    CHECK(opencode_client_new(options, &other, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_ask(other, "{\"prompt\":\"Say @@[{\\\"text\\\":\\\"taped\\\"}]\"}", NULL) == OPENCODE_STATUS_OK);
    opencode_client_free(other);
    CHECK(opencode_replay_start(tape, &replay, NULL) == OPENCODE_STATUS_OK);
    sprintf(options, "{\"base_url\":\"%s\"}", opencode_replay_url(replay));
    CHECK(opencode_client_new(options, &other, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_ask(other, "{\"prompt\":\"Say @@[{\\\"text\\\":\\\"taped\\\"}]\"}", &reply) == OPENCODE_STATUS_OK);
    CHECK(is(reply, "/text", "taped"));
    opencode_reply_free(reply);
    opencode_client_free(other);
    opencode_replay_free(replay);
    opencode_replay_free(NULL);
    remove(tape);
    passed++;
}

/* Starts a run with a client of its own, leaves at once, and looks whether its prompt comes. */
static int is_sent(int closes, int attempt) {
    OpencodeReply *reply = NULL;
    OpencodeClient *other = NULL;
    OpencodeRun *run = NULL;
    char prompt[80], search[80], arguments[128];
    sprintf(prompt, "{\"prompt\":\"hello\",\"title\":\"left by C %d %d\"}", closes, attempt);
    sprintf(search, "{\"search\":\"left by C %d %d\"}", closes, attempt);
    if (opencode_client_new(NULL, &other, NULL) || opencode_run_start(other, prompt, &run, NULL))
        return 0;
    opencode_run_free(run);
    if (closes)
        opencode_client_close(other, NULL);
    opencode_client_free(other);
    if (opencode_call(client, "session.list", search, &reply) || !opencode_reply_text(reply, "/0/id"))
        return opencode_reply_free(reply), 0;
    sprintf(arguments, "{\"sessionID\":\"%s\"}", opencode_reply_text(reply, "/0/id"));
    opencode_reply_free(reply);
    for (int tries = 0; tries < 100; tries++) {
        opencode_call(client, "session.messages", arguments, &reply);
        int is_there = opencode_reply_text(reply, "/0/info/id") != NULL;
        opencode_reply_free(reply);
        if (is_there)
            return 1;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    return 0;
}

static void started_and_left(void) {
    OpencodeReply *reply = NULL;
    /* A machine that has much to do may need longer than the second that there is. */
    for (int closes = 0; closes < 2; closes++) {
        int attempt = 0;
        while (!is_sent(closes, attempt))
            CHECK(++attempt < 5);
    }
    OpencodeClient *lost = NULL;
    OpencodeRun *run = NULL;
    CHECK(opencode_client_new("{\"base_url\":\"http://127.0.0.1:9\"}", &lost, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_run_start(lost, "{\"prompt\":\"x\"}", &run, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_client_close(lost, NULL) == OPENCODE_STATUS_TIMEOUT);
    CHECK(failed_with(opencode_run_wait(run, -1, &reply), OPENCODE_STATUS_CLOSED, &reply, "before the prompt was sent"));
    CHECK(opencode_client_close(lost, NULL) == OPENCODE_STATUS_OK);
    opencode_run_free(run);
    opencode_client_free(lost);
    passed++;
}

static void any_order(void) {
    OpencodeClient *other = NULL;
    OpencodeRun *run = NULL;
    OpencodeCall *call = NULL;
    OpencodeEvents *stream = NULL;
    CHECK(opencode_client_new(NULL, &other, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_events_open(other, NULL, &stream, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_run_start(other, "{\"prompt\":\"Say pong\"}", &run, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_call_start(other, "global.health", NULL, NULL, &call, NULL) == OPENCODE_STATUS_OK);
    opencode_client_free(other);
    CHECK(opencode_events_next(stream, 60000, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_events_free(stream);
    CHECK(opencode_run_wait(run, 30000, NULL) == OPENCODE_STATUS_OK);
    opencode_run_free(run);
    CHECK(opencode_call_wait(call, 10000, NULL) == OPENCODE_STATUS_OK);
    opencode_call_free(call);
    passed++;
}

int main(int count, char **words) {
    if (count > 1)
        return speak();
    self = words[0];
    if (opencode_abi_version() != OPENCODE_ABI_VERSION || opencode_client_new(NULL, &client, NULL))
        return 1;
    RUN(operations);
    RUN(a_session_is_summarized_once);
    RUN(drift);
    RUN(calls);
    RUN(a_thousand_calls);
    RUN(runs);
    RUN(cancel_and_resume);
    RUN(permissions);
    RUN(mistakes);
    RUN(events);
    RUN(pages);
    RUN(options_of_a_call);
    RUN(logs);
    RUN(logs_of_the_environment);
    RUN(a_server_that_goes_away);
    RUN(terminals);
    RUN(tools);
    RUN(replays);
    RUN(started_and_left);
    RUN(any_order);
    opencode_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
