/* The shipped C library. `ours ROW URL COUNT` */
#define _GNU_SOURCE
#include "bench.h"
#include <opencode.h>
#include <pthread.h>

static OpencodeClient *client;
static const char *operation, *arguments, *pointer;

static int failed(OpencodeReply *reply) {
    fprintf(stderr, "%s\n", opencode_reply_message(reply));
    return 1;
}

/* One operation, and one look into its answer. */
static int get(void) {
    OpencodeReply *reply = NULL;
    if (opencode_call(client, operation, arguments, &reply) != OPENCODE_STATUS_OK) return failed(reply);
    if (!opencode_reply_text(reply, pointer)) return 1;
    opencode_reply_free(reply);
    return 0;
}

/* The answer as bytes. */
static int history(void) {
    OpencodeReply *reply = NULL;
    if (opencode_call(client, operation, arguments, &reply) != OPENCODE_STATUS_OK) return failed(reply);
    if (!opencode_reply_length(reply)) return 1;
    opencode_reply_free(reply);
    return 0;
}

static int events(long count) {
    OpencodeEvents *stream = NULL;
    OpencodeReply *event = NULL;
    long got = 0, lost = 0;
    double began = now_us();
    if (opencode_events_open(client, "{\"scope\":\"global\"}", &stream, &event) != OPENCODE_STATUS_OK) return failed(event);
    while (got + lost < count) {
        const char *type;
        if (opencode_events_next(stream, -1, &event) != OPENCODE_STATUS_OK || !event) return failed(event);
        type = opencode_reply_text(event, "/type");
        if (!type) return 1;
        if (!strcmp(type, "stream.lagged"))
            lost += (long)opencode_reply_int64(event, "/properties/count", 0);
        else if (strncmp(type, "stream.", 7))
            got++;
        opencode_reply_free(event);
    }
    bench_events(began, got, lost);
    opencode_events_free(stream);
    return 0;
}

static OpencodeRun *begin_run(void) {
    OpencodeRun *run = NULL;
    OpencodeReply *error = NULL;
    if (opencode_run_text(client, "wait", "{\"server_timeout_ms\":600000}", &run, &error) != OPENCODE_STATUS_OK) failed(error);
    return run;
}

/* Polls of runs with nothing new, one by one; what a look at the clock costs is taken off. */
static int tick(int runs) {
    enum { ROUNDS = 2000 };
    OpencodeRun **all = calloc((size_t)runs, sizeof *all);
    size_t n = 0, total = (size_t)runs * ROUNDS;
    double *times = malloc(sizeof(double) * total), clock[1001], look;
    OpencodeRunState state;
    OpencodeReply *update = NULL;
    struct timespec pause = {2, 0};
    int i, round;
    for (i = 0; i < runs; i++)
        if (!(all[i] = begin_run())) return 1;
    nanosleep(&pause, NULL);
    for (i = 0; i < runs; i++)
        while (opencode_run_next(all[i], 0, &state, &update) == OPENCODE_STATUS_OK && update) opencode_reply_free(update);
    for (i = 0; i < 1001; i++) {
        double before = now_us();
        clock[i] = now_us() - before;
    }
    qsort(clock, 1001, sizeof(double), by_size);
    look = clock[500];
    for (round = 0; round < ROUNDS; round++)
        for (i = 0; i < runs; i++) {
            double before = now_us();
            opencode_run_next(all[i], 0, &state, &update);
            times[n] = now_us() - before - look;
            if (update) opencode_reply_free(update);
            n++;
        }
    qsort(times, total, sizeof(double), by_size);
    printf("{\"ns\":%.1f,\"p999_us\":%.3f}\n", times[total / 2] * 1e3, times[total - total / 1000]);
    for (i = 0; i < runs; i++) opencode_run_free(all[i]);
    return 0;
}

/* Polls of one run with nothing new, for who counts instructions. */
static int polls(int count) {
    OpencodeRun *run = begin_run();
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    OpencodeReply *update = NULL;
    if (!run) return 1;
    while (count-- > 0) {
        if (opencode_run_next(run, 0, &state, &update) != OPENCODE_STATUS_OK) return 1;
        opencode_reply_free(update);
    }
    opencode_run_free(run);
    return state != OPENCODE_RUN_STATE_PENDING;
}

static double returned;

static void *waits(void *call) {
    OpencodeReply *reply = NULL;
    opencode_call_wait(call, -1, &reply);
    returned = now_us();
    opencode_reply_free(reply);
    return NULL;
}

/* From the cancel until the function that waited has returned. */
static int cancel(int count) {
    double *times = malloc(sizeof(double) * (size_t)count);
    struct timespec pause = {0, 5000000};
    int i;
    for (i = 0; i < count; i++) {
        OpencodeCall *call = NULL;
        OpencodeReply *error = NULL;
        pthread_t thread;
        double before;
        if (opencode_call_start(client, "global.health", NULL, NULL, &call, &error) != OPENCODE_STATUS_OK) return failed(error);
        pthread_create(&thread, NULL, waits, call);
        nanosleep(&pause, NULL);
        before = now_us();
        opencode_call_cancel(call, NULL);
        pthread_join(thread, NULL);
        times[i] = returned - before;
        opencode_call_free(call);
    }
    qsort(times, (size_t)count, sizeof(double), by_size);
    printf("{\"us\":%.1f,\"p99_us\":%.1f}\n", times[count / 2], times[count - 1 - count / 100]);
    return 0;
}

int main(int argc, char **argv) {
    char options[256], session[64];
    OpencodeReply *error = NULL;
    int status = 2, count;
    if (argc < 4) return 2;
    count = atoi(argv[3]);
    snprintf(options, sizeof options, "{\"base_url\":\"%s\"}", argv[2]);
    if (opencode_client_new(options, &client, &error) != OPENCODE_STATUS_OK) return failed(error);
    operation = "global.health", arguments = NULL, pointer = "/version";
    if (!strcmp(argv[1], "get_health")) status = bench_get(get, count);
    if (!strcmp(argv[1], "get_session")) {
        operation = "session.get", arguments = "{\"sessionID\":\"ses_1\"}", pointer = "/id";
        status = bench_get(get, count);
    }
    if (!strcmp(argv[1], "history")) {
        snprintf(session, sizeof session, "{\"sessionID\":\"ses_%s\"}", argv[3]);
        operation = "session.messages", arguments = session;
        status = bench_history(history);
    }
    if (!strcmp(argv[1], "events")) status = events(atol(argv[3]));
    if (!strcmp(argv[1], "tick")) status = tick(count);
    if (!strcmp(argv[1], "polls")) status = polls(count);
    if (!strcmp(argv[1], "cancel")) status = cancel(count);
    opencode_client_free(client);
    return status;
}
