/* Asks about a file on this machine; its content travels with the prompt: `attach FILE PROMPT`. */

#include <opencode.h>
#include <stdio.h>

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *part = NULL, *reply = NULL;
    OpencodeJson *options;
    int failed = 1;

    if (count < 3) {
        fputs("usage: attach FILE PROMPT\n", stderr);
        return 2;
    }
    options = opencode_json_new();
    opencode_json_list(options, "files");
    opencode_json_text(options, NULL, words[1]);
    if (opencode_attach(words[1], NULL, &part) != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(part));
    } else {
        printf("[%s, %s]\n", opencode_reply_text(part, "/filename"), opencode_reply_text(part, "/mime"));
        if (opencode_client_new(NULL, &client, &reply) == OPENCODE_STATUS_OK &&
            opencode_run_text(client, words[2], opencode_json_get(options), &run, &reply) == OPENCODE_STATUS_OK &&
            opencode_run_wait(run, -1, &reply) == OPENCODE_STATUS_OK) {
            puts(opencode_reply_text(reply, "/text"));
            failed = 0;
        } else {
            fprintf(stderr, "%s\n", opencode_reply_message(reply));
        }
    }
    opencode_json_free(options);
    opencode_reply_free(part);
    opencode_reply_free(reply);
    opencode_run_free(run);
    opencode_client_free(client);
    return failed;
}
