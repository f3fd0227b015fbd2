/* As `kept.c`, with what came to 0.1.0 after `later.c`: `summary-0.1.0` beside it is this file, and is never made again while
 * OPENCODE_ABI_VERSION stays:
 *
 *     zig cc -target x86_64-linux-gnu.2.17 -std=c99 -Os -s -I ../../../include summary.c -o summary-0.1.0 -lopencode -Wl,-z,now
 *
 * What comes next gets a file of its own. */

#include <opencode.h>
#include <stdio.h>
#include <string.h>

#define OK OPENCODE_STATUS_OK
#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition)) {                                            \
            printf("FAILED: line %d: %s\n", __LINE__, #condition);     \
            return 1;                                                  \
        }                                                              \
    } while (0)

int main(void) {
    OpencodeClient *client = NULL;
    OpencodeReply *asked = NULL, *reply = NULL;
    OpencodeRun *run = NULL;
    CHECK(opencode_abi_version() == OPENCODE_ABI_VERSION);
    CHECK(opencode_client_new(NULL, &client, NULL) == OK);
    CHECK(opencode_ask(client, "{\"prompt\":\"sum up\"}", &asked) == OK);
    CHECK(opencode_compact(client, opencode_reply_text(asked, "/sessionID"), NULL, &run, NULL) == OK);
    CHECK(opencode_run_wait(run, -1, &reply) == OK && strstr(opencode_reply_text(reply, "/text"), "Objective"));
    opencode_reply_free(reply);
    opencode_reply_free(asked);
    opencode_run_free(run);
    opencode_client_free(client);
    puts("summary");
    return 0;
}
