/* Sends a prompt and shows the answer as it comes: `ask PROMPT`. */

#include <opencode.h>
#include <stdio.h>

static void print_cost(const OpencodeReply *done) {
    printf("\n[cost %.4f, %.0f tokens, %.1f s]\n", opencode_reply_number(done, "/reply/cost", 0),
           opencode_reply_number(done, "/reply/tokens/total", 0),
           opencode_reply_number(done, "/reply/time/total_ms", 0) / 1000);
}

/* Takes updates until there is none any more; 1 when the run has failed. */
static int show(const OpencodeRun *run) {
    OpencodeReply *update = NULL;
    int failed = 0;
    while (opencode_run_poll(run, -1, &update) == OPENCODE_STATUS_OK && update) {
        switch (opencode_update_type(update)) {
        case OPENCODE_UPDATE_TYPE_TEXT:
            fputs(opencode_update_text(update), stdout);
            fflush(stdout);
            break;
        case OPENCODE_UPDATE_TYPE_DONE: print_cost(update); break;
        case OPENCODE_UPDATE_TYPE_FAILED:
            fprintf(stderr, "%s\n", opencode_update_text(update));
            failed = 1;
            break;
        default: break;
        }
        opencode_reply_free(update);
    }
    return failed;
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *error = NULL;
    int failed = 1;

    if (opencode_client_new(NULL, &client, &error) == OPENCODE_STATUS_OK &&
        opencode_run_text(client, count > 1 ? words[1] : "Say pong", NULL, &run, &error) == OPENCODE_STATUS_OK)
        failed = show(run);
    else
        fprintf(stderr, "%s\n", opencode_reply_message(error));
    opencode_reply_free(error);
    opencode_run_free(run);
    opencode_client_free(client);
    return failed;
}
