/* Uses the library and needs no server. */

#include <opencode.h>
#include <opencode_operations.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    OpencodeReply *reply = NULL;
    OpencodeStatus status = opencode_attach_bytes("x.txt", (const uint8_t *)"hi", 2, NULL, &reply);
    int is_fine = status == OPENCODE_STATUS_OK && strcmp(opencode_reply_text(reply, "/filename"), "x.txt") == 0 &&
                  opencode_abi_version() == OPENCODE_ABI_VERSION && strcmp(opencode_version(), OPENCODE_VERSION) == 0;
    opencode_reply_free(reply);
    puts(is_fine ? "fine" : "wrong");
    return !is_fine;
}
