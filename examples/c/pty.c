/* Types a command into a shell on the server's machine and shows the screen: `pty COMMAND`.
 * Ends with the exit code of the command. */

#include <opencode.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodePty *pty = NULL;
    OpencodeReply *reply = NULL;
    int code = 1, over = 0;

    if (opencode_client_new(NULL, &client, &reply) == OPENCODE_STATUS_OK &&
        opencode_pty_open(client, "{\"command\":\"sh\",\"cols\":100,\"rows\":30}", &pty, &reply) == OPENCODE_STATUS_OK &&
        opencode_pty_write(pty, count > 1 ? words[1] : "echo $((6 * 7))", &reply) == OPENCODE_STATUS_OK &&
        opencode_pty_write(pty, "; exit\n", &reply) == OPENCODE_STATUS_OK) {
        while (!over && opencode_pty_read(pty, -1, &reply) == OPENCODE_STATUS_OK) {
            over = strcmp(opencode_reply_text(reply, "/type"), "end") == 0;
            if (over) {
                code = (int)opencode_reply_number(reply, "/exitCode", 1);
                printf("[exit code %d]\n", code);
            } else {
                fputs(opencode_reply_text(reply, "/text"), stdout);
                fflush(stdout);
            }
            opencode_reply_free(reply);
            reply = NULL;
        }
    }
    if (reply)
        fprintf(stderr, "%s\n", opencode_reply_message(reply));
    opencode_reply_free(reply);
    opencode_pty_free(pty);
    opencode_client_free(client);
    return code;
}
