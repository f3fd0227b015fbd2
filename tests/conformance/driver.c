/* Calls operations from C for the conformance run: reads `operation TAB arguments TAB options` per line and prints
 * one JSON object per line. An operation is called by its inline function; one with options, or without such a
 * function, by its name. */

#include <opencode_operations.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef OpencodeStatus (*Operation)(const OpencodeClient *client, const char *arguments_json, OpencodeReply **reply);

static const struct {
    const char *name;
    Operation function;
} operations[] = {
#define OPERATION(name, function) {name, function},
#include "operations.inc"
};

static OpencodeStatus call(OpencodeClient *client, const char *operation, const char *arguments, const char *options,
                           OpencodeReply **reply) {
    size_t i;
    if (strcmp(options, "{}") == 0)
        for (i = 0; i < sizeof operations / sizeof operations[0]; i++)
            if (strcmp(operations[i].name, operation) == 0)
                return operations[i].function(client, arguments, reply);
    return opencode_call_with(client, operation, arguments, options, reply);
}

/* Prints a text as a JSON string. */
static void quote(const char *text) {
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void show(OpencodeStatus status, const OpencodeReply *reply) {
    const char *json = opencode_reply_json(reply);
    const char *type = opencode_reply_header(reply, "content-type");
    if (status != OPENCODE_STATUS_OK) {
        printf("{\"error\":%s}\n", json);
        return;
    }
    printf("{\"status\":%d,\"answer\":", (int)opencode_reply_http_status(reply));
    if (opencode_reply_length(reply) == 0)
        printf("null");
    else if (type && strstr(type, "json"))
        printf("%s", json);
    else
        quote(json);
    printf("}\n");
}

int main(void) {
    static char line[1 << 20];
    OpencodeClient *client = NULL;
    if (opencode_client_new(NULL, &client, NULL) != OPENCODE_STATUS_OK)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        char *arguments = strchr(line, '\t');
        char *options = arguments ? strchr(arguments + 1, '\t') : NULL;
        OpencodeReply *reply = NULL;
        OpencodeStatus status;
        if (!options)
            return 2;
        *arguments++ = '\0';
        *options++ = '\0';
        options[strcspn(options, "\n")] = '\0';
        status = call(client, line, arguments, options, &reply);
        show(status, reply);
        fflush(stdout);
        opencode_reply_free(reply);
    }
    opencode_client_free(client);
    return 0;
}
