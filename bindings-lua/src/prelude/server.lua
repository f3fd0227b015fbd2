-- Servers that the host starts itself: opencode.Server.start { ... } and opencode.Server.launch { ... }.

local raw, opencode, shared = ...
local Error, finish, expect = shared.Error, shared.finish, shared.expect

local Server = {}

local function check_self(self, method, level)
  if type(self) ~= "table" or not rawget(self, "raw") then
    error("write server:" .. method .. "(...) with a colon", level + 1)
  end
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
  local state = raw.server_wait(self.raw, timeout_ms)
  if state == "failed" then return state, failure(self) end
  return state
end

function Server:client(options)
  check_self(self, "client", 2)
  if options ~= nil then expect(options, "table", "server:client: the options", 2) end
  local made, message, err = finish(2, raw.server_client(self.raw, options))
  if not made then return nil, message, err end
  return shared.client_of(made)
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

local meta = {
  __name = "opencode.server",
  __index = Server,
  __close = function(server) server:close() end,
  __tostring = function(server)
    return "opencode.Server(" .. (raw.server_url(server.raw) or raw.server_poll(server.raw)) .. ")"
  end,
}

local function make(begin, what, options, level)
  if options ~= nil then expect(options, "table", what .. ": the options", level + 1) end
  local made, message, err = finish(level + 1, begin(options))
  if not made then return nil, message, err end
  return setmetatable({ raw = made }, meta)
end

opencode.Server = {}

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
