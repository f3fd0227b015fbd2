---@meta opencode

---@class opencode
---@field version string
---@field null lightuserdata sends null; what comes as null is nil
local opencode = {}

---How a client is made. Without a field it is what the environment says (`OPENCODE_BASE_URL`,
---`OPENCODE_SERVER_USERNAME`, `OPENCODE_SERVER_PASSWORD`), else the default.
---@class opencode.ClientOptions
---@field base_url? string ("http://127.0.0.1:4096")
---@field username? string ("opencode")
---@field password? string
---@field directory? string the project that the server works in (its own)
---@field workspace? string
---@field headers? table<string, string> sent with every request
---@field connect_timeout_ms? integer (5000)
---@field timeout_ms? integer for a whole call (60000)
---@field max_retries? integer how often a read that failed is sent again (2)
---@field max_body_bytes? integer the longest answer that is taken
---@field stall_timeout_ms? integer how long the server's events may be silent (30000)
---@field events? boolean false: runs look often in place of listening
---@field permission? "reject"|"once"|"always"|"ask"|table[]
---@field question? "reject"|"first"|"ask"
---@field ca_file? string certificates in PEM form, in place of those of the system
---@field record? string a file for the traffic, without secrets, to be played back
---@field log? "error"|"warn"|"info"|"debug" messages that `client:log()` gives

---Makes a client. Touches no network.
---@param options? opencode.ClientOptions
---@return opencode.Client? client
---@return string? message
---@return opencode.Error? err
function opencode.client(options) end

---Marks a table as a list, so that an empty one is sent as `[]`.
---@generic T: table
---@param list T
---@return T
function opencode.array(list) end

---A handle to one server. Operations are in namespaces: `client.session.update("ses_1", { title = "x" })`.
---@class opencode.Client : opencode.Operations
---@field base_url string
local Client = {}

---Does an operation by its name. Blocks.
---@param operation string
---@param arguments? table
---@param options? opencode.CallOptions
---@return any answer
---@return string? message
---@return opencode.Error? err
function Client:call(operation, arguments, options) end

---Does an operation in the background.
---@param operation string
---@param arguments? table
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

---@class opencode.RequestOptions : opencode.CallOptions
---@field query? table<string, string>
---@field body? any

---Sends a prompt and returns at once.
---@param prompt string|table[]
---@param options? opencode.RunOptions
---@return opencode.Run? run
---@return string? message
---@return opencode.Error? err
function Client:run(prompt, options) end

---Sends a prompt and blocks until its reply is there.
---@param prompt string|table[]
---@param options? opencode.RunOptions
---@return opencode.Reply? reply
---@return string? message
---@return opencode.Error? err
function Client:ask(prompt, options) end

---Picks a run up that was started elsewhere: what `run:detach()` gave.
---@param session string|{ sessionID: string, messageID: string }
---@param message_id? string|opencode.RunOptions
---@param options? opencode.RunOptions
---@return opencode.Run? run
---@return string? message
---@return opencode.Error? err
function Client:resume(session, message_id, options) end

---Connects to a terminal that exists. Returns at once.
---@param id string
---@param options? opencode.PtyConnectOptions
---@return opencode.Pty? pty
---@return string? message
---@return opencode.Error? err
function Client:pty_connect(id, options) end

---A descriptor that is readable while something waits to be polled.
---@return integer? fd
---@return string? message
---@return opencode.Error? err
function Client:fd() end

---Ends all runs, calls and streams of this side, within a second.
function Client:close() end

---What a prompt may come with; docs/runs.md tells more.
---@class opencode.RunOptions
---@field session? string the session to go on with; without one a new one is made
---@field title? string of a new session
---@field files? (string|{ path: string, lines?: string|integer, name?: string, mime?: string })[] local files to attach
---@field agent? string
---@field model? string|{ providerID: string, modelID: string } `"provider/model"`
---@field system? string added to the system prompt
---@field tools? table<string, boolean>
---@field variant? string
---@field format? table a JSON schema; the value is `reply.structured`
---@field directory? string
---@field message_id? string
---@field permission? "reject"|"once"|"always"|"ask"|table[] ("reject")
---@field question? "reject"|"first"|"ask" ("reject")
---@field when_busy? "queue"|"refuse"|"send" when somebody else's prompt runs in the session ("queue")
---@field deadline_ms? integer the longest time from the start, waiting for a turn included
---@field max_cost? number
---@field max_tokens? integer
---@field max_steps? integer messages of the model
---@field max_retries? integer failures of the provider
---@field start_timeout_ms? integer until the server shows a sign of the prompt (30000)
---@field server_timeout_ms? integer how long the server may be out of reach (15000)

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

---Ends the request, whatever it waits for.
function Call:cancel() end

---@alias opencode.RunState "pending"|"waiting"|"done"|"failed"

---What happened to a run: look at `type` for what else is there.
---@class opencode.Update
---@field type "text"|"reasoning"|"tool"|"message"|"permission"|"question"|"retry"|"status"|"todo"|"diff"|"done"|"failed"
---@field delta? string
---@field replaces? boolean
---@field id? string
---@field request? table
---@field [string] any

---The outcome of a run.
---@class opencode.Reply
---@field sessionID string
---@field messageID string
---@field text string
---@field structured? any
---@field finish? string
---@field cost number
---@field tokens table<string, any>
---@field messages table[]
---@field [string] any

---One prompt on its way to its reply.
---@class opencode.Run
local Run = {}

---Never blocks.
---@return opencode.RunState state
---@return opencode.Update[] updates
function Run:poll() end

---An iterator over all updates; blocks between them.
---@return fun(): opencode.Update?
function Run:updates() end

---Blocks until the run is over.
---@param timeout_ms? integer
---@return opencode.Reply? reply
---@return string? message
---@return opencode.Error? err
function Run:wait(timeout_ms) end

---Ends the run; blocks until the server stopped (10000 ms), 0 only asks for it.
---@param timeout_ms? integer
---@return opencode.RunState
function Run:cancel(timeout_ms) end

---Where it stands, without taking updates. Never blocks.
---@return opencode.RunState
function Run:state() end

---The text so far.
---@return string
function Run:text() end

---Why it is not moving, in one line.
---@return string
function Run:why() end

---The session, once it is known.
---@return string?
function Run:session_id() end

---The user message that the prompt becomes.
---@return string
function Run:message_id() end

---The reply once the run is over; of a failed one, as far as it came.
---@return opencode.Reply?
function Run:reply() end

---Why the run failed, once it did.
---@return string? message
---@return opencode.Error? err
function Run:error() end

---Answers a permission update.
---@param id string
---@param reply "once"|"always"|"reject"
---@param message? string what the agent is told about a rejection
function Run:reply_permission(id, reply, message) end

---Answers a question update; nil dismisses it.
---@param id string
---@param answers? string[][]
function Run:reply_question(id, answers) end

---Leaves the run to the server, once its prompt is sent.
---@param timeout_ms? integer
---@return { sessionID: string, messageID: string }? ids
---@return string? message
---@return opencode.Error? err
function Run:detach(timeout_ms) end

return opencode
