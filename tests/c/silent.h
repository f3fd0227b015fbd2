/* A server that cannot be made to answer. */

#ifndef SILENT_H
#define SILENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <opencode.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A client of a server that never says anything: nobody takes the connections that the system accepts. */
static OpencodeClient *silent(void) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    OpencodeClient *made = NULL;
    char options[100];
    int port = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (port < 0 || bind(port, (struct sockaddr *)&address, sizeof address) || listen(port, 128) ||
        getsockname(port, (struct sockaddr *)&address, &length))
        return NULL;
    sprintf(options, "{\"base_url\":\"http://127.0.0.1:%d\"}", ntohs(address.sin_port));
    return opencode_client_new(options, &made, NULL) == OPENCODE_STATUS_OK ? made : NULL;
}

#endif
