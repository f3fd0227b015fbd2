/* Gives the agent two functions of this program: `tools PROMPT`. It keeps a shopping list with them. */

#include <opencode.h>
#include <stdio.h>
#include <string.h>

static const char ADD_ITEM[] =
    "{\"name\":\"add_item\",\"description\":\"Adds to the shopping list\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{\"item\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\",\"minimum\":1}},"
    "\"required\":[\"item\",\"count\"]}}";
static const char LIST_ITEMS[] =
    "{\"name\":\"list_items\",\"description\":\"Reads the shopping list\"}";

static char list[4000];
static size_t used;

/* Answers a call. The arguments fit the schema: the library has looked. */
static void answer(OpencodeClient *client, OpencodeReply *call) {
    OpencodeJson *json = opencode_json_new();
    if (strcmp(opencode_reply_text(call, "/name"), "add_item") == 0) {
        const char *item = opencode_reply_text(call, "/arguments/item");
        int count = (int)opencode_reply_number(call, "/arguments/count", 0);
        printf("added %d x %s\n", count, item);
        if (used + strlen(item) + 32 < sizeof list)
            used += (size_t)sprintf(list + used, "%d x %s\n", count, item);
        opencode_json_text(json, "text", "added");
    } else if (used) {
        opencode_json_text(json, "text", list);
    } else {
        opencode_json_text(json, "error", "the list is empty");
    }
    opencode_tool_reply(client, opencode_update_id(call), opencode_json_get(json), NULL);
    opencode_json_free(json);
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *update = NULL;
    int failed = 0;

    if (count != 2) {
        fprintf(stderr, "usage: tools PROMPT\n");
        return 2;
    }
    if (opencode_client_new(NULL, &client, &update) != OPENCODE_STATUS_OK ||
        opencode_tool_add(client, ADD_ITEM, &update) != OPENCODE_STATUS_OK ||
        opencode_tool_add(client, LIST_ITEMS, &update) != OPENCODE_STATUS_OK ||
        opencode_run_text(client, words[1], NULL, &run, &update) != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(update));
        opencode_reply_free(update);
        opencode_client_free(client);
        return 1;
    }
    while (opencode_run_poll(run, -1, &update) == OPENCODE_STATUS_OK && update) {
        switch (opencode_update_type(update)) {
        case OPENCODE_UPDATE_TYPE_TOOL_CALL: answer(client, update); break;
        case OPENCODE_UPDATE_TYPE_DONE: printf("%s\n", opencode_update_text(update)); break;
        case OPENCODE_UPDATE_TYPE_FAILED:
            fprintf(stderr, "%s\n", opencode_update_text(update));
            failed = 1;
            break;
        default: break;
        }
        opencode_reply_free(update);
    }
    opencode_run_free(run);
    opencode_client_free(client);
    return failed;
}
