---@meta libopencode_host_tools

---A function of the script that the agent can call: `client:tool { ... }`.
---@class opencode.Tool : { name: any, description: any, parameters: any, timeout_ms: any, handler: any, [string]: nil }
---@field name string letters, digits, `_` and `-`; the agent knows it as `host_` and this name
---@field description string what it does, for the model
---@field parameters? table a JSON schema of its arguments, of type object
---@field timeout_ms? integer how long a call may wait for its answer (60000)
---@field handler async fun(arguments: table, call: opencode.ToolCall): any, any returns the answer, and images behind it; `nil, message` for a failure; nothing to answer later. May yield

---`client:tool { ... }` offers a function to the agent. Never blocks: the server is told before the next prompt.
---@class opencode.ToolOperations
---@overload fun(client: opencode.Client, tool: opencode.Tool): true?, string?, opencode.Error?

---A call of a tool: the agent waits for its answer.
---@class opencode.ToolCall
---@field id string
---@field name string
---@field sessionID? string the session that called, where events told of it
---@field messageID? string
---@field callID? string
local ToolCall = {}

---Answers, from any later tick. Never blocks.
---@param value any a text, or what the model reads as JSON
---@param ... opencode.types.FilePartInput images, as `attach` makes them
---@return true? ok
---@return string? message `not_found` when nobody waits for it any more
---@return opencode.Error? err
function ToolCall:reply(value, ...) end

---Fails: the model reads the message. Never blocks.
---@param message string
---@return true? ok
---@return string? message
---@return opencode.Error? err
function ToolCall:fail(message) end

---Whether the agent still waits. Never blocks.
---@return boolean
function ToolCall:is_open() end

---@class opencode.Client
local Client = {}

---Lets handlers answer the calls that wait: for loops that poll no run. Never blocks.
---@return integer count calls that were begun
function Client:poll_tools() end
