/* The limit: a socket, and nothing that understands what comes. `raw ROW URL COUNT` */
#define _GNU_SOURCE
#include "bench.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static int sock = -1;
static char request[512];
static char *buffer;
static size_t capacity = 1 << 20;

static int connect_to(const char *url) {
    struct sockaddr_in address = {0};
    int one = 1, port = atoi(strrchr(url, ':') + 1);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connect(sock, (struct sockaddr *)&address, sizeof address);
}

static void ask(const char *path) {
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n\r\n", path);
}

/* Sends the request, and takes the whole answer into the buffer. */
static int get(void) {
    size_t have = 0, want = 0;
    if (send(sock, request, strlen(request), 0) < 0) return 1;
    do {
        ssize_t n = recv(sock, buffer + have, capacity - have, 0);
        if (n <= 0) return 1;
        have += (size_t)n;
        if (!want) {
            char *end = memmem(buffer, have, "\r\n\r\n", 4);
            char *length = end ? strcasestr(buffer, "content-length:") : NULL;
            if (!length) continue;
            want = (size_t)(end - buffer) + 4 + strtoul(length + 15, NULL, 10);
            if (want > capacity) buffer = realloc(buffer, capacity = want + 1);
        }
    } while (!want || have < want);
    return 0;
}

static int events(long count) {
    double began = now_us();
    long got = 0;
    size_t kept = 0;
    if (send(sock, request, strlen(request), 0) < 0) return 1;
    while (got < count) {
        ssize_t n = recv(sock, buffer + kept, 65536, 0);
        char *from = buffer, *end;
        if (n <= 0) return 1;
        while ((end = memmem(from, (size_t)(buffer + kept + n - from), "\n\n", 2))) {
            got++;
            from = end + 2;
        }
        kept = (size_t)(buffer + kept + n - from);
        memmove(buffer, from, kept);
    }
    bench_events(began, got, 0);
    return 0;
}

int main(int argc, char **argv) {
    char path[64];
    if (argc < 4) return 2;
    buffer = calloc(1, capacity);
    if (connect_to(argv[2])) return 1;
    if (!strcmp(argv[1], "get_health") || !strcmp(argv[1], "get_session")) {
        ask(!strcmp(argv[1], "get_health") ? "/global/health" : "/session/ses_1");
        return bench_get(get, atoi(argv[3]));
    }
    if (!strcmp(argv[1], "history")) {
        snprintf(path, sizeof path, "/session/ses_%s/message", argv[3]);
        ask(path);
        return bench_history(get);
    }
    ask("/global/event");
    return events(atol(argv[3]));
}
