/* Sends a prompt and shows the answer as it comes: `ask PROMPT`. */

#include <opencode.h>
#include <stdio.h>
#include <string.h>

static int fail(OpencodeReply *reply) {
    fprintf(stderr, "%s\n", opencode_reply_message(reply));
    opencode_reply_free(reply);
    return 1;
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *update = NULL;
    int failed = 0;

    if (opencode_client_new(NULL, &client, &update) != OPENCODE_STATUS_OK)
        return fail(update);
    if (opencode_run_text(client, count > 1 ? words[1] : "Say pong", NULL, &run, &update) != OPENCODE_STATUS_OK)
        return fail(update);

    while (opencode_run_poll(run, -1, &update) == OPENCODE_STATUS_OK && update) {
        const char *type = opencode_reply_text(update, "/type");
        if (strcmp(type, "text") == 0) {
            fputs(opencode_reply_text(update, "/delta"), stdout);
            fflush(stdout);
        } else if (strcmp(type, "done") == 0) {
            printf("\n[cost %.4f, %.0f tokens, %.1f s]\n",
                   opencode_reply_number(update, "/reply/cost", 0),
                   opencode_reply_number(update, "/reply/tokens/total", 0),
                   opencode_reply_number(update, "/reply/time/total_ms", 0) / 1000);
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
