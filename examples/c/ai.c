/* Asks the agent, from the command line:
 *
 *   ai [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...
 *
 * The answer is shown as it comes; --tui sends the prompt into the attached terminal interface instead.
 * What is not given comes from the environment (AI_SESSION, AI_AGENT, AI_MODEL, OPENCODE_BASE_URL,
 * OPENCODE_SERVER_USERNAME, OPENCODE_SERVER_PASSWORD), and else from lines NAME=VALUE in the file that
 * AI_SETTINGS names, or ~/.config/ai.env. Ctrl-C stops the agent.
 *
 * Ends with 0, 1 for an error, 2 for a wrong command line, 130 for Ctrl-C. */

#define _POSIX_C_SOURCE 200112L

#include <opencode.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

static const char *given(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Lines of the file become variables of the environment, which go first. */
static void read_settings(void) {
    char path[1000], line[1000];
    const char *home = given("HOME"), *named = given("AI_SETTINGS");
    snprintf(path, sizeof path, "%s%s", named ? named : home ? home : "", named ? "" : "/.config/ai.env");
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, '=');
        line[strcspn(line, "\r\n")] = '\0';
        if (value) {
            *value++ = '\0';
            setenv(line, value, given(line) == NULL);
        }
    }
    if (file)
        fclose(file);
}

static int complain(OpencodeReply *reply) {
    fprintf(stderr, "ai: %s\n", opencode_reply_message(reply));
    return 1;
}

/* Prints the answer as it comes, and returns the exit code. */
static int show(OpencodeRun *run) {
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    OpencodeReply *update = NULL;
    int begun = 0, code = 0;
    while (state != OPENCODE_RUN_STATE_DONE && state != OPENCODE_RUN_STATE_FAILED && code != 130) {
        opencode_run_next(run, 100, &state, &update);
        if (interrupted) {
            opencode_run_cancel(run, 10000, NULL);
            fprintf(stderr, "\nai: stopped\n");
            code = 130;
        } else if (opencode_update_type(update) == OPENCODE_UPDATE_TYPE_TEXT) {
            printf("%s%s", opencode_update_replaces(update) && begun ? "\n" : "", opencode_update_text(update));
            fflush(stdout);
            begun = 1;
        } else if (state == OPENCODE_RUN_STATE_DONE || state == OPENCODE_RUN_STATE_FAILED) {
            printf("%s", begun ? "\n" : "");
            fflush(stdout);
            if (state == OPENCODE_RUN_STATE_FAILED) {
                fprintf(stderr, "ai: %s\n", opencode_update_text(update));
                code = 1;
            }
        }
        opencode_reply_free(update);
    }
    if (opencode_run_info(run, &update) == OPENCODE_STATUS_OK && opencode_reply_text(update, "/sessionID"))
        fprintf(stderr, "[session %s]\n", opencode_reply_text(update, "/sessionID"));
    opencode_reply_free(update);
    return code;
}

static int ask(const OpencodeClient *client, const char *prompt, const char *const options[3]) {
    OpencodeRun *run = NULL;
    OpencodeReply *error = NULL;
    OpencodeJson *json = opencode_json_new();
    int code;
    /* What is NULL is left out. */
    opencode_json_text(json, "session", options[0]);
    opencode_json_text(json, "agent", options[1]);
    opencode_json_text(json, "model", options[2]);
    if (opencode_run_text(client, prompt, opencode_json_get(json), &run, &error) == OPENCODE_STATUS_OK)
        code = show(run);
    else
        code = complain(error);
    opencode_reply_free(error);
    opencode_run_free(run);
    opencode_json_free(json);
    return code;
}

static int send_to_tui(const OpencodeClient *client, const char *prompt) {
    OpencodeReply *error = NULL;
    int code = 0;
    if (opencode_tui_prompt(client, prompt, &error) != OPENCODE_STATUS_OK)
        code = complain(error);
    else
        puts("[sent to the terminal interface]");
    opencode_reply_free(error);
    return code;
}

static int usage(void) {
    fputs("usage: ai [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...\n", stderr);
    return 2;
}

int main(int count, char **words) {
    OpencodeClient *client = NULL;
    OpencodeReply *error = NULL;
    const char *options[3];
    char *prompt;
    size_t length = 1;
    int tui = 0, first = 1, code;

    read_settings();
    options[0] = given("AI_SESSION");
    options[1] = given("AI_AGENT");
    options[2] = given("AI_MODEL");
    for (; first < count && strncmp(words[first], "--", 2) == 0; first++) {
        const char *name = words[first];
        int option = !strcmp(name, "--session") ? 0 : !strcmp(name, "--agent") ? 1 : !strcmp(name, "--model") ? 2 : -1;
        if (strcmp(name, "--tui") == 0)
            tui = 1;
        else if (option >= 0 && first + 1 < count)
            options[option] = words[++first];
        else
            return usage();
    }
    if (first >= count)
        return usage();
    for (int i = first; i < count; i++)
        length += strlen(words[i]) + 1;
    if (!(prompt = calloc(length, 1)))
        return 1;
    for (int i = first; i < count; i++)
        strcat(strcat(prompt, i > first ? " " : ""), words[i]);

    signal(SIGINT, on_interrupt);
    if (opencode_client_new(NULL, &client, &error) != OPENCODE_STATUS_OK)
        code = complain(error);
    else
        code = tui ? send_to_tui(client, prompt) : ask(client, prompt, options);
    opencode_reply_free(error);
    opencode_client_free(client);
    free(prompt);
    return code;
}
