/* A plugin that asks an agent: what plugin_host.c loads and unloads. It is built as a shared library. */

#include <opencode.h>

/* What the host finds by name. */
int plugin_start(const char *prompt);
int plugin_tick(void);
void plugin_stop(void);

static OpencodeClient *client;
static OpencodeRun *run;

/* 0 when the agent works. */
int plugin_start(const char *prompt) {
    return opencode_client_new(NULL, &client, NULL) != OPENCODE_STATUS_OK ||
           opencode_run_text(client, prompt, NULL, &run, NULL) != OPENCODE_STATUS_OK;
}

/* Never waits; gives how many updates came. */
int plugin_tick(void) {
    OpencodeReply *update = NULL;
    int count = 0;
    while (opencode_run_poll(run, 0, &update) == OPENCODE_STATUS_OK && update) {
        opencode_reply_free(update);
        count++;
    }
    return count;
}

/* After this no thread of the library is left, and the plugin may be unloaded. */
void plugin_stop(void) {
    (void)opencode_client_close(client, NULL);
    opencode_run_free(run);
    opencode_client_free(client);
}
