/* Looking into replies: values, names and items, without a tree of the body. Prints a line per test.
 *
 * Started as `looks make` or `looks look` it makes replies of 388 bytes, and looks into them or not: the difference of
 * the instructions is what a look costs. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <arpa/inet.h>
#include <opencode.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK
#define TIMES 1000
/* Bytes of the long answer, and items in it. */
#define LONG 100000000
#define ITEM "{\"id\":\"%08d\",\"parts\":[{\"type\":\"text\",\"n\":null},[1,2,3]]}"

static const char *self;

static int is(const OpencodeReply *reply, const char *pointer, const char *wanted) {
    const char *got = opencode_reply_text(reply, pointer);
    return got && strcmp(got, wanted) == 0;
}

/* A server for one request: gives a list of LONG bytes. */
static void *serve(void *argument) {
    int listener = *(int *)argument, connection = accept(listener, NULL, NULL);
    char buffer[4096], *block = malloc(1 << 20);
    long sent = 0, total;
    int number = 0, length;
    if (!block || read(connection, buffer, sizeof buffer) <= 0)
        return NULL;
    length = sprintf(block, ITEM ",", 0);
    total = LONG / length * (long)length + 1;
    sent = sprintf(buffer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %ld\r\n\r\n[", total);
    if (write(connection, buffer, (size_t)sent) != sent)
        return NULL;
    for (sent = 1; sent < total;) {
        int end = 0, at = 0;
        while (end + length < 1 << 20 && sent + end < total)
            end += sprintf(block + end, ITEM ",", number++);
        sent += end;
        if (sent == total)
            block[end - 1] = ']';
        while (at < end) {
            ssize_t wrote = write(connection, block + at, (size_t)(end - at));
            if (wrote <= 0)
                return NULL;
            at += (int)wrote;
        }
    }
    free(block);
    close(connection);
    return NULL;
}

/* A line of numbers about the memory of this process, in KB. The most that it was counts from `forget`. */
static long memory(const char *name) {
    char line[200];
    long found = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0)
            found = atol(line + strlen(name));
    if (status)
        fclose(status);
    return found;
}

static void forget(void) {
    FILE *refs = fopen("/proc/self/clear_refs", "w");
    if (refs) {
        fputs("5", refs);
        fclose(refs);
    }
}

static void a_look_into_a_long_answer_needs_no_memory(void) {
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), i;
    char options[200];
    OpencodeClient *client = NULL;
    OpencodeReply *reply = NULL;
    pthread_t server;
    long before;
    size_t count;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    CHECK(pthread_create(&server, NULL, serve, &listener) == 0);
    sprintf(options, "{\"base_url\":\"http://127.0.0.1:%d\",\"max_body_bytes\":200000000}", ntohs(address.sin_port));
    CHECK(opencode_client_new(options, &client, NULL) == OK);
    CHECK(opencode_request(client, "GET", "/long", "{\"max_retries\":0}", &reply) == OK);
    CHECK(opencode_reply_length(reply) > LONG - 1000);

    forget();
    before = memory("VmRSS:");
    count = opencode_reply_count(reply, "");
    CHECK(count > 1000000);
    for (i = 0; i < 1000; i++) {
        char wanted[20];
        /* All over the list, and back. */
        size_t at = (size_t)i * 7919 * 1009 % count;
        OpencodeReply *item = opencode_reply_item(reply, "", at);
        sprintf(wanted, "%08d", (int)at);
        CHECK(is(item, "/id", wanted) && is(item, "/parts/1/2", "3"));
        CHECK(strcmp(opencode_reply_type(item, "/parts/0/n"), "null") == 0 && !opencode_reply_type(item, "/parts/0/x"));
        opencode_reply_free(item);
    }
    CHECK(opencode_reply_item(reply, "", count) == NULL);
    if (memory("VmHWM:") - before > 20000)
        printf("%ld KB before, %ld KB at most\n", before, memory("VmHWM:"));
    CHECK(memory("VmHWM:") > 0 && memory("VmHWM:") - before <= 20000);
    opencode_reply_free(reply);
    opencode_client_free(client);
    pthread_join(server, NULL);
    close(listener);
    passed++;
}

static void values_names_and_items(void) {
    OpencodeReply *reply = NULL, *field = NULL, *inner = NULL;
    size_t i;
    char names[200] = "";
    /* What an error says is JSON too. */
    CHECK(opencode_client_new("{\"base_url\":\"ftp://x\"}", NULL, &reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(opencode_reply_count(reply, "") >= 8 && opencode_reply_count(reply, "/kind") == 0);
    for (i = 0; i < opencode_reply_count(reply, ""); i++)
        strcat(strcat(names, opencode_reply_key(reply, "", i)), " ");
    CHECK(has(names, "kind ") && has(names, "number ") && has(names, "retryable ") && has(names, "message "));
    CHECK(opencode_reply_int64(reply, "/number", -1) == 1 && opencode_reply_int64(reply, "/kind", -1) == -1);
    CHECK(opencode_reply_bool(reply, "/retryable", 7) == 0 && opencode_reply_bool(reply, "/kind", 7) == 7);
    CHECK(strcmp(opencode_reply_type(reply, "/body"), "null") == 0 && opencode_reply_type(reply, "/none") == NULL);
    CHECK(opencode_reply_text(reply, "/body") == NULL && opencode_reply_text(reply, "/none") == NULL);
    for (i = 0; strcmp(opencode_reply_key(reply, "", i), "kind"); i++)
        ;
    field = opencode_reply_item(reply, "", i);
    CHECK(opencode_reply_key(reply, "", i) == opencode_reply_key(reply, "", i));
    opencode_reply_free(reply);
    CHECK(strcmp(opencode_reply_json(field), "\"invalid_argument\"") == 0 && is(field, "", "invalid_argument"));
    CHECK(opencode_reply_length(field) == strlen(opencode_reply_json(field)));
    CHECK(opencode_reply_key(field, "", 0) == NULL && opencode_reply_item(field, "", 0) == NULL);
    opencode_reply_free(field);
    /* Of nothing there is nothing. */
    CHECK(opencode_reply_int64(NULL, "", 3) == 3 && opencode_reply_bool(NULL, "", 3) == 3);
    CHECK(opencode_reply_count(NULL, "") == 0 && !opencode_reply_key(NULL, "", 0) && !opencode_reply_item(NULL, "", 0));
    CHECK(opencode_attach_bytes("x.txt", (const uint8_t *)"hi", 2, NULL, &inner) == OK);
    CHECK(opencode_reply_int64(inner, NULL, 3) == 3 && opencode_reply_bool(inner, NULL, 3) == 3);
    CHECK(opencode_reply_count(inner, NULL) == 0 && !opencode_reply_key(inner, NULL, 0));
    CHECK(!opencode_reply_item(inner, NULL, 0) && !opencode_reply_item(inner, "no pointer", 0));
    CHECK(opencode_reply_count(inner, "\xff") == 0 && !opencode_reply_key(inner, "", (size_t)-1));
    opencode_reply_free(inner);
    passed++;
}

/* Makes replies of 388 bytes, and looks into them or not. */
static int repeat(int is_looking) {
    uint8_t bytes[400] = {0};
    OpencodeReply *reply = NULL;
    size_t length = 0;
    int i, seen = 0;
    while (length < sizeof bytes) {
        opencode_attach_bytes("x.bin", bytes, length++, "{\"mime\":\"a/b\"}", &reply);
        if (opencode_reply_length(reply) >= 388)
            break;
        opencode_reply_free(reply);
    }
    opencode_reply_free(reply);
    for (i = 0; i < TIMES; i++) {
        opencode_attach_bytes("x.bin", bytes, length, "{\"mime\":\"a/b\"}", &reply);
        seen += !is_looking || strcmp(opencode_reply_text(reply, "/type"), "file") == 0;
        opencode_reply_free(reply);
    }
    return seen != TIMES;
}

/* The instructions of this program with an argument; 0 when they cannot be counted. */
static double instructions(const char *argument) {
    char command[4200], line[400];
    double found = 0;
    FILE *output;
    snprintf(command, sizeof command, "valgrind --tool=callgrind --callgrind-out-file=/dev/null '%s' %s 2>&1", self, argument);
    output = popen(command, "r");
    while (output && fgets(line, sizeof line, output))
        if (strstr(line, "Collected : "))
            found = atof(strstr(line, "Collected : ") + strlen("Collected : "));
    return output && pclose(output) == 0 ? found : 0;
}

static void a_first_look_is_short(void) {
    double made = instructions("make"), looked = instructions("look"), each = (looked - made) / TIMES;
    printf("a first look at 388 bytes: %.0f instructions\n", each);
    CHECK(made > 0 && looked > made && each <= 8000);
    passed++;
}

int main(int count, char **words) {
    self = words[0];
    if (count > 1)
        return repeat(strcmp(words[1], "look") == 0);
    RUN(values_names_and_items);
    RUN(a_look_into_a_long_answer_needs_no_memory);
    RUN(a_first_look_is_short);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
