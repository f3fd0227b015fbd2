/* A program with an event loop: it sleeps until the client has something new, and wakes for nothing else. Linux only.
 * `epoll PROMPT` */

#include <opencode.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Takes all that is there: the descriptor is readable until nothing is left. */
static OpencodeRunState take(OpencodeRun *run) {
    OpencodeRunState state = OPENCODE_RUN_STATE_FAILED;
    OpencodeReply *update = NULL;
    while (opencode_run_next(run, 0, &state, &update) == OPENCODE_STATUS_OK && update) {
        if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_TEXT)
            fputs(opencode_update_text(update), stdout);
        else if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_FAILED)
            fprintf(stderr, "%s\n", opencode_update_text(update));
        opencode_reply_free(update);
    }
    fflush(stdout);
    return state;
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeRun *run = NULL;
    OpencodeReply *error = NULL;
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    struct epoll_event event = {0};
    int64_t fd = -1;
    long woken = 0;
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (opencode_client_new(NULL, &client, &error) != OPENCODE_STATUS_OK ||
        opencode_client_fd(client, &fd, &error) != OPENCODE_STATUS_OK ||
        opencode_run_text(client, count > 1 ? words[1] : "Say pong", NULL, &run, &error) != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(error));
        state = OPENCODE_RUN_STATE_FAILED;
    }
    event.events = EPOLLIN;
    if (epoll_ctl(loop, EPOLL_CTL_ADD, (int)fd, &event))
        state = OPENCODE_RUN_STATE_FAILED;
    while (state == OPENCODE_RUN_STATE_PENDING || state == OPENCODE_RUN_STATE_WAITING) {
        if (epoll_wait(loop, &event, 1, -1) == 1)
            state = take(run);
        woken++;
    }
    printf("\n[woken %ld times]\n", woken);
    opencode_reply_free(error);
    opencode_run_free(run);
    opencode_client_free(client);
    close(loop);
    return state != OPENCODE_RUN_STATE_DONE;
}
