/* Decides what the agent may do: `permissions [--yes | --no | --rules] PROMPT`.
 * Without an option it asks you; --rules decides by a list of rules, and asks only what they leave open. */

#include <opencode.h>
#include <stdio.h>
#include <string.h>

static const char ASK[] = "{\"permission\":\"ask\"}";
/* The last one that fits decides. */
static const char RULES[] = "{\"permission\":["
                            "{\"reply\":\"ask\"},"
                            "{\"permission\":\"bash\",\"pattern\":\"echo *\",\"reply\":\"once\"},"
                            "{\"permission\":\"bash\",\"pattern\":\"rm *\",\"reply\":\"reject\"}]}";

/* Prints the texts of a list: a, b, c. */
static void print_list(const OpencodeReply *reply, const char *where) {
    OpencodeReply *item;
    for (size_t i = 0; (item = opencode_reply_item(reply, where, i)); i++) {
        printf("%s%s", i ? ", " : "", opencode_reply_text(item, ""));
        opencode_reply_free(item);
    }
}

static const char *decide(const OpencodeReply *update, const char *mode) {
    char answer[80] = "";
    printf("%s: ", opencode_reply_text(update, "/request/permission"));
    print_list(update, "/request/patterns");
    printf("\n");
    if (strcmp(mode, "--yes") == 0)
        return "once";
    if (strcmp(mode, "--no") == 0)
        return "reject";
    printf("Allow it? [y]es, [a]lways, [n]o: ");
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin))
        answer[0] = 'n';
    printf("\n");
    return answer[0] == 'y' ? "once" : answer[0] == 'a' ? "always" : "reject";
}

static void print_reply(const OpencodeReply *update) {
    OpencodeReply *decision;
    printf("%s\n", opencode_update_text(update));
    for (size_t i = 0; (decision = opencode_reply_item(update, "/reply/decisions", i)); i++) {
        printf("[%s ", opencode_reply_text(decision, "/permission"));
        print_list(decision, "/patterns");
        printf(": %s by %s]\n", opencode_reply_text(decision, "/reply"), opencode_reply_text(decision, "/by"));
        opencode_reply_free(decision);
    }
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *update = NULL;
    const char *mode = count > 1 && strncmp(words[1], "--", 2) == 0 ? words[1] : "";
    int first = *mode ? 2 : 1, failed = 0;
    int known = !*mode || !strcmp(mode, "--yes") || !strcmp(mode, "--no") || !strcmp(mode, "--rules");

    if (count <= first || !known) {
        fprintf(stderr, "usage: permissions [--yes | --no | --rules] PROMPT\n");
        return 2;
    }
    const char *options = strcmp(mode, "--rules") == 0 ? RULES : ASK;
    if (opencode_client_new(NULL, &client, &update) != OPENCODE_STATUS_OK ||
        opencode_run_text(client, words[first], options, &run, &update) != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(update));
        opencode_reply_free(update);
        opencode_client_free(client);
        return 1;
    }
    while (opencode_run_poll(run, -1, &update) == OPENCODE_STATUS_OK && update) {
        switch (opencode_update_type(update)) {
        case OPENCODE_UPDATE_TYPE_PERMISSION:
            opencode_run_reply_permission(run, opencode_update_id(update), decide(update, mode),
                                          "The user does not want that.", NULL);
            break;
        case OPENCODE_UPDATE_TYPE_DONE: print_reply(update); break;
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
