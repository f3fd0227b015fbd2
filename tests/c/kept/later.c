/* As `kept.c`, with what came to 0.1.0 after that: `later-0.1.0` beside it is this file, and is never made again while
 * OPENCODE_ABI_VERSION stays:
 *
 *     zig cc -target x86_64-linux-gnu.2.17 -std=c99 -Os -s -I ../../../include later.c -o later-0.1.0 -lopencode -Wl,-z,now
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
    OpencodeClient *client = NULL, *other = NULL;
    OpencodeReply *reply = NULL;
    OpencodeRun *run = NULL;
    OpencodePages *pages = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    char said[200] = "", session[100] = "";
    CHECK(opencode_abi_version() == OPENCODE_ABI_VERSION);
    CHECK(opencode_client_new(NULL, &client, NULL) == OK);
    CHECK(opencode_client_with(client, "{\"timeout_ms\":30000}", &other, NULL) == OK);
    CHECK(opencode_client_wait_until_ready(other, "{\"agents\":[\"build\"]}", &reply) == OK);
    CHECK(opencode_reply_count(reply, "/agents") > 0);
    opencode_reply_free(reply);
    CHECK(opencode_run_text(other, "x @@[{\"text\":\"later\"}]", NULL, &run, NULL) == OK);
    while (state != OPENCODE_RUN_STATE_DONE && state != OPENCODE_RUN_STATE_FAILED) {
        CHECK(opencode_run_next_text(run, -1, &state, &reply) == OK);
        if (opencode_update_type(reply) == OPENCODE_UPDATE_TYPE_TEXT)
            strcat(said, opencode_update_text(reply));
        opencode_reply_free(reply);
    }
    CHECK(state == OPENCODE_RUN_STATE_DONE && strcmp(said, "later") == 0);
    CHECK(opencode_run_wait(run, -1, &reply) == OK);
    strncat(session, opencode_reply_text(reply, "/sessionID"), sizeof session - 1);
    opencode_reply_free(reply);
    opencode_run_free(run);
    CHECK(opencode_export_open(client, session, "{\"format\":\"markdown\"}", &pages, NULL) == OK);
    CHECK(opencode_pages_next(pages, &reply) == OK && opencode_reply_text(reply, "")[0] == '#');
    opencode_reply_free(reply);
    opencode_pages_free(pages);
    CHECK(opencode_export_to(client, session, "/no/such/folder/x", NULL, &reply) == OPENCODE_STATUS_NOT_FOUND);
    opencode_reply_free(reply);
    CHECK(opencode_usage_of_all(client, NULL, &reply) == OK && opencode_reply_int64(reply, "/count", 0) > 0);
    opencode_reply_free(reply);
    CHECK(opencode_tool_add(client, "{\"name\":\"kept\",\"description\":\"x\"}", NULL) == OK);
    CHECK(opencode_tool_next(client, 0, &reply) == OK && !reply);
    CHECK(opencode_tool_reply(client, "1", "{\"text\":\"x\"}", NULL) == OPENCODE_STATUS_NOT_FOUND);
    opencode_client_free(other);
    opencode_client_free(client);
    puts("later");
    return 0;
}
