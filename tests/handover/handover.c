/* Starts a run and leaves it, or picks one up: `handover start PROMPT`, `handover resume SESSION MESSAGE`. */
#include <opencode.h>
#include <stdio.h>
#include <string.h>

static int fail(OpencodeReply *reply) {
    fprintf(stderr, "%s\n", opencode_reply_message(reply));
    opencode_reply_free(reply);
    return 1;
}

int main(int argc, char **argv) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *reply = NULL;
    int is_start = argc == 3 && strcmp(argv[1], "start") == 0;
    OpencodeStatus status;
    if (!is_start && argc != 4) return 2;
    if (opencode_client_new(NULL, &client, &reply) != OPENCODE_STATUS_OK) return fail(reply);
    status = is_start ? opencode_run_text(client, argv[2], NULL, &run, &reply)
                      : opencode_run_resume(client, argv[2], argv[3], NULL, &run, &reply);
    if (status != OPENCODE_STATUS_OK) return fail(reply);
    status = is_start ? opencode_run_detach(run, 60000, &reply) : opencode_run_wait(run, 60000, &reply);
    if (status != OPENCODE_STATUS_OK) return fail(reply);
    if (is_start) {
        printf("%s %s\n", opencode_reply_text(reply, "/sessionID"), opencode_reply_text(reply, "/messageID"));
    } else {
        printf("%s\n", opencode_reply_text(reply, "/text"));
    }
    opencode_reply_free(reply);
    opencode_run_free(run);
    opencode_client_free(client);
    return 0;
}
