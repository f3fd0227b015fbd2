/* Every function with every combination of arguments that are there, missing or not UTF-8; then calls in any order, by two
 * threads that share a client and a run, to servers that answer, say nothing or are not there.
 * `any_calls [SECONDS [SEED]]`. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "any.h"
#include "check.h"
#include "silent.h"

#include <opencode.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OK OPENCODE_STATUS_OK
#define INVALID OPENCODE_STATUS_INVALID_ARGUMENT
#define COUNT(list) (sizeof list / sizeof *list)

/* One kind of handles: the first one is shared and stays. */
#define POOL(Type, name)       \
    struct {                   \
        Type *all[3], *made;   \
    } name

struct world {
    /* All combinations in turn: the digits of this number say which; or chance, when `is_any`. */
    unsigned combination, arguments;
    int is_any, has_bad, is_asked;
    uint64_t chance;
    const char *name;
    double began;
    unsigned long calls, fine;
    OpencodeReply *given;
    POOL(OpencodeClient, client);
    POOL(OpencodeRun, run);
    POOL(OpencodeCall, call);
    POOL(OpencodeEvents, events);
    POOL(OpencodePages, pages);
    POOL(OpencodePty, pty);
    POOL(OpencodeServer, server);
    POOL(OpencodeTuiControl, control);
    POOL(OpencodeReplay, replay);
    POOL(OpencodeJson, json);
    POOL(OpencodeReply, reply);
};

static __thread struct world *w;
static OpencodeClient *swift, *closed;
static OpencodeRun *common;
static char *long_text;

static unsigned digit(void) {
    unsigned found = w->combination % 3;
    w->combination /= 3;
    w->arguments++;
    return found;
}

static unsigned pick(unsigned limit) { return below(&w->chance, limit); }

/* A handle, or NULL. */
#define H(pool) (w->is_any ? (pick(12) ? w->pool.all[pick(3)] : NULL) : (digit() ? w->pool.all[0] : NULL))
/* Where a handle or a reply is written, or NULL. */
#define OUT(pool) (w->is_any ? (pick(12) ? &w->pool.made : NULL) : (digit() ? &w->pool.made : NULL))
#define R ((w->is_any ? pick(8) : digit()) ? (w->is_asked = 1, &w->given) : NULL)

static const char *const texts[] = {
    "", "x", "{}", "[]", "null", "{", "{\"a\":1,\"a\":2}", "\"x\"", "1e999", "\xf0\x9f\x98\x80", "a\nb\r\n", "%s%n", "..", "/", "/a/0",
    "{\"timeout_ms\":0}", "{\"timeout_ms\":-1}", "{\"timeout_ms\":1e300}", "{\"headers\":{\"x\":\"a\\nb\"}}", "{\"page\":0}", "{\"page\":1}",
    "{\"deadline_ms\":1}", "{\"permission\":\"ask\",\"deadline_ms\":50}", "{\"model\":\"x\"}", "{\"files\":[\"/no\"]}", "{\"format\":5}",
    "{\"sessionID\":\"ses_1\"}", "{\"sessionID\":\"..\"}", "{\"scope\":\"global\"}", "{\"max_events\":1}", "{\"directory\":\"/no\"}",
    "{\"base_url\":\"ftp://x\"}", "{\"name\":\"f\",\"description\":\"d\"}", "{\"text\":\"x\"}", "{\"value\":[[]]}", "{\"lines\":\"9-1\"}",
    "GET", "once", "ses_1", "session.list", "global.health", "usage", "doctor", "event.subscribe", "{\"traceparent\":\"00\"}"};

/* A text: what fits, NULL, one that is no UTF-8, or any other. */
static const char *text(const char *fitting) {
    unsigned which;
    if (w->is_any && pick(2))
        return fitting;
    which = w->is_any ? pick(12) : digit();
    if (which == 0)
        return NULL;
    if (which == 2) {
        w->has_bad = 1;
        return "\"\xff\xfe";
    }
    if (!w->is_any)
        return fitting;
    return pick(20) ? texts[pick(COUNT(texts))] : long_text;
}
#define T(fitting) text(fitting)

/* Options of a server, which starts the real one where they say nothing else. */
static const char *other_program(const char *fitting) {
    const char *found = w->is_any ? (pick(4) ? fitting : "{\"x\":1}") : text(fitting);
    return found ? found : "{\"binary\":5}";
}

static int64_t times(void) { return w->is_any ? (int64_t)pick(3) * 10 : 0; }

#define DO(call) (w->name = #call, w->began = now(), call)
/* Once in a while: it takes long, or starts a program. */
#define RARELY(limit) \
    if (w->is_any && pick(limit)) return OK

enum { FUNCTIONS = 89 };

static OpencodeStatus touch(void) {
    const OpencodeReply *reply = H(reply);
    const char *pointer = T("/0/id"), *found;
    OpencodeReply *item;
    size_t seen = opencode_reply_length(reply) + strlen(opencode_reply_json(reply)) + strlen(opencode_reply_message(reply));
    seen += (found = opencode_reply_text(reply, pointer)) ? strlen(found) : 0;
    seen += (found = opencode_reply_header(reply, pointer)) ? strlen(found) : 0;
    seen += (found = opencode_reply_type(reply, pointer)) ? strlen(found) : 0;
    seen += (found = opencode_reply_key(reply, pointer, 0)) ? strlen(found) : 0;
    item = opencode_reply_item(reply, pointer, seen % 3);
    seen += opencode_reply_count(item, NULL) + (size_t)opencode_reply_http_status(reply);
    opencode_reply_free(item);
    seen += (size_t)opencode_reply_int64(reply, pointer, 1) + (size_t)opencode_reply_bool(reply, pointer, 1);
    seen += (size_t)opencode_update_type(reply) + strlen(opencode_update_text(reply)) + strlen(opencode_update_id(reply));
    seen += (size_t)opencode_update_replaces(reply) + (opencode_reply_number(reply, pointer, 1) > 0);
    return seen == (size_t)-1 ? OPENCODE_STATUS_INTERNAL : OK;
}

static OpencodeStatus look_at_handles(void) {
    OpencodeServer *server = H(server);
    int64_t seen = (int64_t)strlen(opencode_version()) + (int64_t)opencode_abi_version() + opencode_run_state(H(run)) + opencode_server_poll(server) + opencode_server_wait(server, times());
    seen += (int64_t)opencode_server_pid(server) + opencode_pages_is_complete(H(pages));
    seen += (int64_t)strlen(opencode_pty_id(H(pty))) + (int64_t)strlen(opencode_replay_url(H(replay)));
    return seen == -1 ? OPENCODE_STATUS_INTERNAL : OK;
}

/* Calls a function; those that are called with NULL beside OUT get one that may be NULL. */
static OpencodeStatus step(unsigned which) {
    int64_t fd;
    int32_t is_end;
    OpencodeRunState state;
    const char *any_json = "{\"timeout_ms\":100}";
    switch (which) {
    case 0: return DO(opencode_client_new(T("{\"timeout_ms\":200,\"max_retries\":0,\"log\":\"debug\"}"), OUT(client), R));
    case 1: return DO(opencode_client_with(H(client), T(any_json), OUT(client), R));
    case 2: RARELY(60); return DO(opencode_client_close(w->is_any ? w->client.all[2] : closed, R));
    case 3: return DO(opencode_client_fd(H(client), w->is_any || digit() ? &fd : NULL, R));
    case 4: return DO(opencode_client_next_log(H(client), R));
    case 5: return DO(opencode_call(H(client), T("session.list"), T("{}"), R));
    case 6: return DO(opencode_call_with(H(client), T("session.list"), T("{}"), T(any_json), R));
    case 7: return DO(opencode_request(H(client), T("GET"), T("/x"), T("{}"), R));
    case 8: RARELY(4); return DO(opencode_ask(w->is_any ? swift : H(client), T("{\"prompt\":\"x\",\"deadline_ms\":500}"), R));
    case 9: RARELY(60); return DO(opencode_drift(w->is_any || digit() ? closed : NULL, R));
    case 10: RARELY(20); return DO(opencode_client_wait_until_ready(w->is_any || digit() ? closed : NULL, T(any_json), R));
    case 11: return DO(opencode_call_start(H(client), T("session.list"), T("{}"), T(any_json), OUT(call), R));
    case 12: return DO(opencode_call_poll(H(call), R));
    case 13: return DO(opencode_call_wait(H(call), times(), R));
    case 14: return DO(opencode_call_cancel(H(call), R));
    case 15: RARELY(60); return DO(opencode_client_close_start(w->is_any ? w->client.all[2] : closed, OUT(call), R));
    case 16: return DO(opencode_run_start(H(client), T("{\"prompt\":\"x\"}"), OUT(run), R));
    case 17: return DO(opencode_run_text(H(client), T("x"), T("{\"deadline_ms\":500}"), OUT(run), R));
    case 18: return DO(opencode_run_resume(H(client), T("ses_1"), T("msg_1"), T("{\"deadline_ms\":500}"), OUT(run), R));
    case 19: return DO(opencode_run_poll(H(run), times(), R));
    case 20: return DO(opencode_run_wait(H(run), times(), R));
    case 21: return DO(opencode_run_cancel(H(run), times(), R));
    case 22: return DO(opencode_run_info(H(run), R));
    case 23: return DO(opencode_run_reply_permission(H(run), T("per_1"), T("once"), T("x"), R));
    case 24: return DO(opencode_run_reply_question(H(run), T("que_1"), T("[[\"x\"]]"), R));
    case 25: return DO(opencode_run_detach(H(run), times(), R));
    case 26: return DO(opencode_run_next(H(run), times(), w->is_any || digit() ? &state : NULL, R));
    case 27: return DO(opencode_run_next_text(H(run), times(), w->is_any || digit() ? &state : NULL, R));
    case 28: return DO(opencode_tool_add(H(client), T("{\"name\":\"f\",\"description\":\"d\"}"), R));
    case 29: return DO(opencode_tool_reply(H(client), T("1"), T("{\"text\":\"x\"}"), R));
    case 30: return DO(opencode_tool_next(H(client), times(), R));
    case 31: return DO(opencode_pty_open(H(client), T("{\"command\":\"cat\"}"), OUT(pty), R));
    case 32: return DO(opencode_pty_open_start(H(client), T("{\"command\":\"cat\"}"), OUT(call), R));
    case 33: return DO(opencode_call_pty(H(call), OUT(pty), R));
    case 34: return DO(opencode_pty_connect(H(client), T("pty_1"), T("{\"cursor\":0}"), OUT(pty), R));
    case 35: return DO(opencode_pty_read(H(pty), times(), R));
    case 36: return DO(opencode_pty_write(H(pty), T("x"), R));
    case 37: return DO(opencode_pty_resize(H(pty), (int32_t)pick(3) - 1, INT32_MAX, R));
    case 38: return DO(opencode_pty_kill(H(pty), R));
    case 39: return DO(opencode_pty_kill_start(H(pty), OUT(call), R));
    case 40: return DO(opencode_pty_close(H(pty), R));
    case 41: RARELY(200); return DO(opencode_server_start(other_program("{\"binary\":\"/bin/false\"}"), OUT(server), R));
    case 42: RARELY(100); return DO(opencode_server_launch(other_program("{\"binary\":\"/bin/true\"}"), OUT(server), R));
    case 43: return DO(opencode_server_client(H(server), OUT(client), R));
    case 44: return DO(opencode_server_client_with(H(server), T("{}"), OUT(client), R));
    case 45: return DO(opencode_server_url(H(server), R));
    case 46: return DO(opencode_server_environment(H(server), R));
    case 47: return DO(opencode_server_output(H(server), R));
    case 48: return DO(opencode_server_close(H(server), R));
    case 49: return DO(opencode_server_close_start(H(server), OUT(call), R));
    case 50: return DO(opencode_server_fd(H(server), w->is_any || digit() ? &fd : NULL, R));
    case 51: return DO(opencode_events_open(H(client), T("{}"), OUT(events), R));
    case 52: return DO(opencode_events_next(H(events), times(), R));
    case 53: return DO(opencode_events_close(H(events), R));
    case 54: return DO(opencode_attach(T("/etc/hostname"), T("{}"), R));
    case 55: return DO(opencode_attach_bytes(T("x"), w->is_any || digit() ? (const uint8_t *)"hi" : NULL, 2, T("{}"), R));
    case 56: RARELY(100); return DO(opencode_discover(times(), R));
    case 57: return DO(opencode_client_server(H(client), R));
    case 58: RARELY(100); return DO(opencode_doctor(w->is_any || digit() ? closed : NULL, R));
    case 59: return DO(opencode_export_open(H(client), T("ses_1"), T("{}"), OUT(pages), R));
    case 60: return DO(opencode_export_to(H(client), T("ses_1"), T("/no/such/folder/x"), T("{}"), R));
    case 61: return DO(opencode_messages_open(H(client), T("ses_1"), T("{}"), OUT(pages), R));
    case 62: return DO(opencode_sessions_open(H(client), T("{}"), OUT(pages), R));
    case 63: return DO(opencode_pages_next(H(pages), R));
    case 64: return DO(opencode_pages_poll(H(pages), times(), w->is_any || digit() ? &is_end : NULL, R));
    case 65: return DO(opencode_usage(H(client), T("ses_1"), T("{}"), R));
    case 66: return DO(opencode_usage_of_all(H(client), T("{}"), R));
    case 67: return DO(opencode_tui_prompt(H(client), T("x"), R));
    case 68: return DO(opencode_tui_control_open(H(client), OUT(control), R));
    case 69: return DO(opencode_tui_control_poll(H(control), times(), R));
    case 70: return DO(opencode_tui_control_respond(H(control), T("{}"), R));
    case 71: return DO(opencode_replay_start(T("/no/such/file"), OUT(replay), R));
    case 72: return w->json.made = opencode_json_new(), OK;
    /* These have their words in opencode_json_message(). */
    case 73: return DO(opencode_json_text(H(json), T("a"), T("x")));
    case 74: return DO(opencode_json_raw(H(json), T("a"), T("[1]")));
    case 75: return DO(opencode_json_number(H(json), T("a"), 1e300 * 1e10));
    case 76: return DO(opencode_json_int64(H(json), T("a"), INT64_MIN));
    case 77: return DO(opencode_json_bool(H(json), T("a"), 7));
    case 78: return DO(opencode_json_object(H(json), T("a")));
    case 79: return DO(opencode_json_list(H(json), T("a")));
    case 80: return DO(opencode_json_end(H(json)));
    case 81: return DO(opencode_json_get(H(json))) || *opencode_json_message(H(json)) || !w->has_bad ? OK : INVALID;
    case 82: return DO(touch());
    case 83: return DO(opencode_compact(H(client), T("ses_1"), T("{\"deadline_ms\":500}"), OUT(run), R));
    default: return DO(look_at_handles());
    }
}

/* Puts what was handed out in the place of another one, or frees it at once. */
#define KEEP(pool, release)                                                     \
    do {                                                                        \
        unsigned at = 1 + pick(2);                                              \
        if (w->is_any && w->pool.made) {                                        \
            release(w->pool.all[at]);                                           \
            w->pool.all[at] = w->pool.made;                                     \
        } else if (w->pool.made) {                                              \
            release(w->pool.made);                                              \
        } else if (w->is_any && !pick(200)) {                                   \
            release(w->pool.all[at]);                                           \
            w->pool.all[at] = NULL;                                             \
        }                                                                       \
        w->pool.made = NULL;                                                    \
    } while (0)

static void keep(void) {
    KEEP(client, opencode_client_free);
    KEEP(run, opencode_run_free);
    KEEP(call, opencode_call_free);
    KEEP(events, opencode_events_free);
    KEEP(pages, opencode_pages_free);
    KEEP(pty, opencode_pty_free);
    KEEP(server, opencode_server_free);
    KEEP(control, opencode_tui_control_free);
    KEEP(replay, opencode_replay_free);
    KEEP(json, opencode_json_free);
    w->reply.made = w->given;
    w->given = NULL;
    KEEP(reply, opencode_reply_free);
}

/* What is wrong with what a call gave, or NULL. */
static const char *judge(unsigned which, OpencodeStatus got) {
    const char *message = opencode_reply_message(w->given);
    if (got == OPENCODE_STATUS_INTERNAL || strcmp(opencode_status_name(got), "unknown") == 0)
        return "a bug, or no status";
    if (w->is_asked && got != OK && (!*message || strchr(message, '\n') || opencode_reply_status(w->given) != got))
        return "a failure without one line of words";
    if (w->given && got == OK && *message)
        return "words of a failure, and none";
    if (!w->is_any && w->has_bad && got != INVALID && which != 82)
        return "a text that is no UTF-8 was taken";
    if (got != OK && (w->client.made || w->run.made || w->call.made || w->pages.made || w->pty.made || w->server.made))
        return "a handle of a failure";
    return NULL;
}

static int one(unsigned which) {
    const char *wrong;
    OpencodeStatus got;
    w->has_bad = w->is_asked = 0;
    w->name = "";
    w->began = now();
    got = step(which);
    w->calls++;
    w->fine += got == OK;
    wrong = judge(which, got);
    if (!wrong && now() - w->began > 60)
        wrong = "it took long";
    if (wrong)
        printf("%s: %s, status %d: %s\n", w->name, wrong, (int)got, opencode_reply_message(w->given));
    w->began = 0;
    keep();
    return wrong == NULL;
}

/* The handles that every thread begins with. */
static void begin(struct world *world, uint64_t chance) {
    memset(world, 0, sizeof *world);
    w = world;
    w->chance = chance * 0x9E3779B97F4A7C15u + 1;
    w->client.all[0] = swift;
    w->run.all[0] = common;
}

static void end(void) {
    int i, rounds;
    w->client.all[0] = NULL;
    w->run.all[0] = NULL;
    for (rounds = 0; rounds < 2; rounds++)
        for (i = 0; i < 3; i++) {
            if (rounds == 0 && pick(2))
                continue;
#define END(pool, release) (release(w->pool.all[i]), w->pool.all[i] = NULL)
            END(client, opencode_client_free);
            END(run, opencode_run_free);
            END(call, opencode_call_free);
            END(events, opencode_events_free);
            END(pages, opencode_pages_free);
            END(pty, opencode_pty_free);
            END(server, opencode_server_free);
            END(control, opencode_tui_control_free);
            END(replay, opencode_replay_free);
            END(json, opencode_json_free);
            END(reply, opencode_reply_free);
        }
}

static void every_combination_of_arguments(void) {
    static struct world world;
    unsigned which, combination, all;
    unsigned long combinations = 0;
    begin(&world, 1);
    CHECK(opencode_call_start(swift, "global.health", NULL, NULL, &w->call.all[0], NULL) == OK);
    CHECK(opencode_events_open(swift, NULL, &w->events.all[0], NULL) == OK);
    CHECK(opencode_sessions_open(swift, NULL, &w->pages.all[0], NULL) == OK);
    CHECK(opencode_pty_connect(swift, "pty_1", NULL, &w->pty.all[0], NULL) == OK);
    CHECK(opencode_tui_control_open(swift, &w->control.all[0], NULL) == OK);
    CHECK(opencode_server_launch("{\"binary\":\"/bin/cat\"}", &w->server.all[0], NULL) == OK);
    CHECK(opencode_call(swift, "global.health", NULL, &w->reply.all[0]) == OK);
    for (which = 0; which < FUNCTIONS; which++)
        for (combination = 0, all = 1; combination < all; combination++) {
            unsigned i;
            /* What was written is no better than its first mistake. */
            opencode_json_free(w->json.all[0]);
            w->json.all[0] = opencode_json_new();
            w->combination = combination;
            w->arguments = 0;
            CHECK(one(which));
            for (i = 0, all = 1; i < w->arguments; i++)
                all *= 3;
            combinations++;
        }
    end();
    printf("%lu combinations\n", combinations);
    CHECK(combinations > 5000);
    passed++;
}

static struct world worlds[2];
static int is_wrong[2];
static volatile int is_over;

static void *play(void *data) {
    int mine = *(int *)data;
    OpencodeClient *mute;
    begin(&worlds[mine], seed * 2 + (uint64_t)mine);
    w->is_any = 1;
    mute = silent();
    is_wrong[mine] = opencode_client_with(mute, "{\"timeout_ms\":30,\"max_retries\":0}", &w->client.all[1], NULL) != OK ||
                     opencode_client_new("{\"base_url\":\"http://127.0.0.1:9\",\"max_retries\":0}", &w->client.all[2], NULL) != OK;
    while (!is_over && !is_wrong[mine])
        is_wrong[mine] = !one(pick(FUNCTIONS));
    end();
    opencode_client_free(mute);
    return NULL;
}

static void any_calls_in_any_order(void) {
    pthread_t threads[2];
    int numbers[2] = {0, 1}, i;
    double over = now() + seconds;
    const struct timespec pause = {0, 50000000};
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, play, &numbers[i]) == 0);
    while (now() < over) {
        nanosleep(&pause, NULL);
        for (i = 0; i < 2; i++) {
            double began = worlds[i].began;
            if (began > 0 && now() - began > 180) {
                printf("FAILED %s: seed %lu: it does not return: %s\n", current, (unsigned long)seed, worlds[i].name);
                fflush(stdout);
                abort();
            }
        }
    }
    is_over = 1;
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("%lu calls, %lu of them OK\n", worlds[0].calls + worlds[1].calls, worlds[0].fine + worlds[1].fine);
    CHECK(!is_wrong[0] && !is_wrong[1]);
    /* Some work, or it tries nothing; where the machine has much to do, there are too few to tell. */
    CHECK(worlds[0].calls < 500 || worlds[0].fine > worlds[0].calls / 20);
    passed++;
}

int main(int count, char **arguments) {
    char options[300];
    take_arguments(count, arguments);
    if (!getenv("OPENCODE_SWIFT_URL") || !(long_text = malloc(100001)))
        return 1;
    memset(long_text, '[', 100000);
    long_text[100000] = 0;
    sprintf(options, "{\"base_url\":\"%.200s\",\"events\":false,\"timeout_ms\":1000,\"max_retries\":0}", getenv("OPENCODE_SWIFT_URL"));
    if (opencode_client_new(options, &swift, NULL) || opencode_client_new(NULL, &closed, NULL) ||
        opencode_client_close(closed, NULL) || opencode_run_text(swift, "x", NULL, &common, NULL))
        return 1;
    RUN(every_combination_of_arguments);
    RUN(any_calls_in_any_order);
    opencode_run_free(common);
    opencode_client_free(closed);
    opencode_client_free(swift);
    free(long_text);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
