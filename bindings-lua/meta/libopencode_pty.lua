---@meta libopencode_pty

-- Fields from spec/options.toml: pty

---Which program runs in a terminal, and how it is reached.
---@class opencode.PtyOptions : { command: any, args: any, cwd: any, env: any, title: any, cols: any, rows: any, cursor: any, directory: any, ticket: any, server_timeout_ms: any, traceparent: any, [string]: nil }
---@field command? string The program (default: the server's shell)
---@field args? string[] Its arguments
---@field cwd? string Its working directory (default: the project's)
---@field env? table<string, string> Variables added to the server's environment
---@field title? string The name that lists show
---@field cols? integer The width; give `rows` with it (default: 80)
---@field rows? integer The height; give `cols` with it (default: 24)
---@field cursor? integer Where the output of an existing terminal begins, in UTF-16 units; negative for what comes from now on (default: the oldest that the server keeps)
---@field directory? string The directory that the terminal belongs to (default: the client's)
---@field ticket? boolean Connects with a ticket, for proxies that drop the `Authorization` header of a websocket (default: false)
---@field server_timeout_ms? integer How long the server may be out of reach before the terminal fails (default: 15000)
---@field traceparent? string The span of your own tracing that the terminal belongs to, as W3C Trace Context writes it: a header of its requests, that of the websocket included

-- Fields from spec/options.toml: pty without command args cwd env title

---How a terminal that exists is reached.
---@class opencode.PtyConnectOptions : { cols: any, rows: any, cursor: any, directory: any, ticket: any, server_timeout_ms: any, traceparent: any, [string]: nil }
---@field cols? integer The width; give `rows` with it (default: 80)
---@field rows? integer The height; give `cols` with it (default: 24)
---@field cursor? integer Where the output of an existing terminal begins, in UTF-16 units; negative for what comes from now on (default: the oldest that the server keeps)
---@field directory? string The directory that the terminal belongs to (default: the client's)
---@field ticket? boolean Connects with a ticket, for proxies that drop the `Authorization` header of a websocket (default: false)
---@field server_timeout_ms? integer How long the server may be out of reach before the terminal fails (default: 15000)
---@field traceparent? string The span of your own tracing that the terminal belongs to, as W3C Trace Context writes it: a header of its requests, that of the websocket included

---A program in a terminal on the server's machine. A lost connection is made again by itself, from the character
---at which it broke. Belongs to the thread of the Lua state; a thread of the library gathers the output.
---@class opencode.Pty
local Pty = {}

---What the program printed: "" when nothing came in time, nil at the end. `read(0)` never blocks; without a
---timeout it waits as long as it takes.
---@param timeout_ms? integer
---@return string? text
---@return string? message
---@return opencode.Error? err
function Pty:read(timeout_ms) end

---Types a text. Returns at once.
---@param text string
---@return true? ok
---@return string? message "limit: ..." when a megabyte waits to be sent, "closed: ..." when the terminal is over
---@return opencode.Error? err
function Pty:write(text) end

---Gives the terminal another size. Returns at once.
---@param cols integer
---@param rows integer
---@return true? ok
---@return string? message
---@return opencode.Error? err
function Pty:resize(cols, rows) end

---The id of the terminal, for `client:pty_connect`. Never blocks.
---@return string
function Pty:id() end

---Where the next read begins, in UTF-16 units since the terminal was made. Never blocks.
---@return integer
function Pty:cursor() end

---Whether the terminal is over, and everything that it printed was read. Never blocks.
---@return boolean
function Pty:is_over() end

---Whether everything came through that was asked for. Never blocks.
---@return boolean
function Pty:is_complete() end

---The exit code of the program, once it ended and if the server tells it. Never blocks.
---@return integer?
function Pty:exit_code() end

---Ends the program and makes the server forget the terminal. Blocks for one request; in a tick
---write `client:start("pty.remove", { ptyID = pty:id() })`.
---@return true? ok
---@return string? message
---@return opencode.Error? err
function Pty:kill() end

---Closes the connection; the program goes on. Blocks, a second at most.
function Pty:close() end

---A terminal that is being made; collected before that, its program is nobody's.
---@class opencode.Opening
local Opening = {}

---Never blocks.
---@return "pending"|"done"|"failed" state
---@return any pty the `opencode.Pty`, or the message of a failure
---@return opencode.Error? err
function Opening:poll() end

---Blocks until the terminal is there; the same one every time.
---@param timeout_ms? integer
---@return opencode.Pty? pty
---@return string? message
---@return opencode.Error? err
function Opening:wait(timeout_ms) end

---Ends the making, and the program if it runs already. Never blocks.
function Opening:cancel() end

---`client:pty { ... }` blocks for one request; `client:start_pty` does not.
---@class opencode.PtyOperations
---@overload fun(client: opencode.Client, options?: opencode.PtyOptions): opencode.Pty?, string?, opencode.Error?
