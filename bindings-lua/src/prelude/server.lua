-- Servers that the host starts itself: opencode.Server.start { ... } and opencode.Server.launch { ... }.

local raw, opencode, shared = ...
local Error, finish = shared.Error, shared.finish

local Server = {}
local meta = { __name = "opencode.server", __index = Server }

local function check_self(self, method, level)
  shared.handle(self, meta, method, level + 1)
end

local function failure(self)
  local message, err = raw.server_error(self.raw)
  return message, err and setmetatable(err, Error)
end

-- "starting" | "ready" | "failed" | "closed", and why it failed: never blocks.
function Server:poll()
  check_self(self, "poll", 2)
  local state = raw.server_poll(self.raw)
  if state == "failed" then return state, failure(self) end
  return state
end

function Server:wait(timeout_ms)
  check_self(self, "wait", 2)
  shared.expect_time(timeout_ms, "server:wait", 2)
  local state = raw.server_wait(self.raw, timeout_ms)
  if state == "failed" then return state, failure(self) end
  return state
end

function Server:client(options)
  check_self(self, "client", 2)
  local function make(rest) return raw.server_client(self.raw, rest) end
  local client, message, err = shared.make_client(make, options, "server:client", 2)
  return client, message, err
end

function Server:url()
  check_self(self, "url", 2)
  return raw.server_url(self.raw)
end

function Server:pid()
  check_self(self, "pid", 2)
  return raw.server_pid(self.raw)
end

function Server:output()
  check_self(self, "output", 2)
  return raw.server_output(self.raw)
end

-- The variables with which another program finds the server.
function Server:environment()
  check_self(self, "environment", 2)
  local variables, message, err = finish(2, raw.server_environment(self.raw))
  return variables, message, err
end

function Server:close()
  check_self(self, "close", 2)
  raw.server_close(self.raw)
end

function meta.__close(server) server:close() end

function meta.__tostring(server)
  return "opencode.Server(" .. (raw.server_url(server.raw) or raw.server_poll(server.raw)) .. ")"
end

local function make(begin, what, options, level)
  shared.expect_options(options, what, level + 1)
  local made, message, err = finish(level + 1, begin(options))
  if not made then return nil, message, err end
  return setmetatable({ raw = made }, meta)
end

opencode.Server = {}
shared.modules[opencode.Server] = true

-- Blocks until the server answers.
function opencode.Server.start(options)
  local server, message, err = make(raw.server_start, "opencode.Server.start", options, 2)
  return server, message, err
end

-- Returns at once; poll tells when it is ready.
function opencode.Server.launch(options)
  local server, message, err = make(raw.server_launch, "opencode.Server.launch", options, 2)
  return server, message, err
end
