---@meta libopencode_streams

-- Fields from spec/options.toml: events

---Which events a stream gives.
---@class opencode.EventOptions : { scope: any, directory: any, max_events: any, types: any, [string]: nil }
---@field scope? "directory"|"global" The events of one directory, or of all (default: directory)
---@field directory? string Whose events (default: the client's, else the server's own)
---@field max_events? integer How many are kept for a slow reader (default: 4096)
---@field types? string[] The types that are given; one that ends with `*` stands for all that begin so. Others are not even read (default: all)

---One event. Types of the stream itself: `stream.connected` (from here on nothing is missed), `stream.gap` (the
---connection is lost and tried again: `reason`, `kind`), `stream.lagged` (`count` events were dropped because nobody
---took them). After each of them, what happened before is to be read from the server.
---@class opencode.Event
---@field id string empty for events that have none
---@field type string
---@field directory? string
---@field properties table<string, any>

---What happens on the server, event by event. A lost connection is made again by itself, and the gap is told.
---@class opencode.EventStream
local EventStream = {}

---The next event; nil when none came in time. `next(0)` never blocks; without a time it waits as long as it takes.
---A stream that was closed gives `nil, "closed: ...", err`.
---@param timeout_ms? integer
---@return opencode.Event? event
---@return string? message
---@return opencode.Error? err
function EventStream:next(timeout_ms) end

---An iterator over all events; blocks between them, ends when the stream is closed, and raises why it failed.
---@return fun(): opencode.Event?
function EventStream:each() end

---Whether the stream was closed or has failed. Never blocks.
---@return boolean
function EventStream:is_over() end

---Ends the stream. Never blocks.
function EventStream:close() end

---A long list, newest first, fetched page by page. In a `for` loop it is its own iterator, and raises what fails.
---@class opencode.Messages
---@overload fun(): opencode.types.SessionMessagesAnswerItem?
local Messages = {}

---The next message; nil at the end. Blocks when a page has to be fetched; `poll` does not.
---@return opencode.types.SessionMessagesAnswerItem? message
---@return string? why
---@return opencode.Error? err
function Messages:next() end

---"item" and the next message, "pending" while its page is on its way, "done" at the end. Never blocks.
---@return "item"|"pending"|"done"|"failed" state
---@return opencode.types.SessionMessagesAnswerItem|string|nil message the message of a failure
---@return opencode.Error? err
function Messages:poll() end

---Whether nothing was left out so far: the server cannot give the first message of a session when that was a prompt
---with a `format`. Never blocks.
---@return boolean
function Messages:is_complete() end

---The same for sessions.
---@class opencode.Sessions
---@overload fun(): opencode.types.GlobalSession?
local Sessions = {}

---The next session; nil at the end. Blocks when a page has to be fetched; `poll` does not.
---@return opencode.types.GlobalSession? session
---@return string? message
---@return opencode.Error? err
function Sessions:next() end

---"item" and the next session, "pending" while its page is on its way, "done" at the end. Never blocks.
---@return "item"|"pending"|"done"|"failed" state
---@return opencode.types.GlobalSession|string|nil session the message of a failure
---@return opencode.Error? err
function Sessions:poll() end

---Always true. Never blocks.
---@return boolean
function Sessions:is_complete() end

-- Fields from spec/options.toml: messages

---@class opencode.MessageOptions : { page: any, traceparent: any, [string]: nil }
---@field page? integer Messages per request (default: 50)
---@field traceparent? string The span of your own tracing that the list belongs to, as W3C Trace Context writes it: a header of its requests

-- Fields from spec/options.toml: sessions

---@class opencode.SessionOptions : { page: any, scope: any, directory: any, search: any, roots: any, archived: any, traceparent: any, [string]: nil }
---@field page? integer Sessions per request (default: 50)
---@field scope? "directory"|"global" The sessions of one directory, or of the whole server (default: directory)
---@field directory? string Whose sessions (default: the client's, else the server's own)
---@field search? string A part of the title
---@field roots? boolean Whether those of subagents are left out (default: false)
---@field archived? boolean Whether those that were put away are listed too (default: true)
---@field traceparent? string The span of your own tracing that the list belongs to, as W3C Trace Context writes it: a header of its requests

---The pieces of a text, each about a page of messages.
---@class opencode.Export
---@overload fun(): string?
local Export = {}

---The next piece; nil at the end. Blocks when a page has to be fetched; `poll` does not.
---@return string? piece
---@return string? message
---@return opencode.Error? err
function Export:next() end

---"item" and the next piece, "pending" while its page is on its way, "done" at the end. Never blocks.
---@return "item"|"pending"|"done"|"failed" state
---@return string|string|nil piece the message of a failure
---@return opencode.Error? err
function Export:poll() end

---Whether nothing was left out so far. Never blocks.
---@return boolean
function Export:is_complete() end

-- Fields from spec/options.toml: export

---@class opencode.ExportOptions : { format: any, data: any, tree: any, directory: any, traceparent: any, [string]: nil }
---@field format? "json"|"markdown" What it is written as: for programs, or for people to read (default: json)
---@field data? boolean Whether the content of files that stands in messages is written out; otherwise its length stands in its place (default: false)
---@field tree? boolean Whether the sessions of subagents are written behind it (default: true)
---@field directory? string The directory of the project (default: the client's)
---@field traceparent? string The span of your own tracing that it belongs to, as W3C Trace Context writes it: a header of its requests

---@class opencode.Exported
---@field path string
---@field bytes integer
---@field sessions integer
---@field messages integer
---@field complete boolean false where the server could not give the first message of a session

---@class opencode.LogRecord
---@field time integer milliseconds since 1970
---@field level "error"|"warn"|"info"|"debug"
---@field message string

---@class opencode.Client
local Client = {}

---What happens on the server. Returns at once; all streams and runs of a client share one connection.
---@param options? opencode.EventOptions
---@return opencode.EventStream? stream
---@return string? message
---@return opencode.Error? err
function Client:events(options) end

---The messages of a session, newest first. `for message in client:messages(id) do ... end` blocks for a
---request each `page`; this function itself never blocks.
---@param session_id string
---@param options? opencode.MessageOptions
---@return opencode.Messages
function Client:messages(session_id, options) end

---The sessions of a directory or of the whole server, the one that changed last first. Never blocks; `next` and loops do.
---@param options? opencode.SessionOptions
---@return opencode.Sessions
function Client:sessions(options) end

---A session with its subagents as one text, piece by piece. Never blocks; `next` and loops do.
---@param session_id string
---@param options? opencode.ExportOptions
---@return opencode.Export
function Client:export(session_id, options) end

---Writes a session into a file, which appears when it is complete. Blocks; `client:start("export", {...})` does not.
---@param session_id string
---@param path string
---@param options? opencode.ExportOptions
---@return opencode.Exported? written
---@return string? message
---@return opencode.Error? err
function Client:export_to(session_id, path, options) end

---What was logged since the last time, for clients made with `log = "debug"` (or another level). Never blocks.
---@return opencode.LogRecord[]
function Client:log() end
