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

/* The options of the prompt as JSON: texts, those that are NULL left out. Freed by the caller. */
static char *prompt_options(const char *const values[3]) {
    static const char *const names[3] = {"session", "agent", "model"};
    size_t size = 3;
    for (int i = 0; i < 3; i++)
        size += values[i] ? strlen(names[i]) + 6 + 6 * strlen(values[i]) : 0;
    char *json = malloc(size), *end = json;
    if (!json)
        abort();
    for (int i = 0; i < 3; i++) {
        if (!values[i])
            continue;
        end += sprintf(end, "%s\"%s\":\"", end == json ? "{" : ",", names[i]);
        for (const char *c = values[i]; *c; c++)
            end += sprintf(end, *c == '"' || *c == '\\' ? "\\%c" : (unsigned char)*c < 0x20 ? "\\u%04x" : "%c", *c);
        *end++ = '"';
    }
    strcpy(end, end == json ? "{}" : "}");
    return json;
}

static int complain(OpencodeReply *reply) {
    fprintf(stderr, "ai: %s\n", opencode_reply_message(reply));
    return 1;
}

/* Prints the answer as it comes, and returns the exit code. */
static int show(OpencodeRun *run) {
    OpencodeReply *update = NULL;
    int begun = 0, over = 0, code = 0;
    while (!over && opencode_run_poll(run, 100, &update) == OPENCODE_STATUS_OK) {
        const char *type = update ? opencode_reply_text(update, "/type") : "";
        if (interrupted) {
            opencode_run_cancel(run, 10000, NULL);
            fprintf(stderr, "\nai: stopped\n");
            over = 1;
            code = 130;
        } else if (strcmp(type, "text") == 0) {
            int replaces = strcmp(opencode_reply_text(update, "/replaces"), "true") == 0;
            printf("%s%s", replaces && begun ? "\n" : "", opencode_reply_text(update, "/delta"));
            fflush(stdout);
            begun = 1;
        } else if (strcmp(type, "done") == 0 || strcmp(type, "failed") == 0) {
            over = 1;
            if (begun) {
                printf("\n");
                fflush(stdout);
            }
            if (*type == 'f') {
                fprintf(stderr, "ai: %s\n", opencode_reply_text(update, "/error/message"));
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
    char *json = prompt_options(options);
    int code = opencode_run_text(client, prompt, json, &run, &error) == OPENCODE_STATUS_OK ? show(run) : complain(error);
    opencode_reply_free(error);
    opencode_run_free(run);
    free(json);
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
