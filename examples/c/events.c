/* What happens on the server, event by event: makes a session and sees it come. `events` */

#include <opencode.h>
#include <opencode_operations.h>
#include <stdio.h>
#include <string.h>

static int fail(OpencodeReply *reply) {
    fprintf(stderr, "%s\n", opencode_reply_message(reply));
    opencode_reply_free(reply);
    return 1;
}

int main(void) {
    OpencodeClient *client = NULL;
    OpencodeEvents *events = NULL;
    OpencodeReply *event = NULL, *reply = NULL;
    int is_seen = 0;

    if (opencode_client_new(NULL, &client, &reply) != OPENCODE_STATUS_OK)
        return fail(reply);
    if (opencode_events_open(client, NULL, &events, &reply) != OPENCODE_STATUS_OK)
        return fail(reply);
    while (!is_seen) {
        const char *type, *title;
        if (opencode_events_next(events, -1, &event) != OPENCODE_STATUS_OK)
            return fail(event);
        type = opencode_reply_text(event, "/type");
        title = opencode_reply_text(event, "/properties/info/title");
        puts(type);
        /* From here on nothing is missed; a gap would be told. */
        if (strcmp(type, "stream.connected") == 0) {
            if (opencode_session_create(client, "{\"title\":\"seen\"}", &reply) != OPENCODE_STATUS_OK)
                return fail(reply);
            opencode_reply_free(reply);
        }
        is_seen = strcmp(type, "session.created") == 0 && title && strcmp(title, "seen") == 0;
        opencode_reply_free(event);
    }
    opencode_events_free(events);
    opencode_client_free(client);
    return 0;
}
