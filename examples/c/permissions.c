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
static void print_list(OpencodeReply *reply, const char *where) {
    char pointer[80];
    const char *item;
    for (int i = 0; sprintf(pointer, "%s/%d", where, i), (item = opencode_reply_text(reply, pointer)); i++)
        printf("%s%s", i ? ", " : "", item);
}

static const char *decide(OpencodeReply *update, const char *mode) {
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

static void print_reply(OpencodeReply *update) {
    char pointer[40];
    const char *permission;
    printf("%s\n", opencode_reply_text(update, "/reply/text"));
    for (int i = 0; sprintf(pointer, "/reply/decisions/%d/permission", i),
             (permission = opencode_reply_text(update, pointer)); i++) {
        printf("[%s ", permission);
        sprintf(pointer, "/reply/decisions/%d/patterns", i);
        print_list(update, pointer);
        sprintf(pointer, "/reply/decisions/%d/reply", i);
        printf(": %s by ", opencode_reply_text(update, pointer));
        sprintf(pointer, "/reply/decisions/%d/by", i);
        printf("%s]\n", opencode_reply_text(update, pointer));
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
        const char *type = opencode_reply_text(update, "/type");
        if (strcmp(type, "permission") == 0) {
            const char *answer = decide(update, mode);
            opencode_run_reply_permission(run, opencode_reply_text(update, "/id"), answer,
                                          "The user does not want that.", NULL);
        } else if (strcmp(type, "done") == 0) {
            print_reply(update);
        } else if (strcmp(type, "failed") == 0) {
            fprintf(stderr, "%s\n", opencode_reply_text(update, "/error/message"));
            failed = 1;
        }
        opencode_reply_free(update);
    }
    opencode_run_free(run);
    opencode_client_free(client);
    return failed;
}
