/* A program as it was compiled once, against the header of 0.1.0. `kept-0.1.0` beside it is this file, and is never made
 * again while OPENCODE_ABI_VERSION stays:
 *
 *     zig cc -target x86_64-linux-gnu.2.17 -std=c99 -Os -s -I ../../../include kept.c -o kept-0.1.0 -lopencode -Wl,-z,now
 *
 * It needs every function that there was, and goes through a day of a user. A later version gets a file of its own. */

#include <opencode.h>
#include <stdio.h>
#include <string.h>

typedef void Function(void);

/* The loader refuses the program when one of them is gone. */
Function *const all[] = {
    (Function *)opencode_abi_version,
    (Function *)opencode_ask,
    (Function *)opencode_attach,
    (Function *)opencode_attach_bytes,
    (Function *)opencode_call,
    (Function *)opencode_call_cancel,
    (Function *)opencode_call_free,
    (Function *)opencode_call_poll,
    (Function *)opencode_call_pty,
    (Function *)opencode_call_start,
    (Function *)opencode_call_wait,
    (Function *)opencode_call_with,
    (Function *)opencode_client_close,
    (Function *)opencode_client_close_start,
    (Function *)opencode_client_fd,
    (Function *)opencode_client_free,
    (Function *)opencode_client_new,
    (Function *)opencode_client_next_log,
    (Function *)opencode_client_server,
    (Function *)opencode_discover,
    (Function *)opencode_doctor,
    (Function *)opencode_drift,
    (Function *)opencode_events_close,
    (Function *)opencode_events_free,
    (Function *)opencode_events_next,
    (Function *)opencode_events_open,
    (Function *)opencode_json_bool,
    (Function *)opencode_json_end,
    (Function *)opencode_json_free,
    (Function *)opencode_json_get,
    (Function *)opencode_json_int64,
    (Function *)opencode_json_list,
    (Function *)opencode_json_message,
    (Function *)opencode_json_new,
    (Function *)opencode_json_number,
    (Function *)opencode_json_object,
    (Function *)opencode_json_raw,
    (Function *)opencode_json_text,
    (Function *)opencode_messages_open,
    (Function *)opencode_pages_free,
    (Function *)opencode_pages_is_complete,
    (Function *)opencode_pages_next,
    (Function *)opencode_pages_poll,
    (Function *)opencode_pty_close,
    (Function *)opencode_pty_connect,
    (Function *)opencode_pty_free,
    (Function *)opencode_pty_id,
    (Function *)opencode_pty_kill,
    (Function *)opencode_pty_kill_start,
    (Function *)opencode_pty_open,
    (Function *)opencode_pty_open_start,
    (Function *)opencode_pty_read,
    (Function *)opencode_pty_resize,
    (Function *)opencode_pty_write,
    (Function *)opencode_replay_free,
    (Function *)opencode_replay_start,
    (Function *)opencode_replay_url,
    (Function *)opencode_reply_bool,
    (Function *)opencode_reply_count,
    (Function *)opencode_reply_free,
    (Function *)opencode_reply_header,
    (Function *)opencode_reply_http_status,
    (Function *)opencode_reply_int64,
    (Function *)opencode_reply_item,
    (Function *)opencode_reply_json,
    (Function *)opencode_reply_key,
    (Function *)opencode_reply_length,
    (Function *)opencode_reply_message,
    (Function *)opencode_reply_number,
    (Function *)opencode_reply_status,
    (Function *)opencode_reply_text,
    (Function *)opencode_reply_type,
    (Function *)opencode_request,
    (Function *)opencode_run_cancel,
    (Function *)opencode_run_detach,
    (Function *)opencode_run_free,
    (Function *)opencode_run_info,
    (Function *)opencode_run_next,
    (Function *)opencode_run_poll,
    (Function *)opencode_run_reply_permission,
    (Function *)opencode_run_reply_question,
    (Function *)opencode_run_resume,
    (Function *)opencode_run_start,
    (Function *)opencode_run_state,
    (Function *)opencode_run_text,
    (Function *)opencode_run_wait,
    (Function *)opencode_server_client,
    (Function *)opencode_server_client_with,
    (Function *)opencode_server_close,
    (Function *)opencode_server_close_start,
    (Function *)opencode_server_environment,
    (Function *)opencode_server_fd,
    (Function *)opencode_server_free,
    (Function *)opencode_server_launch,
    (Function *)opencode_server_output,
    (Function *)opencode_server_pid,
    (Function *)opencode_server_poll,
    (Function *)opencode_server_start,
    (Function *)opencode_server_url,
    (Function *)opencode_server_wait,
    (Function *)opencode_sessions_open,
    (Function *)opencode_status_name,
    (Function *)opencode_tui_control_free,
    (Function *)opencode_tui_control_open,
    (Function *)opencode_tui_control_poll,
    (Function *)opencode_tui_control_respond,
    (Function *)opencode_tui_prompt,
    (Function *)opencode_update_id,
    (Function *)opencode_update_replaces,
    (Function *)opencode_update_text,
    (Function *)opencode_update_type,
    (Function *)opencode_usage,
    (Function *)opencode_version};

#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition)) {                                            \
            printf("FAILED: line %d: %s\n", __LINE__, #condition); \
            return 1;                                                  \
        }                                                              \
    } while (0)

int main(void) {
    OpencodeClient *client = NULL;
    OpencodeReply *reply = NULL, *item;
    OpencodeRun *run = NULL;
    OpencodeCall *call = NULL;
    OpencodePages *pages = NULL;
    OpencodeEvents *events = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    OpencodeJson *json = opencode_json_new();
    char said[200] = "";
    int64_t fd = -1;
    CHECK(opencode_abi_version() == OPENCODE_ABI_VERSION);
    CHECK(strcmp(opencode_status_name(OPENCODE_STATUS_NOT_FOUND), "not_found") == 0);
    CHECK(opencode_client_new("{\"base_url\":\"ftp://x\"}", &client, &reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    CHECK(!client && opencode_reply_status(reply) == OPENCODE_STATUS_INVALID_ARGUMENT);
    opencode_reply_free(reply);
    CHECK(opencode_client_new(NULL, &client, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_client_fd(client, &fd, NULL) == OPENCODE_STATUS_OK && fd >= 0);
    CHECK(opencode_json_text(json, "title", "a \"title\"") == OPENCODE_STATUS_OK);
    CHECK(opencode_call(client, "session.create", opencode_json_get(json), &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/title"), "a \"title\"") == 0);
    CHECK(opencode_reply_int64(reply, "/time/created", 0) > 0 && opencode_reply_http_status(reply) == 200);
    opencode_reply_free(reply);
    opencode_json_free(json);
    CHECK(opencode_events_open(client, NULL, &events, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_events_next(events, -1, &reply) == OPENCODE_STATUS_OK);
    CHECK(strcmp(opencode_reply_text(reply, "/type"), "stream.connected") == 0);
    opencode_reply_free(reply);
    opencode_events_free(events);
    CHECK(opencode_run_text(client, "x @@[{\"text\":\"kept\"}]", NULL, &run, NULL) == OPENCODE_STATUS_OK);
    while (state != OPENCODE_RUN_STATE_DONE && state != OPENCODE_RUN_STATE_FAILED) {
        CHECK(opencode_run_next(run, -1, &state, &reply) == OPENCODE_STATUS_OK);
        if (opencode_update_type(reply) == OPENCODE_UPDATE_TYPE_TEXT)
            strcat(said, opencode_update_text(reply));
        opencode_reply_free(reply);
    }
    CHECK(state == OPENCODE_RUN_STATE_DONE && strcmp(said, "kept") == 0);
    CHECK(opencode_run_wait(run, -1, &reply) == OPENCODE_STATUS_OK && opencode_reply_number(reply, "/cost", -1) >= 0);
    opencode_reply_free(reply);
    opencode_run_free(run);
    CHECK(opencode_sessions_open(client, NULL, &pages, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_pages_next(pages, &item) == OPENCODE_STATUS_OK && item);
    opencode_reply_free(item);
    opencode_pages_free(pages);
    CHECK(opencode_call_start(client, "session.list", "{\"limit\":1}", NULL, &call, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_call_wait(call, -1, &reply) == OPENCODE_STATUS_OK && opencode_reply_count(reply, "") == 1);
    item = opencode_reply_item(reply, "", 0);
    CHECK(opencode_reply_type(item, "/id") && strcmp(opencode_reply_type(item, "/id"), "string") == 0);
    opencode_reply_free(item);
    opencode_reply_free(reply);
    opencode_call_free(call);
    CHECK(opencode_client_close(client, NULL) == OPENCODE_STATUS_OK);
    CHECK(opencode_call(client, "session.list", NULL, NULL) == OPENCODE_STATUS_CLOSED);
    opencode_client_free(client);
    printf("kept: %d functions\n", (int)(sizeof all / sizeof *all));
    return 0;
}
