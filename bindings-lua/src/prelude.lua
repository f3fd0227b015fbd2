-- The shape of the module: raw functions answer `true, values...` or `false, is_misuse, message, err`.
-- What the author of a script can mend is raised with the script's own line; what can fail at run time is
-- `nil, message, err`.

local raw = ...
local waits = raw.waiting(raw)

local opencode = { version = raw.version, null = raw.null }

-- Tables of functions that are no methods: opencode:client() is a mistake.
local modules = { [opencode] = true }

-- Neovim has a null of its own.
local vim = rawget(_G, "vim")
if type(vim) == "table" then raw.array_metatable.null = rawget(vim, "NIL") end

local Error = {}
Error.__index = Error
Error.__tostring = function(err) return err.kind .. ": " .. err.message end

-- Raises misuse at the line of the function's caller; never called as a tail call, or that line is lost.
local function finish(level, is_ok, a, b, c)
  if is_ok then return a, b, c end
  if a then error((b:gsub("^invalid_argument: ", "")), level + 1) end
  return nil, b, setmetatable(c, Error)
end

local function expect(value, kind, what, level)
  if value ~= nil and modules[value] then
    error("write " .. what:match "^[%w_.]+" .. "(...) with a dot: it is no method", level + 1)
  end
  if type(value) ~= kind then
    error(what .. " must be a " .. kind .. ", not " .. type(value), level + 1)
  end
end

-- What is handed to the core as text.
local function expect_text(value, what, level)
  expect(value, "string", what, level + 1)
  if not raw.is_text(value) then error(what .. " is not UTF-8", level + 1) end
end

-- A number of milliseconds, or nil.
local function expect_time(value, what, level)
  if value == nil then return end
  expect(value, "number", what .. ": the time in milliseconds", level + 1)
  if not (value >= 0) then
    error(what .. ": the time in milliseconds must be a number from 0 on, not " .. tostring(value), level + 1)
  end
end

-- Tables are copied field by field: what only their metatable knows would be lost.
local function expect_plain(value, what, level)
  local meta = next(value) == nil and getmetatable(value)
  if type(meta) == "table" and (rawget(meta, "__index") ~= nil or rawget(meta, "__pairs") ~= nil) then
    error(what .. " are behind a metatable (__index or __pairs); give a plain copy", level + 1)
  end
end

local function expect_options(value, what, level)
  if value == nil then return end
  expect(value, "table", what .. ": the options", level + 1)
  expect_plain(value, what .. ": the options", level + 1)
end

-- What a method was called on; `run.poll()` in place of `run:poll()` has nothing there.
local function handle(self, class, method, level)
  if getmetatable(self) ~= class then
    error("write " .. class.__name:gsub("^opencode%.", "") .. ":" .. method .. "(...) with a colon", level + 1)
  end
  return self.raw
end

-- Marks a table as a list, so that an empty one is sent as [] and not as {}.
function opencode.array(list)
  expect(list, "table", "opencode.array: the list", 2)
  return setmetatable(list, raw.array_metatable)
end

-- Calls in the background

local Call = { __name = "opencode.call" }
Call.__index = Call

local function settle(self)
  local results = { raw.call_wait(self.raw, 0, self.is_raw) }
  if results[1] then return "done", results[2] end
  return "failed", results[3], setmetatable(results[4], Error)
end

function Call:poll()
  handle(self, Call, "poll", 2)
  if not raw.call_is_done(self.raw) then return "pending" end
  if not self.result then self.result = { settle(self) } end
  return self.result[1], self.result[2], self.result[3]
end

function Call:wait(timeout_ms)
  handle(self, Call, "wait", 2)
  expect_time(timeout_ms, "call:wait", 2)
  local is_ok, a, b, c = raw.call_wait(self.raw, timeout_ms, self.is_raw)
  if is_ok == nil then
    local message = self.operation .. ": no answer within " .. timeout_ms .. " ms; wait again, or cancel it"
    local err = { kind = "timeout", message = message, operation = self.operation, retryable = true, sent = true }
    return nil, "timeout: " .. message, setmetatable(err, Error)
  end
  if is_ok then return a end
  return nil, b, setmetatable(c, Error)
end

function Call:cancel()
  raw.call_cancel(handle(self, Call, "cancel", 2))
end

-- Runs

local Run = { __name = "opencode.run" }
Run.__index = Run

-- state, updates: never blocks. Without news the list is one that all polls share.
function Run:poll()
  local state, updates = raw.run_poll(handle(self, Run, "poll", 3))
  local tools = self.client.toolbox.tools
  if tools then
    tools:resume()
    tools:take(updates)
  end
  return state, updates
end

Run.poll = raw.poll_of_runs(Run.poll)

-- An iterator over all updates; blocks between them.
function Run:updates()
  handle(self, Run, "updates", 2)
  local tools = self.client.toolbox.tools
  local is_over = false
  return function()
    if is_over then return nil end
    -- Of all that a loop names only this is left to keep the client alive.
    local update
    if tools then update = tools:next_update(self.raw) else update = raw.run_wait_update(self.raw) end
    is_over = update == nil or update.type == "done" or update.type == "failed"
    return update
  end
end

-- An iterator over what the run says, and nothing else; blocks between the pieces. A loop cannot be told of a failure, so
-- that is raised, after the last piece.
function Run:text_stream()
  handle(self, Run, "text_stream", 2)
  finish(2, raw.run_text_check(self.raw))
  local updates = self:updates()
  return function()
    while true do
      local update = updates()
      if update == nil then break end
      if update.type == "failed" then error(update.message, 2) end
      local piece = update.type == "text" and raw.run_text_piece(self.raw, update.delta, update.replaces)
      if piece then return piece end
    end
  end
end

-- Waits for a run, and serves the tools of the script meanwhile.
local function wait_for(run, client, limit)
  local tools = client.toolbox.tools
  if not tools then return raw.run_wait(run, limit) end
  if tools:wait(run, limit) then return raw.run_late(run, limit) end
  return raw.run_wait(run, 0)
end

function Run:wait(timeout_ms)
  handle(self, Run, "wait", 2)
  expect_time(timeout_ms, "run:wait", 2)
  local reply, message, err = finish(2, wait_for(self.raw, self.client, timeout_ms))
  return reply, message, err
end

-- Blocks until the server stopped, at most 10 seconds; run:cancel(0) only asks for it.
function Run:cancel(timeout_ms)
  handle(self, Run, "cancel", 2)
  expect_time(timeout_ms, "run:cancel", 2)
  return raw.run_cancel(self.raw, timeout_ms or 10000)
end

function Run:state() return raw.run_state(handle(self, Run, "state", 2)) end
function Run:text() return raw.run_text(handle(self, Run, "text", 2)) end
function Run:why() return raw.run_why(handle(self, Run, "why", 2)) end
function Run:session_id() return raw.run_session(handle(self, Run, "session_id", 2)) end
function Run:message_id() return raw.run_message(handle(self, Run, "message_id", 2)) end

function Run:reply()
  local reply, message, err = finish(2, raw.run_reply(handle(self, Run, "reply", 2)))
  return reply, message, err
end

function Run:error()
  local message, err = raw.run_error(handle(self, Run, "error", 2))
  return message, err and setmetatable(err, Error)
end

function Run:reply_permission(id, reply, message)
  handle(self, Run, "reply_permission", 2)
  expect_text(id, "run:reply_permission: the id", 2)
  expect_text(reply, "run:reply_permission: the reply", 2)
  if message ~= nil then expect_text(message, "run:reply_permission: the message", 2) end
  local is_ok = finish(2, raw.run_reply_permission(self.raw, id, reply, message))
  return is_ok
end

-- answers: a list of lists of labels or own words; nil dismisses the question.
function Run:reply_question(id, answers)
  handle(self, Run, "reply_question", 2)
  expect_text(id, "run:reply_question: the id", 2)
  local is_ok = finish(2, raw.run_reply_question(self.raw, id, answers))
  return is_ok
end

function Run:detach(timeout_ms)
  handle(self, Run, "detach", 2)
  expect_time(timeout_ms, "run:detach", 2)
  local ids, message, err = finish(2, raw.run_detach(self.raw, timeout_ms or 60000))
  return ids, message, err
end

-- Namespaces: client.session.update and all others, found when they are first used.

local tree = {}
for _, operation in ipairs(raw.operations()) do
  local node, path = tree, operation.path
  for i = 1, #path - 1 do
    node[path[i]] = node[path[i]] or {}
    node = node[path[i]]
  end
  node[path[#path]] = operation
end

-- Splits `("ses_1", { title = "x" }, { timeout_ms = 5 })` into arguments and options.
local function collect(operation, level, ...)
  local count = select("#", ...)
  local most = #operation.positional
  local arguments, used = {}, 0
  while used < count and used < most and type((select(used + 1, ...))) ~= "table" do
    used = used + 1
    arguments[operation.positional[used]] = (select(used, ...))
  end
  local named, options = select(used + 1, ...)
  if count - used > 2 or (named ~= nil and type(named) ~= "table") then
    error(operation.name .. ": takes " .. most .. " arguments by position; give the others by name in a table", level + 1)
  end
  if named ~= nil then
    expect_plain(named, operation.name .. ": the arguments", level + 1)
    for name, value in pairs(named) do
      if arguments[name] ~= nil then
        error(operation.name .. ": the argument '" .. tostring(name) .. "' is given twice", level + 1)
      end
      arguments[name] = value
    end
  end
  return arguments, options
end

-- Takes `raw` out of the options: it is about the shape of the result, not about the call.
local function split(options, what, level)
  if options ~= nil then expect(options, "table", what .. ": the options", level + 1) end
  if options == nil or options.raw == nil then return options, false end
  local rest = {}
  for name, value in pairs(options) do
    if name ~= "raw" then rest[name] = value end
  end
  return rest, options.raw and true or false
end

-- What stands under a name. One that is a word of some language has a `_` behind it, and is found without it too.
local function look_up(node, name)
  return node[name] or type(name) == "string" and node[name .. "_"] or nil
end

local function did_you_mean(name, ...)
  local names = {}
  for _, known in ipairs { ... } do
    for other in pairs(known) do names[#names + 1] = other end
  end
  table.sort(names)
  return raw.is_text(name) and raw.did_you_mean(name, opencode.array(names)) or ""
end

local function bind(client, node)
  return setmetatable({}, {
    __index = function(namespace, name)
      local found = look_up(node, name)
      if found == nil then
        name = tostring(name)
        error("there is no operation '" .. name .. "' here" .. did_you_mean(name, node), 2)
      end
      local value
      if found.name then
        value = function(...)
          if rawequal((...), namespace) then
            error(found.name .. ": write client." .. found.name .. "(...) with a dot: operations are no methods", 2)
          end
          local arguments, options = collect(found, 2, ...)
          local call_options, is_raw = split(options, found.name, 2)
          local a, b, c = finish(2, raw.call(client, found.name, arguments, call_options, is_raw))
          return a, b, c
        end
      else
        value = bind(client, found)
      end
      rawset(namespace, name, value)
      return value
    end,
  })
end

-- Clients

local Client = {}

-- Namespaces that are functions too, by name.
local callable = {}

local function prompt_of(prompt, options, what, level)
  local kind = type(prompt)
  if kind ~= "string" and kind ~= "table" then
    error(what .. ": the prompt must be a string or a list of parts, not " .. kind, level + 1)
  end
  local all = {}
  expect_options(options, what, level + 1)
  if options ~= nil then
    for name, value in pairs(options) do all[name] = value end
  end
  all.prompt = prompt
  return all
end

-- Takes the functions out of the options of a run: { on_update, on_done } or nothing.
local function take_callbacks(options, what, level)
  local on_update, on_done = options.on_update, options.on_done
  for name, value in pairs(options) do
    if type(value) == "function" and name ~= "on_update" and name ~= "on_done" then
      error(what .. ": unknown option '" .. tostring(name) .. "': the functions of a run are on_update and on_done", level + 1)
    end
  end
  if on_update == nil and on_done == nil then return nil end
  if on_update ~= nil then expect(on_update, "function", what .. ": on_update", level + 1) end
  if on_done ~= nil then expect(on_done, "function", what .. ": on_done", level + 1) end
  options.on_update, options.on_done = nil, nil
  return { on_update = on_update, on_done = on_done, updates = {}, at = 1 }
end

-- How many handles were made: client:ready() gives the oldest first.
local count = 0

-- What a script holds of something that goes on in the background.
local function hold(client, made, class, more)
  local handle = more or {}
  handle.raw, handle.client = made, client
  count = count + 1
  client.handles[handle] = count
  return setmetatable(handle, class)
end

local function run_of(client, made, callbacks)
  local run = hold(client, made, Run)
  if callbacks then
    callbacks.run = run
    client.callbacks[#client.callbacks + 1] = callbacks
  end
  return run
end

-- Nothing but clients knows the first one.
local function check_self(self, method, level)
  if type(self) ~= "table" or not rawget(self, "first") then
    error("write client:" .. method .. "(...) with a colon", level + 1)
  end
end

function Client:call(operation, arguments, options)
  check_self(self, "call", 2)
  expect_text(operation, "client:call: the operation", 2)
  if arguments ~= nil then expect(arguments, "table", "client:call: the arguments", 2) end
  local call_options, is_raw = split(options, "client:call", 2)
  local a, b, c = finish(2, raw.call(self.raw, operation, arguments, call_options, is_raw))
  return a, b, c
end

function Client:start(operation, arguments, options)
  check_self(self, "start", 2)
  expect_text(operation, "client:start: the operation", 2)
  if arguments ~= nil then expect(arguments, "table", "client:start: the arguments", 2) end
  local call_options, is_raw = split(options, "client:start", 2)
  local call, message, err = finish(2, raw.call_start(self.raw, operation, arguments, call_options))
  if not call then return nil, message, err end
  return hold(self, call, Call, { operation = operation, is_raw = is_raw })
end

function Client:request(method, path, options)
  check_self(self, "request", 2)
  expect_text(method, "client:request: the method", 2)
  expect_text(path, "client:request: the path", 2)
  expect_options(options, "client:request", 2)
  local query, body, rest = nil, nil, {}
  for name, value in pairs(options or {}) do
    if name == "query" then query = value elseif name == "body" then body = value else rest[name] = value end
  end
  if query ~= nil then expect(query, "table", "client:request: the query", 2) end
  local call_options, is_raw = split(rest, "client:request", 2)
  local a, b, c = finish(2, raw.request(self.raw, method, path, query, body, call_options, is_raw))
  return a, b, c
end

function Client:run(prompt, options)
  check_self(self, "run", 2)
  local all = prompt_of(prompt, options, "client:run", 2)
  local callbacks = take_callbacks(all, "client:run", 2)
  local run, message, err = finish(2, raw.run_start(self.raw, all))
  if not run then return nil, message, err end
  return run_of(self, run, callbacks)
end

-- What a run without a prompt of its own takes, and what it calls.
local function options_of(options, what, level)
  expect_options(options, what, level + 1)
  local all = {}
  for name, value in pairs(options or {}) do all[name] = value end
  return all, take_callbacks(all, what, level + 1)
end

function Client:resume(session, message_id, options)
  check_self(self, "resume", 2)
  if type(session) == "table" then
    session, message_id, options = rawget(session, "sessionID"), rawget(session, "messageID"), message_id
  end
  expect_text(session, "client:resume: the session", 2)
  expect_text(message_id, "client:resume: the message", 2)
  local all, callbacks = options_of(options, "client:resume", 2)
  local run, message, err = finish(2, raw.run_resume(self.raw, session, message_id, all))
  if not run then return nil, message, err end
  return run_of(self, run, callbacks)
end

function Client:compact(session, options)
  check_self(self, "compact", 2)
  expect_text(session, "client:compact: the session", 2)
  local all, callbacks = options_of(options, "client:compact", 2)
  local run, message, err = finish(2, raw.run_compact(self.raw, session, all))
  if not run then return nil, message, err end
  return run_of(self, run, callbacks)
end

function Client:ask(prompt, options)
  check_self(self, "ask", 2)
  local all = prompt_of(prompt, options, "client:ask", 2)
  -- Nobody gets the handle: what would be asked of the script is refused.
  local run, message, err = finish(2, raw.run_start(self.raw, all, true))
  if not run then return nil, message, err end
  local reply, why, details = finish(2, wait_for(run, self, nil))
  return reply, why, details
end

-- How the running server differs from the operations known here: { new, gone, changed }.
function Client:drift()
  check_self(self, "drift", 2)
  local drift, message, err = finish(2, raw.drift(self.raw))
  return drift, message, err
end

local weak_keys = { __mode = "k" }

-- One that was made from another shares what goes on in the background with it, as it does the descriptor.
local function client_of(made, other)
  local url = raw.client_url(made)
  local root = bind(made, tree)
  local fields = { raw = made, base_url = url }
  fields.first = other and other.first or made
  fields.handles = other and other.handles or setmetatable({}, weak_keys)
  fields.callbacks = other and other.callbacks or {}
  -- Holds what serves the tools of the script, once there are some.
  fields.toolbox = other and other.toolbox or {}
  return setmetatable(fields, {
    __name = "opencode.client",
    __index = function(client, name)
      local value = Client[name]
      if value ~= nil then return value end
      if look_up(tree, name) then
        value = root[name]
        if callable[name] then getmetatable(value).__call = callable[name] end
        rawset(client, name, value)
      -- Whoever looks for a class or a mark of his own finds none.
      elseif type(name) == "string" and name:sub(1, 1) ~= "_" then
        error("a client has no '" .. name .. "'" .. did_you_mean(name, Client, tree), 2)
      end
      return value
    end,
    __close = function(client)
      local is_ok, message = client:close()
      if not is_ok and warn then warn(message) end
    end,
    __tostring = function(client) return "opencode.client(" .. client.base_url .. ")" end,
  })
end

-- Makes a client by `make(options)`, from another one or not; how it waits is not the core's to know.
local function make_client(make, options, what, level, other)
  expect_options(options, what, level + 1)
  local rest, wait = options, options and rawget(options, "wait")
  if wait ~= nil then
    expect(wait, "function", what .. ": wait", level + 1)
    rest = {}
    for name, value in pairs(options) do rest[name] = value end
    rest.wait = nil
  end
  local made, message, err = finish(level + 1, make(rest))
  if not made then return nil, message, err end
  waits[made] = wait or other and waits[other.raw]
  return client_of(made, other)
end

-- A client with other settings that shares everything with this one.
function Client:with(options)
  check_self(self, "with", 2)
  local make = function(rest) return raw.client_with(self.raw, rest) end
  local client, message, err = make_client(make, options, "client:with", 2, self)
  return client, message, err
end

function opencode.client(options)
  local client, message, err = make_client(raw.client_new, options, "opencode.client", 2)
  return client, message, err
end

-- Every other noun has a file of its own.
local shared = {
  finish = finish, expect = expect, expect_text = expect_text, expect_time = expect_time,
  expect_options = expect_options, handle = handle, check_self = check_self, Client = Client, Error = Error,
  waits = waits, callable = callable, make_client = make_client, hold = hold, Run = Run, Call = Call, modules = modules,
}
for _, chapter in ipairs(raw.chapters) do chapter(raw, opencode, shared) end

-- Marks such as `__name` are looked for by whoever likes to.
setmetatable(opencode, { __index = function(_, name)
  if type(name) ~= "string" or name:sub(1, 1) == "_" then return nil end
  local near = did_you_mean(name, opencode)
  if near == "" and Client[name] then
    error("write client:" .. name .. "(...): that is a method of what opencode.client() gives", 2)
  end
  error("the module has no '" .. name .. "'" .. near, 2)
end })

return opencode
