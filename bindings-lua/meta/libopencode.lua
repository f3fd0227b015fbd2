---@meta libopencode

---@class opencode
---@field version string
---@field null lightuserdata sends null; what comes as null is nil
local opencode = {}

-- Fields from spec/options.toml: client with wait

---How a client is made. Without a field it is what the environment says (`OPENCODE_BASE_URL`,
---`OPENCODE_SERVER_USERNAME`, `OPENCODE_SERVER_PASSWORD`), else the default.
---@class opencode.ClientOptions : { base_url: any, username: any, password: any, directory: any, workspace: any, dialect: any, headers: any, timeout_ms: any, connect_timeout_ms: any, max_retries: any, max_body_bytes: any, stall_timeout_ms: any, events: any, permission: any, question: any, log: any, ca_file: any, record: any, tools_prefix: any, wait: any, [string]: nil }
---@field base_url? string The address of the server; may hold `user:password@` (default: OPENCODE_BASE_URL, else http://127.0.0.1:4096)
---@field username? string The user name of the server (default: OPENCODE_SERVER_USERNAME, else opencode)
---@field password? string The password of the server (default: OPENCODE_SERVER_PASSWORD)
---@field directory? string The directory of the project that calls and runs work in (default: the server's own)
---@field workspace? string The workspace that calls work in
---@field dialect? "auto"|1|2 The generation of the server: found out by itself, or 1 or 2 (default: auto)
---@field headers? table<string, string> Headers added to every request
---@field timeout_ms? integer How long the server may be silent: until an answer begins, and between two pieces of it (default: 60000)
---@field connect_timeout_ms? integer How long connecting may take, name lookup and TLS included (default: 5000)
---@field max_retries? integer How often a read is repeated when it failed in a way that passes (default: 2)
---@field max_body_bytes? integer The longest answer that is taken (default: 512 MiB)
---@field stall_timeout_ms? integer How long the event stream may be silent before its connection is made anew (default: 30000)
---@field events? boolean Whether runs listen to the server's events; without, they look often, and text comes by the part (default: true)
---@field permission? opencode.PermissionPolicy Who answers the permission requests of runs: a word, or rules of which the last that fits decides (default: reject)
---@field question? "reject"|"first"|"ask" Who answers the questions of runs (default: reject)
---@field log? "error"|"warn"|"info"|"debug" Messages of this level, and of those that matter more, are kept for the program
---@field ca_file? string A file of certificates in PEM form that the server's own one must come from (default: the certificates of the system)
---@field record? string A file into which the traffic is written, without secrets (default: OPENCODE_RECORD)
---@field tools_prefix? string What stands before the names of this program's tools, with a `_` between: 1 to 15 letters, digits and `-`. Another one for each program in a directory (default: host)
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

-- Fields from spec/options.toml: with with wait

---What a client that is made from another one may have in another way. Without a field it is as the other.
---@class opencode.WithOptions : { directory: any, workspace: any, headers: any, timeout_ms: any, connect_timeout_ms: any, max_retries: any, max_body_bytes: any, events: any, permission: any, question: any, wait: any, [string]: nil }
---@field directory? string The directory of the project that calls and runs work in (default: the first client's)
---@field workspace? string The workspace that calls work in (default: the first client's)
---@field headers? table<string, string> Headers added to every request, over those of the first client
---@field timeout_ms? integer How long the server may be silent: until an answer begins, and between two pieces of it (default: the first client's)
---@field connect_timeout_ms? integer How long connecting may take, name lookup and TLS included (default: the first client's)
---@field max_retries? integer How often a read is repeated when it failed in a way that passes (default: the first client's)
---@field max_body_bytes? integer The longest answer that is taken (default: the first client's)
---@field events? boolean Whether runs listen to the server's events; without, they look often, and text comes by the part (default: the first client's)
---@field permission? opencode.PermissionPolicy Who answers the permission requests of runs: a word, or rules of which the last that fits decides (default: the first client's)
---@field question? "reject"|"first"|"ask" Who answers the questions of runs (default: the first client's)
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

-- Fields from spec/options.toml: call with query body raw

---@class opencode.RequestOptions : { timeout_ms: any, directory: any, workspace: any, max_retries: any, headers: any, traceparent: any, query: any, body: any, raw: any, [string]: nil }
---@field timeout_ms? integer The limit of the whole call, repetitions included (default: none)
---@field directory? string The directory that the call works in (default: the client's)
---@field workspace? string The workspace that the call works in (default: the client's)
---@field max_retries? integer How often it is repeated when it failed in a way that passes; only reads ever are (default: the client's)
---@field headers? table<string, string> Headers added to the request
---@field traceparent? string The span of your own tracing that it belongs to, as W3C Trace Context writes it: sent as the header of that name
---@field query? table<string, string|number>
---@field body? any
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

---Has a session summarized by its model, so that what comes next begins with the summary in place of all that was said: a
---run, whose text is the summary. Returns at once. Where nothing was said since the last summary the run fails with
---`agent` and the code `compaction.unavailable`.
---@param session string
---@param options? opencode.CompactOptions
---@return opencode.Run? run
---@return string? message
---@return opencode.Error? err
function Client:compact(session, options) end

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
---@return (opencode.Run|opencode.Call|opencode.Opening|opencode.EventStream|opencode.Pty|opencode.Messages|opencode.Sessions|opencode.Export|opencode.TuiControl)[]
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
