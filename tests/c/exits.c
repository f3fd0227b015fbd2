/* Calls at the end of a program, when main has returned. The program starts itself, and looks at what that prints. */

#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <opencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static OpencodeClient *client;
static const char *self;

static void bye(void) {
    OpencodeReply *reply = NULL;
    OpencodeStatus call = opencode_call(client, "global.health", NULL, &reply);
    printf("call %d %s\n", (int)call, opencode_reply_text(reply, "/healthy"));
    opencode_reply_free(reply);
    printf("ask %d\n", (int)opencode_ask(client, "{\"prompt\":\"Say pong\"}", NULL));
    opencode_client_free(client);
}

static int child(void) {
    if (opencode_client_new(NULL, &client, NULL) || opencode_call(client, "global.health", NULL, NULL))
        return 1;
    return atexit(bye);
}

static void a_call_in_an_exit_handler(void) {
    char command[1000], text[2000] = "", line[500];
    FILE *output;
    sprintf(command, "'%s' child 2>&1", self);
    output = popen(command, "r");
    CHECK(output != NULL);
    while (fgets(line, sizeof line, output))
        strcat(text, line);
    CHECK(pclose(output) == 0);
    if (strcmp(text, "call 0 true\nask 0\n"))
        printf("%s", text);
    CHECK(strcmp(text, "call 0 true\nask 0\n") == 0);
    passed++;
}

int main(int count, char **words) {
    self = words[0];
    if (count > 1)
        return child();
    RUN(a_call_in_an_exit_handler);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
