---@meta libopencode_run

---Who answers when a tool asks: by one word, or by rules, the last that matches. No match rejects.
---@alias opencode.PermissionPolicy "reject"|"once"|"always"|"ask"|opencode.PermissionRule[]

---@class opencode.PermissionRule : { permission: any, pattern: any, reply: any, [string]: nil }
---@field permission? string a glob over its name, such as "bash"; all when absent
---@field pattern? string a glob over what it is asked for, such as "git *"; all when absent
---@field reply "reject"|"once"|"always"|"ask"

---@alias opencode.QuestionPolicy "reject"|"first"|"ask"

---A part of a prompt that is more than text.
---@alias opencode.PartInput opencode.types.TextPartInput|opencode.types.FilePartInput|opencode.types.AgentPartInput|opencode.types.SubtaskPartInput

---A text, or a list of texts and parts.
---@alias opencode.Prompt string|(string|opencode.PartInput)[]

-- Fields from spec/options.toml: attach with path

---A local file that is attached, and how.
---@class opencode.File : { max_bytes: any, lines: any, name: any, mime: any, path: any, [string]: nil }
---@field max_bytes? integer The largest file that is taken (default: 20,000,000)
---@field lines? string|integer Some lines of a text, such as `10-25`, or one of them (default: all)
---@field name? string The name that the model sees (default: the file's own)
---@field mime? string The MIME type (default: what the content tells)
---@field path string

-- Fields from spec/options.toml: prompt without prompt with on_update on_done

---What belongs to a prompt, and the bounds of its run: when one is hit the run is aborted and fails with `limit`.
---@class opencode.RunOptions : { files: any, session: any, title: any, agent: any, model: any, system: any, tools: any, variant: any, format: any, directory: any, message_id: any, permission: any, question: any, when_busy: any, deadline_ms: any, max_cost: any, max_tokens: any, max_steps: any, max_retries: any, start_timeout_ms: any, server_timeout_ms: any, traceparent: any, on_update: any, on_done: any, [string]: nil }
---@field files? string|opencode.File|(string|opencode.File)[] Local files to attach: paths, or objects with a `path` and how to attach it
---@field session? string The session to use (default: a new one)
---@field title? string The title of a new session
---@field agent? string The agent's name (default: the server's)
---@field model? string|{ providerID: string, modelID: string } The model: `provider/model`, or an object with `providerID` and `modelID` (default: the agent's)
---@field system? string Added to the system prompt
---@field tools? table<string, boolean> Which tools the model may use: name to true or false. The session keeps it
---@field variant? string The variant of the model, such as `high`
---@field format? table A JSON schema that the answer must fit; the value is `reply.structured`. Python takes a class of Pydantic, a dataclass or a TypedDict too, and gives `reply.parsed`
---@field directory? string The directory of the project (default: the client's)
---@field message_id? string The id of the user message; never use one twice (default: chosen)
---@field permission? opencode.PermissionPolicy Who answers permission requests: a word, or rules of which the last that fits decides (default: the client's)
---@field question? "reject"|"first"|"ask" Who answers questions (default: the client's)
---@field when_busy? "queue"|"refuse"|"send" What to do when somebody else's prompt runs in the session: wait, fail with `conflict`, or send all the same (default: queue)
---@field deadline_ms? integer The limit from the start to the end, waiting for a turn included (default: none)
---@field max_cost? number The most that the run may cost, in the provider's currency, subagents included (default: none)
---@field max_tokens? integer The most tokens of all kinds (default: none)
---@field max_steps? integer The most messages of the model; each tool loop is one (default: none)
---@field max_retries? integer The most repetitions after failures of the provider (default: none)
---@field start_timeout_ms? integer How long after sending the prompt the server may show no sign of it (default: 30000)
---@field server_timeout_ms? integer How long the server may be out of reach during the run; 5 s where it never answered this client (default: 15000)
---@field traceparent? string The span of your own tracing that the run belongs to, as W3C Trace Context writes it: a header of its requests
---@field on_update? fun(update: opencode.Update, run: opencode.Run) called by `client:dispatch()`
---@field on_done? fun(reply?: opencode.Reply, message?: string, err?: opencode.Error) called by `client:dispatch()` at the end

-- Fields from spec/options.toml: compact with on_update on_done

---How a session is summarized, and the bounds of that: when one is hit the run is aborted and fails with `limit`.
---@class opencode.CompactOptions : { model: any, when_busy: any, deadline_ms: any, max_cost: any, max_tokens: any, max_retries: any, start_timeout_ms: any, server_timeout_ms: any, traceparent: any, on_update: any, on_done: any, [string]: nil }
---@field model? string|{ providerID: string, modelID: string } The model: `provider/model`, or an object with `providerID` and `modelID`. On 2.x the session keeps it (default: that of the session's last prompt)
---@field when_busy? "queue"|"refuse"|"send" What to do when somebody else's prompt runs in the session: wait, fail with `conflict`, or ask all the same (default: queue)
---@field deadline_ms? integer The limit from the start to the end, waiting for a turn included (default: none)
---@field max_cost? number The most that it may cost, in the provider's currency (default: none)
---@field max_tokens? integer The most tokens of all kinds (default: none)
---@field max_retries? integer The most repetitions after failures of the provider (default: none)
---@field start_timeout_ms? integer How long after it was asked for the server may show no sign of it (default: 30000)
---@field server_timeout_ms? integer How long the server may be out of reach meanwhile; 5 s where it never answered this client (default: 15000)
---@field traceparent? string The span of your own tracing that it belongs to, as W3C Trace Context writes it: a header of its requests
---@field on_update? fun(update: opencode.Update, run: opencode.Run) called by `client:dispatch()`
---@field on_done? fun(reply?: opencode.Reply, message?: string, err?: opencode.Error) called by `client:dispatch()` at the end

---`waiting` is a permission or question that only you can answer.
---@alias opencode.RunState "pending"|"waiting"|"done"|"failed"

---A piece of what the model said.
---@class opencode.TextUpdate
---@field type "text"
---@field delta string
---@field replaces boolean when true, `delta` is the whole text: forget what was shown before
---@field messageID string
---@field partID string

---A piece of what the model thought.
---@class opencode.ReasoningUpdate
---@field type "reasoning"
---@field delta string
---@field replaces boolean as in `opencode.TextUpdate`
---@field messageID string
---@field partID string

---A tool part changed.
---@class opencode.ToolUpdate
---@field type "tool"
---@field part opencode.types.ToolPart its newest form

---A message of the run began or ended.
---@class opencode.MessageUpdate
---@field type "message"
---@field info opencode.types.Message its newest form, without parts

---A tool wants to do something: answer with `run:reply_permission`.
---@class opencode.PermissionUpdate
---@field type "permission"
---@field id string
---@field request opencode.types.PermissionRequest

---The agent asks: answer with `run:reply_question`.
---@class opencode.QuestionUpdate
---@field type "question"
---@field id string
---@field request opencode.types.QuestionRequest

---The provider failed and the server tries again.
---@class opencode.RetryUpdate
---@field type "retry"
---@field attempt integer 1 for the first repetition
---@field reason string the provider's words
---@field next number when it tries again, in milliseconds since 1970

---@class opencode.StatusUpdate
---@field type "status"
---@field why string why the run is not moving, in one line

---@class opencode.TodoUpdate
---@field type "todo"
---@field todos opencode.types.Todo[]

---@class opencode.DiffUpdate
---@field type "diff"
---@field diff opencode.types.SnapshotFileDiff[] the files that the session changed

---The last update of a run that has its reply.
---@class opencode.DoneUpdate
---@field type "done"
---@field reply opencode.Reply

---The last update of a run that has none.
---@class opencode.FailedUpdate
---@field type "failed"
---@field message string
---@field error opencode.Error

---What happened to a run: look at `type` for what else is there.
---@alias opencode.Update opencode.TextUpdate|opencode.ReasoningUpdate|opencode.ToolUpdate|opencode.MessageUpdate|opencode.PermissionUpdate|opencode.QuestionUpdate|opencode.RetryUpdate|opencode.StatusUpdate|opencode.TodoUpdate|opencode.DiffUpdate|opencode.DoneUpdate|opencode.FailedUpdate

---One permission or question that was decided.
---@class opencode.Decision
---@field id string of the request
---@field sessionID string the run's own, or a subagent's
---@field permission string what was asked for, such as "bash", or "question"
---@field patterns string[] such as the command
---@field reply "once"|"always"|"reject"|"answer"
---@field by "policy"|"host"|"other"

---The outcome of a run. Of a failed one, as far as it came.
---@class opencode.Reply
---@field sessionID string
---@field messageID string the message that the prompt became
---@field text string the answer: the text of the last message
---@field transcript string everything that was said on the way: all text updates together
---@field reasoning string everything that was thought on the way
---@field structured? any the value that fits the schema given as `format`
---@field finish? string why the model ended, such as "stop" or "length"
---@field cost number subagents included, as the provider prices it
---@field tokens { input: integer, output: integer, reasoning: integer, total: integer, cache: { read: integer, write: integer } } subagents included
---@field agent? string
---@field providerID? string
---@field modelID? string
---@field messages opencode.types.SessionMessagesAnswerItem[] those of the run, the user's first
---@field parts opencode.types.Part[] those of the last message
---@field decisions opencode.Decision[] every permission and question that was decided, and by whom
---@field files opencode.types.SnapshotFileDiff[] that the run changed
---@field children string[] the sessions of subagents
---@field time { queued_ms: integer, first_token_ms?: integer, total_ms: integer } since the start

---What another process needs to pick a run up with `client:resume`.
---@class opencode.Detached
---@field sessionID string
---@field messageID string

---One prompt on its way to its reply.
---@class opencode.Run
local Run = {}

---The state, and everything that happened since the last poll. Never blocks. Without news it costs no memory: the empty
---list is one for all polls.
---@return opencode.RunState state
---@return opencode.Update[] updates
function Run:poll() end

---An iterator over all updates; blocks between them. `for update in run:updates() do ... end`
---@return fun(): opencode.Update?
function Run:updates() end

---An iterator over what the run says and nothing else, piece by piece; blocks between them. After the last one it raises
---why the run failed. `for text in run:text_stream() do io.write(text) end`
---@return fun(): string?
function Run:text_stream() end

---Blocks until the run is over.
---@param timeout_ms? integer
---@return opencode.Reply? reply
---@return string? message
---@return opencode.Error? err
function Run:wait(timeout_ms) end

---Ends the run; blocks until the server stopped (10000 ms), 0 only asks for it.
---@param timeout_ms? integer
---@return opencode.RunState state
function Run:cancel(timeout_ms) end

---Where it stands. Never blocks.
---@return opencode.RunState
function Run:state() end

---The text so far: all text updates together. Never blocks.
---@return string
function Run:text() end

---Why it is not moving, in one line; empty when it is over. Never blocks.
---@return string
function Run:why() end

---The session, once it is known. Never blocks.
---@return string?
function Run:session_id() end

---The message that the prompt becomes; nil until the prompt is sent, unless you gave its id. Never blocks.
---@return string?
function Run:message_id() end

---The reply once the run is over; of a failed one, as far as it came. Never blocks.
---@return opencode.Reply?
function Run:reply() end

---Why the run failed, once it did. Never blocks.
---@return string? message
---@return opencode.Error? err
function Run:error() end

---Answers a permission update. Returns at once.
---@param id string
---@param reply "once"|"always"|"reject"
---@param message? string what the agent is told about a rejection
---@return true ok
function Run:reply_permission(id, reply, message) end

---Answers a question update; nil dismisses it. Returns at once.
---@param id string
---@param answers? string[][] labels or own words, a list for each question
---@return true ok
function Run:reply_question(id, answers) end

---Leaves the run to the server. Blocks until its prompt is sent (60000 ms).
---@param timeout_ms? integer
---@return opencode.Detached? ids for `client:resume`
---@return string? message
---@return opencode.Error? err
function Run:detach(timeout_ms) end
