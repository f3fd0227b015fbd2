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

-- A terminal that is made in the background: a call, whose answer is the terminal.
local Opening = { __name = "opencode.opening" }
Opening.__index = Opening
shared.Opening = Opening

-- Keeps the answer: there is one terminal, however often one asks.
local function settle(self, timeout_ms)
  local is_ok, a, b, c = raw.opening_wait(self.raw, timeout_ms)
  if is_ok == nil then return false end
  self.result = is_ok and { wrap(self.client, a) } or { nil, b, setmetatable(c, shared.Error) }
  return true
end

function Opening:poll()
  handle(self, Opening, "poll", 2)
  if not self.result and not (raw.opening_is_done(self.raw) and settle(self, 0)) then return "pending" end
  if self.result[1] then return "done", self.result[1] end
  return "failed", self.result[2], self.result[3]
end

function Opening:wait(timeout_ms)
  handle(self, Opening, "wait", 2)
  shared.expect_time(timeout_ms, "opening:wait", 2)
  if not self.result and not settle(self, timeout_ms) then
    local message = "pty: no answer within " .. timeout_ms .. " ms; wait again, or cancel it"
    local err = { kind = "timeout", message = message, operation = "pty", retryable = true, sent = true }
    return nil, "timeout: " .. message, setmetatable(err, shared.Error)
  end
  return self.result[1], self.result[2], self.result[3]
end

-- A program that has begun already is ended, in the background.
function Opening:cancel()
  local made = raw.opening_cancel(handle(self, Opening, "cancel", 2))
  if made then raw.pty_kill_start(self.client.raw, made) end
end

function Client:start_pty(options)
  check_self(self, "start_pty", 2)
  shared.expect_options(options, "client:start_pty", 2)
  local opening, message, err = finish(2, raw.pty_start(self.raw, options))
  if not opening then return nil, message, err end
  return shared.hold(self, opening, Opening)
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
