/* Servers that a C program starts itself. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *self;

static void rest(void) {
    struct timespec time = {0, 20000000};
    nanosleep(&time, NULL);
}

static int is_alive(long pid) {
    char path[64], line[400] = "";
    FILE *file;
    sprintf(path, "/proc/%ld/stat", pid);
    if (!(file = fopen(path, "r")))
        return 0;
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    return strrchr(line, ')') && !strchr("ZX", strrchr(line, ')')[2]);
}

/* Looks for a minute. */
static int ended(long pid) {
    int i;
    for (i = 0; i < 3000 && is_alive(pid); i++)
        rest();
    return !is_alive(pid);
}

static long number_in(const char *path) {
    long number = 0;
    int i;
    for (i = 0; i < 3000 && number == 0; i++) {
        FILE *file = fopen(path, "r");
        if (file) {
            if (fscanf(file, "%ld", &number) != 1)
                number = 0;
            fclose(file);
        }
        rest();
    }
    return number;
}

static void a_started_server(void) {
    struct pollfd watched = {-1, POLLIN, 0};
    OpencodeCall *call = NULL;
    int64_t fd = -1;
    OpencodeServer *server = NULL;
    OpencodeClient *client = NULL;
    OpencodeReply *reply = NULL;
    char url[200];
    long pid;
    CHECK(opencode_server_start("{\"start_timeout_ms\":60000}", &server, &reply) == OPENCODE_STATUS_OK && !reply);
    CHECK(opencode_server_poll(server) == OPENCODE_SERVER_STATE_READY);
    CHECK(opencode_server_url(server, &reply) == OPENCODE_STATUS_OK);
    sprintf(url, "%.150s", opencode_reply_text(reply, ""));
    opencode_reply_free(reply);
    CHECK(opencode_server_output(server, &reply) == OPENCODE_STATUS_OK);
    CHECK(has(opencode_reply_text(reply, ""), "listening on ") && has(opencode_reply_text(reply, ""), url));
    opencode_reply_free(reply);
    CHECK(opencode_server_environment(server, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/OPENCODE_BASE_URL"), url) == 0);
    CHECK(strcmp(opencode_reply_text(reply, "/OPENCODE_SERVER_PASSWORD"), getenv("OPENCODE_SERVER_PASSWORD")) != 0);
    CHECK(strcmp(opencode_reply_text(reply, "/OPENCODE_SERVER_PASSWORD"), opencode_reply_text(reply, "/OPENCODE_PASSWORD")) == 0);
    opencode_reply_free(reply);
    CHECK(opencode_server_client_with(server, "{\"timeout_ms\":30000}", &client, &reply) == OPENCODE_STATUS_OK);
    CHECK(opencode_ask(client, "{\"prompt\":\"Say pong @@[{\\\"text\\\":\\\"pong\\\"}]\"}", &reply) ==
          OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/text"), "pong") == 0);
    opencode_reply_free(reply);
    pid = (long)opencode_server_pid(server);
    CHECK(pid > 0 && is_alive(pid));
    /* It ends while this thread only polls. */
    CHECK(opencode_server_fd(server, &fd, NULL) == OPENCODE_STATUS_OK && fd >= 0);
    CHECK(opencode_server_close_start(server, &call, &reply) == OPENCODE_STATUS_OK && !reply);
    watched.fd = (int)fd;
    while (opencode_call_poll(call, &reply) == OPENCODE_STATUS_OK && !reply) {
        CHECK(poll(&watched, 1, 60000) == 1);
        opencode_server_poll(server);
    }
    CHECK(reply && strcmp(opencode_reply_json(reply), "") == 0);
    opencode_reply_free(reply);
    opencode_call_free(call);
    CHECK(!is_alive(pid) && opencode_server_poll(server) == OPENCODE_SERVER_STATE_CLOSED);
    /* Its number may be that of another process now. */
    CHECK(opencode_server_pid(server) == 0);
    CHECK(opencode_server_close(server, NULL) == OPENCODE_STATUS_OK);
    opencode_client_free(client);
    CHECK(failed_with(opencode_server_client(server, &client, &reply), OPENCODE_STATUS_CLOSED, &reply, "closed"));
    opencode_server_free(server);
    passed++;
}

static void a_program_of_2_x(void) {
    OpencodeServer *server = NULL;
    OpencodeClient *client = NULL;
    OpencodeReply *reply = NULL;
    char options[500];
    long pid;
    sprintf(options, "{\"binary\":\"%.400s\",\"start_timeout_ms\":60000}", getenv("OPENCODE_BIN_2"));
    CHECK(opencode_server_start(options, &server, &reply) == OPENCODE_STATUS_OK && !reply);
    CHECK(opencode_server_client(server, &client, &reply) == OPENCODE_STATUS_OK);
    CHECK(opencode_client_server(client, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/version"), "2.0.15") == 0);
    CHECK(strcmp(opencode_reply_text(reply, "/dialect"), "2.x") == 0);
    opencode_reply_free(reply);
    pid = (long)opencode_server_pid(server);
    CHECK(opencode_server_close(server, NULL) == OPENCODE_STATUS_OK);
    CHECK(!is_alive(pid));
    opencode_client_free(client);
    opencode_server_free(server);
    passed++;
}

/* Whether a server with this end of its address announces itself in the network. */
static int is_announced(const char *port) {
    OpencodeReply *reply = NULL;
    int i, found = 0;
    if (opencode_discover(2000, &reply) != OPENCODE_STATUS_OK)
        return 0;
    for (i = 0; !found; i++) {
        char at[32];
        const char *url, *source;
        sprintf(at, "/%d/url", i);
        if (!(url = opencode_reply_text(reply, at)))
            break;
        sprintf(at, "/%d/source", i);
        source = opencode_reply_text(reply, at);
        found = strcmp(source, "mdns") == 0 && strcmp(strrchr(url, ':'), port) == 0;
    }
    opencode_reply_free(reply);
    return found;
}

static void a_launched_server(void) {
    OpencodeServer *server = NULL;
    OpencodeClient *client = NULL;
    OpencodeReply *reply = NULL;
    char port[16];
    int i, found = 0;
    long pid;
    CHECK(opencode_server_launch("{\"start_timeout_ms\":60000,\"hostname\":\"0.0.0.0\",\"arguments\":[\"--mdns\"]}",
                                 &server, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_server_poll(server) == OPENCODE_SERVER_STATE_STARTING);
    CHECK(failed_with(opencode_server_client(server, &client, &reply), OPENCODE_STATUS_START, &reply, "still starting"));
    CHECK(opencode_server_wait(server, -1) == OPENCODE_SERVER_STATE_READY);
    CHECK(opencode_server_url(server, &reply) == OPENCODE_STATUS_OK);
    sprintf(port, "%.10s", strrchr(opencode_reply_text(reply, ""), ':'));
    opencode_reply_free(reply);
    for (i = 0; i < 30 && !found; i++)
        found = is_announced(port);
    CHECK(found);
    pid = (long)opencode_server_pid(server);
    opencode_server_free(server);
    CHECK(!is_alive(pid));
    passed++;
}

static void mistakes(void) {
    OpencodeServer *server = NULL;
    OpencodeReply *reply = NULL;
    CHECK(failed_with(opencode_server_start("{\"binary\":\"/no/opencode\"}", &server, &reply), OPENCODE_STATUS_START,
                      &reply, "npm install -g opencode-ai"));
    CHECK(opencode_server_start("{\"binary\":\"/bin/false\"}", &server, &reply) == OPENCODE_STATUS_START);
    CHECK(strcmp(opencode_reply_text(reply, "/code"), "exited") == 0);
    opencode_reply_free(reply);
    CHECK(failed_with(opencode_server_start("{\"bianry\":\"x\"}", &server, &reply), OPENCODE_STATUS_INVALID_ARGUMENT,
                      &reply, "did you mean 'binary'"));
    CHECK(opencode_server_start(NULL, NULL, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(opencode_server_poll(NULL) == OPENCODE_SERVER_STATE_CLOSED && opencode_server_pid(NULL) == 0);
    CHECK(opencode_server_url(NULL, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(opencode_server_close(NULL, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_server_free(NULL);
    passed++;
}

static void discovery_and_doctor(void) {
    OpencodeClient *client = NULL;
    OpencodeReply *reply = NULL;
    CHECK(opencode_discover(4000, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/0/url"), getenv("OPENCODE_BASE_URL")) == 0);
    CHECK(strcmp(opencode_reply_text(reply, "/0/dialect"), "1.x") == 0);
    CHECK(strcmp(opencode_reply_text(reply, "/0/source"), "environment") == 0);
    opencode_reply_free(reply);
    CHECK(opencode_client_new(NULL, &client, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_client_server(client, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_json(reply), "{\"dialect\":\"1.x\",\"version\":\"1.18.33\"}") == 0);
    opencode_reply_free(reply);
    CHECK(opencode_client_server(NULL, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(opencode_doctor(client, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/ok"), "true") == 0);
    CHECK(strcmp(opencode_reply_text(reply, "/checks/0/check"), "server") == 0);
    CHECK(has(opencode_reply_text(reply, "/text"), "1.18.33 (1.x)"));
    opencode_reply_free(reply);
    opencode_client_free(client);
    CHECK(opencode_doctor(NULL, NULL) == OPENCODE_STATUS_INVALID_ARGUMENT);
    passed++;
}

/* Starts itself as a host, and kills or ends it while a tool of its server runs. */
static void a_host_that_is_gone(int kills) {
    char file[] = "/tmp/opencode-c-XXXXXX", tool[64], mode[8];
    char other[72];
    pid_t host;
    long server, started, bash;
    int made = mkstemp(file);
    CHECK(made >= 0);
    close(made);
    sprintf(tool, "%s.tool", file);
    sprintf(mode, "%d", kills);
    host = fork();
    CHECK(host >= 0);
    if (host == 0) {
        execl(self, self, file, tool, mode, (char *)NULL);
        _exit(127);
    }
    server = number_in(file);
    started = number_in(tool);
    snprintf(other, sizeof other, "%s.bash", tool);
    bash = number_in(other);
    CHECK(server > 0 && started > 0 && bash > 0);
    if (kills) {
        CHECK(is_alive(server) && is_alive(started) && is_alive(bash));
        CHECK(kill(host, SIGKILL) == 0);
    }
    waitpid(host, NULL, 0);
    CHECK(ended(server) && ended(started) && ended(bash));
    remove(file);
    remove(tool);
    remove(other);
    passed++;
}

static void a_killed_host(void) { a_host_that_is_gone(1); }

static void a_host_that_just_ends(void) { a_host_that_is_gone(0); }

static int host(const char *file, const char *tool, int waits) {
    OpencodeServer *server = NULL;
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    char prompt[800];
    FILE *out;
    if (opencode_server_start("{\"start_timeout_ms\":60000}", &server, NULL) ||
        opencode_server_client(server, &client, NULL))
        return 1;
    sprintf(prompt,
            "{\"permission\":\"once\",\"prompt\":\"wait @@[{\\\"tools\\\":[{\\\"name\\\":\\\"bash\\\",\\\"arguments\\\":{"
            "\\\"command\\\":\\\"echo $$ > %s.bash; setsid sh -c 'echo $$ > %s; exec sleep 4321' & sleep 4321\\\","
            "\\\"description\\\":\\\"Wait\\\"}}]},{\\\"text\\\":\\\"never\\\"}]\"}",
            tool, tool);
    if (opencode_run_start(client, prompt, &run, NULL))
        return 1;
    out = fopen(file, "w");
    fprintf(out, "%lu\n", (unsigned long)opencode_server_pid(server));
    fclose(out);
    if (number_in(tool) == 0)
        return 1;
    while (waits)
        rest();
    return 0;
}

int main(int count, char **arguments) {
    if (count == 4)
        return host(arguments[1], arguments[2], atoi(arguments[3]));
    self = arguments[0];
    /* `here` leaves out what happens in another process. */
    RUN(a_started_server);
    RUN(a_program_of_2_x);
    RUN(a_launched_server);
    RUN(mistakes);
    RUN(discovery_and_doctor);
    if (count == 1) {
        RUN(a_killed_host);
        RUN(a_host_that_just_ends);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
