---@meta libopencode_tools

-- Fields from spec/options.toml: attach

---How a file is attached.
---@class opencode.AttachOptions : { max_bytes: any, lines: any, name: any, mime: any, [string]: nil }
---@field max_bytes? integer The largest file that is taken (default: 20,000,000)
---@field lines? string|integer Some lines of a text, such as `10-25`, or one of them (default: all)
---@field name? string The name that the model sees (default: the file's own)
---@field mime? string The MIME type (default: what the content tells)

---What a session cost, and who spent it.
---@class opencode.Usage
---@field sessionID? string nil for all sessions
---@field cost number
---@field tokens { input: integer, output: integer, reasoning: integer, cache: { read: integer, write: integer } }
---@field count integer answers of models that were counted
---@field models opencode.Share[]
---@field agents opencode.Share[]
---@field sessions opencode.Share[]
---@field days opencode.Share[] by day in UTC, the first one first
---@field messages opencode.Share[] empty unless asked for

---@class opencode.Share
---@field name string `provider/model`, the agent's name, a day, or an id
---@field cost number
---@field tokens { input: integer, output: integer, reasoning: integer, cache: { read: integer, write: integer } }
---@field count integer

-- Fields from spec/options.toml: usage

---@class opencode.UsageOptions : { tree: any, messages: any, directory: any, since: any, until: any, scope: any, traceparent: any, [string]: nil }
---@field tree? boolean Whether the sessions of subagents count (default: true)
---@field messages? boolean Whether every message is listed; otherwise memory does not grow with the session (default: false)
---@field directory? string The directory of the project (default: the client's)
---@field since? string|integer Only answers from this moment on: a day such as `2026-11-29` or a time such as `2026-11-29T19:03:00Z`, both in UTC
---@field until? string|integer Only answers before this moment
---@field scope? "directory"|"global" Where no session is named, those of one directory, or of the whole server (default: directory)
---@field traceparent? string The span of your own tracing that it belongs to, as W3C Trace Context writes it: a header of its requests

---The requests of a terminal interface that is controlled by programs.
---@class opencode.TuiControl
local TuiControl = {}

---The next request; nil without a message when none came in time. None is lost between two calls.
---`next(0)` never blocks; without a time it waits as long as it takes.
---@param timeout_ms? integer
---@return { path: string, body: any }? request
---@return string? message
---@return opencode.Error? err
function TuiControl:next(timeout_ms) end

---Answers the request that `next` gave. Blocks for one request; in a tick
---`client:start("tui.control.response", { body = value })` does not.
---@param value any
---@return true? ok
---@return string? message
---@return opencode.Error? err
function TuiControl:respond(value) end

---Ends the waiting. Never blocks.
function TuiControl:close() end

---A server on this machine that plays a recording back, without a model. Made by `opencode.replay(path)`.
---@class opencode.Replay
local Replay = {}

---The address for `opencode.client { base_url = ... }`; nil after `close`. Never blocks.
---@return string?
function Replay:url() end

---Ends it. Blocks, a second at most.
function Replay:close() end

---@class opencode
local opencode = {}

---A file of this machine as a part of a prompt; the content travels with it. Blocks while the
---file is read.
---@param path string
---@param options? opencode.AttachOptions
---@return opencode.types.FilePartInput? part
---@return string? message
---@return opencode.Error? err
function opencode.attach(path, options) end

---The same from memory; `name` is what the model sees. Never blocks.
---@param name string
---@param bytes string
---@param options? opencode.AttachOptions
---@return opencode.types.FilePartInput? part
---@return string? message
---@return opencode.Error? err
function opencode.attach_bytes(name, bytes, options) end

---Plays a recording back on this machine. Blocks while it is read.
---@param path string what the client option `record` wrote
---@return opencode.Replay? replay
---@return string? message
---@return opencode.Error? err
function opencode.replay(path) end

---@class opencode.Client
local Client = {}

---Adds up what a session used, with its subagents unless `tree` is false. Blocks. With options alone, or nothing, it adds up all
---sessions of the directory or of the server.
---@param session? string|opencode.UsageOptions
---@param options? opencode.UsageOptions
---@return opencode.Usage? usage
---@return string? message
---@return opencode.Error? err
function Client:usage(session, options) end

-- Fields from spec/options.toml: ready

---What must be there before the first prompt.
---@class opencode.ReadyOptions : { agents: any, models: any, mcp: any, directory: any, timeout_ms: any, traceparent: any, [string]: nil }
---@field agents? string[] Agents that must be there, by name (default: any)
---@field models? string[] Models that must be there, as `provider/model`
---@field mcp? string[] MCP servers that must be connected, by name; one that has failed is told at once
---@field directory? string The directory of the project (default: the client's)
---@field timeout_ms? integer How long it is waited (default: 30000)
---@field traceparent? string The span of your own tracing that it belongs to, as W3C Trace Context writes it: a header of its requests

---@class opencode.Ready
---@field agents string[]
---@field models string[] when models were asked for
---@field mcp table<string, string> how each MCP server is, when some were asked for

---Blocks until the directory has its agents, and the models and MCP servers that are named. In its first seconds a server has
---empty lists. `client:start("wait_until_ready", options)` does not block.
---@param options? opencode.ReadyOptions
---@return opencode.Ready? ready
---@return string? message
---@return opencode.Error? err
function Client:wait_until_ready(options) end

---Types a prompt into every attached terminal interface and submits it. True says that the server accepted it, not that
---anybody is attached. Blocks for some requests.
---@param text string
---@return true? ok
---@return string? message
---@return opencode.Error? err
function Client:tui_prompt(text) end

---The requests of a terminal interface that is controlled by programs. Touches no network and never blocks.
---@return opencode.TuiControl
function Client:tui_control() end
