/* A program with an event loop: it sleeps until one of its prompts has something new, and wakes for nothing else. One descriptor
 * covers them all. Linux only. `epoll PROMPT...` */

#include <opencode.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MOST = 16 };

/* Takes all that is there: the descriptor is readable until nothing is left. 1 when the run is over. */
static int take(const OpencodeRun *run, int number, int *failed) {
    OpencodeRunState state = OPENCODE_RUN_STATE_FAILED;
    OpencodeReply *update = NULL;
    while (opencode_run_next(run, 0, &state, &update) == OPENCODE_STATUS_OK && update) {
        if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_DONE)
            printf("%d: %s\n", number, opencode_update_text(update));
        else if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_FAILED)
            fprintf(stderr, "%d: %s\n", number, opencode_update_text(update));
        opencode_reply_free(update);
    }
    *failed |= state == OPENCODE_RUN_STATE_FAILED;
    return state == OPENCODE_RUN_STATE_DONE || state == OPENCODE_RUN_STATE_FAILED;
}

/* Until all are over; gives how often something woke it, or -1. */
static long serve(int loop, OpencodeRun *runs[MOST], int count, int *failed) {
    struct epoll_event event;
    int left = count, is_over[MOST] = {0};
    long woken = 0;
    while (left > 0) {
        if (epoll_wait(loop, &event, 1, -1) != 1)
            return -1;
        woken++;
        for (int i = 0; i < count; i++)
            if (!is_over[i] && (is_over[i] = take(runs[i], i + 1, failed)))
                left--;
    }
    return woken;
}

int main(int words, char **word) {
    OpencodeClient *client = NULL;
    OpencodeRun *runs[MOST] = {NULL};
    OpencodeReply *error = NULL;
    struct epoll_event event = {.events = EPOLLIN};
    int64_t fd = -1;
    int count = 0, failed = 0, loop = epoll_create1(EPOLL_CLOEXEC);
    OpencodeStatus status;

    if (words < 2 || words > MOST + 1) {
        fprintf(stderr, "usage: epoll PROMPT... (%d at most)\n", MOST);
        return 2;
    }
    status = opencode_client_new(NULL, &client, &error);
    if (status == OPENCODE_STATUS_OK)
        status = opencode_client_fd(client, &fd, &error);
    while (status == OPENCODE_STATUS_OK && count < words - 1) {
        status = opencode_run_text(client, word[count + 1], NULL, &runs[count], &error);
        count++;
    }
    if (status != OPENCODE_STATUS_OK) {
        fprintf(stderr, "%s\n", opencode_reply_message(error));
        failed = 1;
    } else if (epoll_ctl(loop, EPOLL_CTL_ADD, (int)fd, &event)) {
        perror("epoll_ctl");
        failed = 1;
    } else {
        printf("[woken %ld times]\n", serve(loop, runs, count, &failed));
    }
    opencode_reply_free(error);
    while (count > 0)
        opencode_run_free(runs[--count]);
    opencode_client_free(client);
    close(loop);
    return failed;
}
