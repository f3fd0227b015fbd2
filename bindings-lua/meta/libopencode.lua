---@meta libopencode

---@class opencode
---@field version string
---@field null lightuserdata sends null; what comes as null is nil
local opencode = {}

---How a client is made. Without a field it is what the environment says (`OPENCODE_BASE_URL`,
---`OPENCODE_SERVER_USERNAME`, `OPENCODE_SERVER_PASSWORD`), else the default.
---@class opencode.ClientOptions : { base_url: any, username: any, password: any, directory: any, workspace: any, dialect: any, headers: any, connect_timeout_ms: any, timeout_ms: any, max_retries: any, max_body_bytes: any, stall_timeout_ms: any, events: any, permission: any, question: any, ca_file: any, record: any, log: any, wait: any, [string]: nil }
---@field base_url? string such as "http://127.0.0.1:4096", which is the default
---@field username? string the server's ("opencode")
---@field password? string the server's
---@field directory? string of the project; the server's own when absent
---@field workspace? string
---@field dialect? "auto"|1|2 what the server speaks; found out when absent
---@field headers? table<string, string> added to every request
---@field connect_timeout_ms? integer (5000)
---@field timeout_ms? integer of an operation; those that run a model have no limit (60000)
---@field max_retries? integer of reads; nothing else is repeated (2)
---@field max_body_bytes? integer the longest answer that is taken
---@field stall_timeout_ms? integer how long the server's events may be silent (30000)
---@field events? boolean false: runs look often in place of listening
---@field permission? opencode.PermissionPolicy who answers when tools of its runs ask ("reject")
---@field question? opencode.QuestionPolicy who answers the questions of its runs ("reject")
---@field ca_file? string certificates in PEM form, in place of those of the system
---@field record? string a file for the traffic, without secrets, to be played back
---@field log? "error"|"warn"|"info"|"debug" messages that `client:log()` gives
---@field wait? fun(ms: number) how functions that block wait: called again and again until they have their result; may yield

---Makes a client. Touches no network and never blocks.
---@param options? opencode.ClientOptions
---@return opencode.Client? client
---@return string? message
---@return opencode.Error? err
function opencode.client(options) end

---In a coroutine: yields until a run or call is over, and gives its result as `wait` does. Never blocks.
---@param handle opencode.Run|opencode.Call|opencode.Opening
---@return any result
---@return string? message
---@return opencode.Error? err
function opencode.await(handle) end

---Marks a table as a list, so that an empty one is sent as `[]`. Never blocks.
---@generic T: table
---@param list T
---@return T
function opencode.array(list) end

---A handle to one server. Operations are in namespaces: `client.session.update("ses_1", { title = "x" })`.
---@class opencode.Client : opencode.Operations
---@field base_url string
local Client = {}

---What a client that is made from another one may have in another way. Without a field it is as the other.
---@class opencode.WithOptions : { directory: any, workspace: any, headers: any, timeout_ms: any, connect_timeout_ms: any, max_retries: any, max_body_bytes: any, events: any, permission: any, question: any, wait: any, [string]: nil }
---@field directory? string of the project
---@field workspace? string
---@field headers? table<string, string> over those of the other client
---@field timeout_ms? integer of an operation
---@field connect_timeout_ms? integer
---@field max_retries? integer of reads
---@field max_body_bytes? integer the longest answer that is taken
---@field events? boolean false: runs look often in place of listening
---@field permission? opencode.PermissionPolicy who answers when tools of its runs ask
---@field question? opencode.QuestionPolicy who answers the questions of its runs
---@field wait? fun(ms: number) how functions that block wait

---A client with other settings that shares everything: connections, threads, events, descriptor, log. Either one's `ready`
---and `dispatch` serve both. Closing the first ends both; closing this one leaves the first. Never blocks.
---@param options opencode.WithOptions
---@return opencode.Client? client
---@return string? message
---@return opencode.Error? err
function Client:with(options) end

---Does an operation by its name. Blocks.
---@param operation string such as "session.get"
---@param arguments? table those of the operation, by name
---@param options? opencode.CallOptions
---@return any answer
---@return string? message
---@return opencode.Error? err
function Client:call(operation, arguments, options) end

---Does an operation in the background. Returns at once.
---@param operation string such as "session.get"
---@param arguments? table those of the operation, by name
---@param options? opencode.CallOptions
---@return opencode.Call? call
---@return string? message
---@return opencode.Error? err
function Client:start(operation, arguments, options) end

---Sends a request that this version does not know as an operation. Blocks.
---@param method string
---@param path string
---@param options? opencode.RequestOptions
---@return any answer
---@return string? message
---@return opencode.Error? err
function Client:request(method, path, options) end

---@class opencode.RequestOptions : { query: any, body: any, timeout_ms: any, directory: any, workspace: any, max_retries: any, headers: any, traceparent: any, raw: any, [string]: nil }
---@field query? table<string, string|number>
---@field body? any
---@field timeout_ms? integer the whole request, repetitions included
---@field directory? string
---@field workspace? string
---@field max_retries? integer of reads; nothing else is repeated
---@field headers? table<string, string>
---@field traceparent? string the span of your own tracing, as W3C writes it
---@field raw? boolean gives a table with status, headers and body in place of the answer

---Sends a prompt and returns at once.
---@param prompt opencode.Prompt
---@param options? opencode.RunOptions
---@return opencode.Run? run
---@return string? message
---@return opencode.Error? err
function Client:run(prompt, options) end

---Sends a prompt and blocks until its reply is there.
---@param prompt opencode.Prompt
---@param options? opencode.RunOptions
---@return opencode.Reply? reply
---@return string? message
---@return opencode.Error? err
function Client:ask(prompt, options) end

---Picks a run up that was started elsewhere: what `run:detach()` gave. Returns at once.
---@param session string
---@param message_id string
---@param options? opencode.RunOptions
---@overload fun(self: opencode.Client, ids: opencode.Detached, options?: opencode.RunOptions): opencode.Run?, string?, opencode.Error?
---@return opencode.Run? run
---@return string? message
---@return opencode.Error? err
function Client:resume(session, message_id, options) end

---Starts a program in a terminal, and returns at once: `client:pty` blocks for a request.
---@param options? opencode.PtyOptions
---@return opencode.Opening? opening
---@return string? message
---@return opencode.Error? err
function Client:start_pty(options) end

---Connects to a terminal that exists. Returns at once.
---@param id string
---@param options? opencode.PtyConnectOptions
---@return opencode.Pty? pty
---@return string? message
---@return opencode.Error? err
function Client:pty_connect(id, options) end

---Calls the `on_update` and `on_done` of the runs of this client. Never blocks.
---@return integer open how many of these runs go on
function Client:dispatch() end

---The handles that have something new, the oldest first; the descriptor is quiet afterwards until there is more. Never
---blocks.
---@return (opencode.Run|opencode.Call|opencode.Opening|opencode.EventStream|opencode.Pty)[]
function Client:ready() end

---A descriptor that is readable while something waits to be polled. From here on the client lives until it is closed.
---Never blocks.
---@return integer? fd
---@return string? message
---@return opencode.Error? err
function Client:fd() end

---Ends all runs, calls and streams of this side. Blocks, a second at most.
---@return true? is_closed nil when prompts were lost that could not be sent within a second; it is closed all the same
---@return string? message
---@return opencode.Error? err
function Client:close() end

---An operation in the background.
---@class opencode.Call
local Call = {}

---Never blocks.
---@return "pending"|"done"|"failed" state
---@return any answer the message of a failure
---@return opencode.Error? err
function Call:poll() end

---Blocks until the answer is there.
---@param timeout_ms? integer
---@return any answer
---@return string? message
---@return opencode.Error? err
function Call:wait(timeout_ms) end

---Ends the request, whatever it waits for. Never blocks.
function Call:cancel() end

return opencode
