/* libcurl and cJSON. `curl ROW URL COUNT` */
#define _GNU_SOURCE
#include "bench.h"
#include <cjson/cJSON.h>
#include <curl/curl.h>

static CURL *curl;
static char *body;
static size_t length, capacity;
static long got, wanted;

static size_t keep(char *data, size_t size, size_t count, void *unused) {
    size_t bytes = size * count;
    (void)unused;
    if (length + bytes + 1 > capacity) {
        capacity = (length + bytes + 1) * 2;
        body = realloc(body, capacity);
    }
    memcpy(body + length, data, bytes);
    length += bytes;
    return bytes;
}

static int get(void) {
    cJSON *json;
    length = 0;
    if (curl_easy_perform(curl) != CURLE_OK) return 1;
    json = cJSON_ParseWithLength(body, length);
    if (!json) return 1;
    cJSON_Delete(json);
    return 0;
}

static size_t split(char *data, size_t size, size_t count, void *unused) {
    char *from, *end;
    keep(data, size, count, unused);
    from = body;
    while ((end = memmem(from, (size_t)(body + length - from), "\n\n", 2))) {
        cJSON *json = cJSON_ParseWithLength(from + 6, (size_t)(end - from) - 6);
        if (!json) return 0;
        cJSON_Delete(json);
        from = end + 2;
        if (++got >= wanted) return 0;
    }
    length = (size_t)(body + length - from);
    memmove(body, from, length);
    return size * count;
}

int main(int argc, char **argv) {
    char url[256];
    const char *path = "/global/event";
    double began;
    if (argc < 4) return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (!strcmp(argv[1], "get_health")) path = "/global/health";
    if (!strcmp(argv[1], "get_session")) path = "/session/ses_1";
    snprintf(url, sizeof url, "%s%s", argv[2], path);
    if (!strcmp(argv[1], "history")) snprintf(url, sizeof url, "%s/session/ses_%s/message", argv[2], argv[3]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, strcmp(argv[1], "events") ? keep : split);
    if (!strncmp(argv[1], "get_", 4)) return bench_get(get, atoi(argv[3]));
    if (!strcmp(argv[1], "history")) return bench_history(get);
    wanted = atol(argv[3]);
    began = now_us();
    curl_easy_perform(curl);
    if (got < wanted) return 1;
    bench_events(began, got, 0);
    return 0;
}
