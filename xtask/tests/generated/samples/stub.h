/* As much of opencode.h as the generated header needs. */
#ifndef OPENCODE_H
#define OPENCODE_H
#ifdef __cplusplus
extern "C" {
#endif
typedef struct OpencodeClient OpencodeClient;
typedef struct OpencodeReply OpencodeReply;
typedef enum { OPENCODE_STATUS_OK = 0 } OpencodeStatus;
OpencodeStatus opencode_call(const OpencodeClient *client, const char *operation, const char *arguments_json,
                             OpencodeReply **reply);
#ifdef __cplusplus
}
#endif
#endif
