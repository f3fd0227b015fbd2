---@meta libopencode_server

-- Fields from spec/options.toml: server

---How a server is started. By default: the `opencode` of the PATH in the current directory, on a free port of
---127.0.0.1, with a random password, and with the configuration that the user has.
---@class opencode.ServerOptions : { binary: any, directory: any, port: any, hostname: any, username: any, password: any, config: any, environment: any, arguments: any, log_level: any, start_timeout_ms: any, [string]: nil }
---@field binary? string The program (default: OPENCODE_BIN, else opencode on the PATH)
---@field directory? string Where it works (default: the current one)
---@field port? integer The port it listens at; a free one is tried again when somebody else takes it first (default: a free one)
---@field hostname? string The address it listens at; with any other one, others can reach it (default: 127.0.0.1)
---@field username? string The user name that clients give (default: opencode)
---@field password? string The password that clients give (default: 24 random bytes)
---@field config? table Fields of `opencode.json`, laid over those of the user and the project; `OPENCODE_CONFIG_CONTENT` of the program itself does not count then
---@field environment? table<string, string|lightuserdata> Variables over those of this process; null takes one away (Python: None, Lua: `opencode.null`)
---@field arguments? string[] More arguments behind `opencode serve`
---@field log_level? "DEBUG"|"INFO"|"WARN"|"ERROR" The level of the server's log, which then is part of its output; one of 2.x logs to its own file only
---@field start_timeout_ms? integer How long it may take until it answers (default: 30000)

---A server that this program started. It ends with `close`, with the collection of the handle, and with the program,
---also when that is killed.
---@class opencode.Server
local Server = {}

---Where it stands; when it failed, why. Never blocks.
---@return "starting"|"ready"|"failed"|"closed" state
---@return string? message
---@return opencode.Error? err
function Server:poll() end

---The same, once it is ready or failed, or when the time is up. Blocks.
---@param timeout_ms? integer
---@return "starting"|"ready"|"failed"|"closed" state
---@return string? message
---@return opencode.Error? err
function Server:wait(timeout_ms) end

---A client of it; the options are those of `opencode.client`. Never blocks.
---@param options? opencode.ClientOptions
---@return opencode.Client? client
---@return string? message
---@return opencode.Error? err
function Server:client(options) end

---Its address; nil before it listens. Never blocks.
---@return string?
function Server:url() end

---Its process while it lives; nil before it is started and from its end on, as its number may be that of another process
---then, and in a forked child. Never blocks.
---@return integer?
function Server:pid() end

---The last 64 KB of what it printed. Never blocks.
---@return string
function Server:output() end

---The variables with which another program finds it, the password included. Never blocks.
---@return table<string, string>? variables
---@return string? message
---@return opencode.Error? err
function Server:environment() end

---Ends it and all that it started. Blocks until they are gone, some seconds at most.
function Server:close() end

---A server that answers.
---@class opencode.Found
---@field url string
---@field version? string nil when only those who know the password are told
---@field dialect? "1.x"|"2.x"
---@field needs_password boolean
---@field source "environment"|"default"|"service"|"mdns"

---@class opencode.Check
---@field check string
---@field status "ok"|"warn"|"fail"
---@field message string what was found
---@field advice? string what to do

---@class opencode.Diagnosis
---@field ok boolean
---@field checks opencode.Check[]
---@field text string one line per check
---@field elapsed_ms integer

---@class opencode
local opencode = {}

---Servers that this program starts itself.
---@class opencode.Servers
opencode.Server = {}

---Starts a server and blocks until it answers, some seconds.
---@param options? opencode.ServerOptions
---@return opencode.Server? server
---@return string? message
---@return opencode.Error? err
function opencode.Server.start(options) end

---Starts a server and returns at once: for ticks. `server:poll()` says when it is ready.
---@param options? opencode.ServerOptions
---@return opencode.Server? server
---@return string? message
---@return opencode.Error? err
function opencode.Server.launch(options) end

---Lists the servers that answer. Blocks, at most for timeout_ms.
---@param timeout_ms? integer 2000
---@return opencode.Found[]
function opencode.discover(timeout_ms) end

---Prints what works and what does not, a line each, and gives it. Blocks, five seconds at most.
---@param options? opencode.ClientOptions
---@return opencode.Diagnosis? found
---@return string? message
---@return opencode.Error? err
function opencode.doctor(options) end

---What a server says of itself.
---@class opencode.ServerInfo
---@field version string such as "1.18.33"
---@field dialect "1.x"|"2.x"

---@class opencode.Client
local Client = {}

---Asks the server what it is. Blocks for one request, two with a server of 2.x.
---@return opencode.ServerInfo? info
---@return string? message
---@return opencode.Error? err
function Client:server() end

---Looks what works and what does not, each with what to do. Blocks, five seconds at most; calls no model.
---@return opencode.Diagnosis
function Client:doctor() end
