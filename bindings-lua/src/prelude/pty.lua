-- Terminals: client:pty { command = "bash" } and client:pty_connect(id).

local raw, _, shared = ...
local finish, expect, check_self, Client = shared.finish, shared.expect, shared.check_self, shared.Client

local Pty = {}
Pty.__index = Pty

-- What the program printed: "" when nothing came in time, nil at the end. pty:read(0) never blocks.
function Pty:read(timeout_ms)
  if timeout_ms ~= nil then expect(timeout_ms, "number", "pty:read: the timeout", 2) end
  local text, message, err = finish(2, raw.pty_read(self.raw, timeout_ms))
  return text, message, err
end

-- Types a text; returns at once.
function Pty:write(text)
  expect(text, "string", "pty:write: the text", 2)
  local is_ok, message, err = finish(2, raw.pty_write(self.raw, text))
  return is_ok, message, err
end

function Pty:resize(cols, rows)
  expect(cols, "number", "pty:resize: the columns", 2)
  expect(rows, "number", "pty:resize: the rows", 2)
  local is_ok, message, err = finish(2, raw.pty_resize(self.raw, cols, rows))
  return is_ok, message, err
end

function Pty:id() return raw.pty_id(self.raw) end
function Pty:cursor() return raw.pty_cursor(self.raw) end
function Pty:is_over() return raw.pty_is_over(self.raw) end
function Pty:is_complete() return raw.pty_is_complete(self.raw) end
function Pty:exit_code() return raw.pty_exit_code(self.raw) end

-- Ends the program; blocks for one request.
function Pty:kill()
  local is_ok, message, err = finish(2, raw.pty_kill(self.raw))
  return is_ok, message, err
end

-- Closes the connection; the program goes on.
function Pty:close() raw.pty_close(self.raw) end

Pty.__close = Pty.close

local function wrap(client, made, message, err)
  if not made then return nil, message, err end
  return setmetatable({ raw = made, client = client }, Pty)
end

-- Beside its operations the namespace is a function: client:pty { ... }.
function shared.callable.pty(_, client, options)
  check_self(client, "pty", 2)
  if options ~= nil then expect(options, "table", "client:pty: the options", 2) end
  local made, message, err = finish(2, raw.pty_open(client.raw, options))
  return wrap(client, made, message, err)
end

function Client:pty_connect(id, options)
  check_self(self, "pty_connect", 2)
  expect(id, "string", "client:pty_connect: the id", 2)
  if options ~= nil then expect(options, "table", "client:pty_connect: the options", 2) end
  local made, message, err = finish(2, raw.pty_connect(self.raw, id, options))
  return wrap(self, made, message, err)
end
