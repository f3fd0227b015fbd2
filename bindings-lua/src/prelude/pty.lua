-- Terminals: client:pty { command = "bash" } and client:pty_connect(id).

local raw, _, shared = ...
local finish, expect, check_self, Client = shared.finish, shared.expect, shared.check_self, shared.Client
local handle = shared.handle

local Pty = { __name = "opencode.pty" }
Pty.__index = Pty

-- What the program printed: "" when nothing came in time, nil at the end. pty:read(0) never blocks.
function Pty:read(timeout_ms)
  handle(self, Pty, "read", 2)
  shared.expect_time(timeout_ms, "pty:read", 2)
  local text, message, err = finish(2, raw.pty_read(self.raw, timeout_ms))
  return text, message, err
end

-- Types a text; returns at once.
function Pty:write(text)
  handle(self, Pty, "write", 2)
  shared.expect_text(text, "pty:write: the text", 2)
  local is_ok, message, err = finish(2, raw.pty_write(self.raw, text))
  return is_ok, message, err
end

function Pty:resize(cols, rows)
  handle(self, Pty, "resize", 2)
  expect(cols, "number", "pty:resize: the columns", 2)
  expect(rows, "number", "pty:resize: the rows", 2)
  local is_ok, message, err = finish(2, raw.pty_resize(self.raw, cols, rows))
  return is_ok, message, err
end

function Pty:id() return raw.pty_id(handle(self, Pty, "id", 2)) end
function Pty:cursor() return raw.pty_cursor(handle(self, Pty, "cursor", 2)) end
function Pty:is_over() return raw.pty_is_over(handle(self, Pty, "is_over", 2)) end
function Pty:is_complete() return raw.pty_is_complete(handle(self, Pty, "is_complete", 2)) end
function Pty:exit_code() return raw.pty_exit_code(handle(self, Pty, "exit_code", 2)) end

-- Ends the program; blocks for one request.
function Pty:kill()
  local is_ok, message, err = finish(2, raw.pty_kill(handle(self, Pty, "kill", 2)))
  return is_ok, message, err
end

-- Closes the connection; the program goes on.
function Pty:close() raw.pty_close(handle(self, Pty, "close", 2)) end

Pty.__close = Pty.close
shared.Pty = Pty

local function wrap(client, made, message, err)
  if not made then return nil, message, err end
  return shared.hold(client, made, Pty)
end

-- Beside its operations the namespace is a function: client:pty { ... }.
function shared.callable.pty(_, client, options)
  check_self(client, "pty", 2)
  shared.expect_options(options, "client:pty", 2)
  local made, message, err = finish(2, raw.pty_open(client.raw, options))
  return wrap(client, made, message, err)
end

function Client:pty_connect(id, options)
  check_self(self, "pty_connect", 2)
  shared.expect_text(id, "client:pty_connect: the id", 2)
  shared.expect_options(options, "client:pty_connect", 2)
  local made, message, err = finish(2, raw.pty_connect(self.raw, id, options))
  return wrap(self, made, message, err)
end
