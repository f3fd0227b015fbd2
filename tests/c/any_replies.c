/* A server whose answers are any bytes: what looks into them, lists, sums and runs end with a value or with words.
 * `any_replies [SECONDS [SEED]]`. Prints a line per test. */

#define _POSIX_C_SOURCE 200809L

#include "any.h"
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <opencode.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK OPENCODE_STATUS_OK
#define SESSION "{\"id\":\"ses_1\",\"title\":\"t\",\"directory\":\"/x\",\"time\":{\"created\":1,\"updated\":2}}"
#define PART "{\"id\":\"prt_1\",\"sessionID\":\"ses_1\",\"messageID\":\"msg_2\",\"type\":\"text\",\"text\":\"a\\u00e9\\n\"}"
#define MESSAGE                                                                                                         \
    "{\"info\":{\"id\":\"msg_2\",\"role\":\"assistant\",\"sessionID\":\"ses_1\",\"parentID\":\"msg_1\",\"cost\":0.5," \
    "\"tokens\":{\"input\":1,\"output\":2,\"reasoning\":0,\"cache\":{\"read\":1,\"write\":0}},\"finish\":\"stop\","   \
    "\"time\":{\"created\":2,\"completed\":3}},\"parts\":[" PART ",{\"type\":\"tool\",\"state\":{\"input\":{}}}]}"

static const char *const corpus[] = {
    SESSION, "[" SESSION "," SESSION "]", "[" MESSAGE "," MESSAGE "]", MESSAGE, "[]", "{}", "null", "", "0",
    "{\"a\":{\"b\":[1,-2.5e3,true,null,\"x\\\"\\u0000\\ud83d\\ude00\",{\"a/b\":1,\"m~n\":2,\"\":3}]},\"a\":1}",
    "[[[[[[[[[[1]]]]]]]]]]", "[1e999,-0,123456789012345678901234567890,0.1]", "{\"healthy\":true,\"version\":\"1.18.33\"}",
    "{\"type\":\"permission.asked\",\"properties\":{\"id\":\"per_1\"}}", "<html><title>No</title></html>",
    "{\"name\":\"NotFoundError\",\"data\":{\"message\":\"Session not found\"}}"};
static const char *const pointers[] = {"", "/", "/a", "/a/b/4", "/0", "/1/info/tokens/cache/read", "/a/b/5/a~1b", "/a/b/5/m~0n",
                                       "/~2", "x", "/99999999999999999999", "/-1", "/0/0/0/0/0/0/0/0/0/0", "\xff", "/data/message"};

/* What the server answers next; the client waits for each answer, so that nobody else looks at it meanwhile. */
static char body[70000];
static size_t length;
static int status = 200, listener = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Words that change what JSON means where they come in. */
static const char *const words[] = {"{", "}", "[", "]", "\"", ",", ":", "\\u", "\\", "null", "1e", "-", "\xff", "\xc3", "/*", " "};

static void mutate(uint64_t *chance) {
    const char *one = corpus[below(chance, sizeof corpus / sizeof *corpus)];
    unsigned changes = below(chance, 6), i;
    pthread_mutex_lock(&lock);
    length = strlen(one);
    memcpy(body, one, length);
    status = below(chance, 8) ? 200 : (int)(200 + 100 * below(chance, 4) + below(chance, 32));
    while (changes--) {
        size_t at = below(chance, (unsigned)length + 1);
        const char *word = words[below(chance, sizeof words / sizeof *words)];
        switch (below(chance, 6)) {
        case 0: body[at] = (char)below(chance, 256); length += at == length; break;
        case 1: length = at; break;
        case 2:
            memmove(body + at + strlen(word), body + at, length - at);
            memcpy(body + at, word, strlen(word));
            length += strlen(word);
            break;
        case 3: /* A piece again. */
            if (length < 8000) {
                memmove(body + at + (length - at), body + at, length - at);
                length += length - at;
            }
            break;
        case 4: /* Deeper than anything is taken. */
            for (i = 0; i < 3000 && length < sizeof body - 10; i++)
                body[length++] = below(chance, 2) ? '[' : '{';
            break;
        default:
            if (at < length) {
                memmove(body + at, body + at + 1, length - at - 1);
                length--;
            }
        }
        if (length > 60000)
            length = 60000;
    }
    pthread_mutex_unlock(&lock);
}

/* Answers the requests of one connection, one after the other. */
static void *answer(void *data) {
    int connection = (int)(intptr_t)data;
    static __thread char got[70000], sent[80000];
    size_t used = 0;
    for (;;) {
        char *end;
        ssize_t more;
        size_t head;
        got[used] = 0;
        if (!(end = strstr(got, "\r\n\r\n"))) {
            if (used >= sizeof got - 1 || (more = read(connection, got + used, sizeof got - 1 - used)) <= 0)
                break;
            used += (size_t)more;
            continue;
        }
        {
            const char *given = strstr(got, "ontent-length: ");
            size_t want = (size_t)(end + 4 - got) + (given && given < end ? (size_t)atol(given + 15) : 0);
            while (used < want && used < sizeof got - 1) {
                if ((more = read(connection, got + used, sizeof got - 1 - used)) <= 0)
                    goto gone;
                used += (size_t)more;
            }
            used = 0;
        }
        pthread_mutex_lock(&lock);
        head = (size_t)sprintf(sent, "HTTP/1.1 %d Any\r\nContent-Type: application/json\r\nContent-Length: %lu\r\n\r\n", status,
                               (unsigned long)length);
        memcpy(sent + head, body, length);
        head += length;
        pthread_mutex_unlock(&lock);
        if (send(connection, sent, head, MSG_NOSIGNAL) != (ssize_t)head)
            break;
    }
gone:
    close(connection);
    return NULL;
}

static void *serve(void *data) {
    int connection;
    while ((connection = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, answer, (void *)(intptr_t)connection) == 0)
            pthread_detach(thread);
        else
            close(connection);
    }
    return data;
}

/* Looks everywhere, to some depth; gives what contradicts itself. */
static const char *explore(const OpencodeReply *reply, int depth) {
    size_t i, count = opencode_reply_count(reply, "");
    const char *type = opencode_reply_type(reply, "");
    for (i = 0; i < sizeof pointers / sizeof *pointers; i++) {
        const char *text = opencode_reply_text(reply, pointers[i]), *kind = opencode_reply_type(reply, pointers[i]);
        double number = opencode_reply_number(reply, pointers[i], 7);
        int64_t whole = opencode_reply_int64(reply, pointers[i], 7);
        if (text && (!kind || strcmp(kind, "null") == 0))
            return "a text of nothing";
        if (kind && strcmp(kind, "null") && !text)
            return "a value without a text";
        if (text && strlen(text) > 1000000)
            return "a text that is longer than the answer";
        if (kind && strcmp(kind, "number") && (number != 7 || whole != 7))
            return "a number that is none";
        if (opencode_reply_bool(reply, pointers[i], 7) != 7 && (!kind || strcmp(kind, "boolean")))
            return "a truth that is none";
    }
    if (count && (!type || (strcmp(type, "object") && strcmp(type, "array"))))
        return "items of nothing";
    for (i = 0; i < count && i < 6; i++) {
        OpencodeReply *item = opencode_reply_item(reply, "", i);
        const char *key = opencode_reply_key(reply, "", i), *wrong;
        if (!item)
            return "an item that is counted and not there";
        if ((key != NULL) != (strcmp(type, "object") == 0))
            return "a name of a list, or none of an object";
        wrong = depth ? explore(item, depth - 1) : NULL;
        opencode_reply_free(item);
        if (wrong)
            return wrong;
    }
    if (opencode_reply_item(reply, "", count) || opencode_reply_key(reply, "", count))
        return "an item beyond the last";
    return NULL;
}

/* Whether a status and its words belong together. */
static const char *judge(OpencodeStatus got, const OpencodeReply *reply) {
    const char *message = opencode_reply_message(reply);
    if (got == OPENCODE_STATUS_INTERNAL || strcmp(opencode_status_name(got), "unknown") == 0)
        return "a bug, or no status";
    if (got != OK && (!reply || !*message || strchr(message, '\n') || opencode_reply_status(reply) != got))
        return "a failure without one line of words";
    return reply ? explore(reply, 3) : NULL;
}

static OpencodeStatus list(const OpencodeClient *client, unsigned which, OpencodeReply **reply) {
    OpencodePages *pages = NULL;
    OpencodeStatus got = OK;
    int i;
    if (which == 0 ? opencode_messages_open(client, "ses_1", "{\"page\":2}", &pages, reply)
                   : opencode_export_open(client, "ses_1", which == 1 ? NULL : "{\"format\":\"markdown\"}", &pages, reply))
        return OPENCODE_STATUS_INTERNAL;
    for (i = 0; i < 5; i++) {
        opencode_reply_free(*reply);
        *reply = NULL;
        if ((got = opencode_pages_next(pages, reply)) != OK || !*reply)
            break;
    }
    opencode_pages_free(pages);
    return got;
}

static void any_bytes_are_an_answer(void) {
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    OpencodeClient *client = NULL;
    pthread_t server;
    char options[200];
    uint64_t chance = seed * 0x9E3779B97F4A7C15u + 1;
    unsigned long rounds = 0, taken = 0;
    double end = now() + seconds;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 64) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    CHECK(pthread_create(&server, NULL, serve, NULL) == 0);
    sprintf(options, "{\"base_url\":\"http://127.0.0.1:%d\",\"max_retries\":0,\"events\":false,\"timeout_ms\":5000,\"dialect\":1}",
            ntohs(address.sin_port));
    CHECK(opencode_client_new(options, &client, NULL) == OK);
    for (; now() < end; rounds++) {
        OpencodeReply *reply = NULL;
        OpencodeStatus got;
        const char *wrong;
        double began = now();
        unsigned what = below(&chance, 20);
        mutate(&chance);
        switch (what) {
        case 0: got = list(client, 0, &reply); break;
        case 1: got = list(client, 1 + below(&chance, 2), &reply); break;
        case 2: got = opencode_client_server(client, &reply); break;
        case 3: got = opencode_call(client, "session.create", "{}", &reply); break;
        case 4: got = opencode_call(client, "session.messages", "{\"sessionID\":\"ses_1\"}", &reply); break;
        default: got = opencode_request(client, "GET", "/x", NULL, &reply);
        }
        taken += got == OK;
        wrong = judge(got, reply);
        if (!wrong && now() - began > 60)
            wrong = "it took long";
        if (wrong) {
            printf("%s: %u of seed %lu, round %lu, HTTP %d, status %d: %s\n%.*s\n", wrong, what, (unsigned long)seed, rounds,
                   status, (int)got, opencode_reply_message(reply), length > 2000 ? 2000 : (int)length, body);
        }
        CHECK(!wrong);
        opencode_reply_free(reply);
    }
    printf("%lu answers, %lu of them taken\n", rounds, taken);
    /* Both happen, or it tries nothing; where the machine has much to do, there are too few to tell. */
    CHECK(rounds < 500 || (taken > rounds / 20 && taken < rounds));
    opencode_client_free(client);
    shutdown(listener, SHUT_RDWR);
    close(listener);
    pthread_join(server, NULL);
    passed++;
}

int main(int count, char **arguments) {
    take_arguments(count, arguments);
    RUN(any_bytes_are_an_answer);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
