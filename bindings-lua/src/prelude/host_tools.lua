-- Tools of the host: functions of a script that the agent can call. Handlers run inside polls and waits, in coroutines
-- of their own, on the thread of the script and never elsewhere.

local raw, opencode, shared = ...
local Client, Error, finish = shared.Client, shared.Error, shared.finish
local expect, check_self, handle = shared.expect, shared.check_self, shared.handle

-- How long a wait sleeps, in milliseconds, while handlers that have yielded are to be resumed; and in any case, so that a hook
-- of the host may run meanwhile.
local PAUSE, SLICE = 10, 100

-- What a handler gets beside its arguments: { id, name, sessionID, messageID, callID }.
local ToolCall = { __name = "opencode.tool_call" }
ToolCall.__index = ToolCall

local function answer(call, given)
  local is_ok, is_misuse, message, err = raw.tool_reply(call.raw, call.id, given)
  if is_ok then return true end
  if is_misuse then return false, message end
  return nil, message, setmetatable(err, Error)
end

local function answer_value(call, value, ...)
  local given, images = {}, { ... }
  if type(value) == "string" and raw.is_text(value) then
    given.text = value
  elseif type(value) == "table" and value.type == "file" and type(value.url) == "string" then
    table.insert(images, 1, value)
  elseif type(value) == "string" then
    return false, "the answer is not UTF-8"
  else
    given.value = value
  end
  if images[1] ~= nil then given.images = opencode.array(images) end
  return answer(call, given)
end

-- Answers with a text or any other value, and images behind it: parts that opencode.attach made.
function ToolCall:reply(value, ...)
  handle(self, ToolCall, "reply", 2)
  local is_ok, message, err = answer_value(self, value, ...)
  if is_ok == false then error("call:reply: " .. message, 2) end
  return is_ok, message, err
end

-- The agent reads the message as the failure of the tool.
function ToolCall:fail(message)
  handle(self, ToolCall, "fail", 2)
  shared.expect_text(message, "call:fail: the message", 2)
  local is_ok, why, err = answer(self, { error = message })
  return is_ok, why, err
end

-- Whether the agent still waits: it does not when the call was answered, when its time is up, or its run was cancelled.
function ToolCall:is_open()
  return raw.tool_is_open(handle(self, ToolCall, "is_open", 2), self.id)
end

-- The tools of one client.
local Tools = {}
Tools.__index = Tools

-- Texts only: an error may be any value, and its tostring may raise. The address of a table tells nobody anything.
local function words(problem)
  local is_ok, text = pcall(tostring, problem)
  text = is_ok and type(text) == "string" and text or "the tool failed"
  if type(problem) == "table" and text:find "^table: " then
    local message = rawget(problem, "message")
    text = type(message) == "string" and message or "the tool failed"
  end
  return raw.is_text(text) and text or "the tool failed"
end

-- What a handler returned. Nothing means that it answers later.
local function conclude(call, count, value, ...)
  if value == nil then
    if count >= 2 then answer(call, { error = words((...)) }) end
    return
  end
  local is_ok, message = answer_value(call, value, ...)
  if is_ok == false then answer(call, { error = message }) end
end

-- Goes on with a handler; whether it yielded.
local function go_on(work, thread, is_ok, ...)
  if not is_ok then
    answer(work.call, { error = words((...)) })
  elseif coroutine.status(thread) == "suspended" then
    return true
  else
    conclude(work.call, select("#", ...), ...)
  end
  return false
end

function Tools:begin(update)
  local call = {
    raw = self.raw, id = update.id, name = update.name,
    sessionID = update.sessionID, messageID = update.messageID, callID = update.callID,
  }
  setmetatable(call, ToolCall)
  local thread = coroutine.create(self.handlers[update.name])
  local work = { call = call, thread = thread }
  if go_on(work, thread, coroutine.resume(thread, update.arguments, call)) then
    self.pending[#self.pending + 1] = work
    raw.tools_keep(self.raw, true)
  end
end

-- Goes on with handlers that have yielded. One may wait and come here again, and then goes on with those that began
-- meanwhile: the others are this turn's.
function Tools:resume()
  local all, kept = self.pending, {}
  if all[1] == nil then return end
  self.pending = {}
  for _, work in ipairs(all) do
    if go_on(work, work.thread, coroutine.resume(work.thread)) then kept[#kept + 1] = work end
  end
  for _, work in ipairs(self.pending) do kept[#kept + 1] = work end
  self.pending = kept
  -- The last word: a turn inside this one knew of its own alone.
  raw.tools_keep(self.raw, kept[1] ~= nil)
end

-- Begins the calls among updates, and takes them out. How many there were.
function Tools:take(updates)
  local calls, kept = {}, 0
  for i = 1, #updates do
    local update = updates[i]
    if update.type == "tool_call" and self.handlers[update.name] then
      calls[#calls + 1] = update
    else
      kept = kept + 1
      updates[kept] = update
    end
  end
  for i = #updates, kept + 1, -1 do updates[i] = nil end
  for _, update in ipairs(calls) do self:begin(update) end
  return #calls
end

-- Begins the calls that wait, and goes on with those that were begun. How many were begun.
function Tools:serve()
  self:resume()
  local count = 0
  while true do
    local update = raw.tool_next(self.raw)
    if update == nil then return count end
    count = count + 1
    self:begin(update)
  end
end

local function is_over(run)
  local state = raw.run_state(run)
  return state == "done" or state == "failed"
end

-- Serves until a run is over; true when the time is up before.
function Tools:wait(run, limit)
  local start, wait = raw.now(), shared.waits[run]
  while true do
    self:serve()
    if is_over(run) then return false end
    local left = limit and limit - (raw.now() - start)
    if left and left <= 0 then return true end
    local longest = (wait or self.pending[1]) and PAUSE or SLICE
    local pause = math.min(longest, left or longest)
    if wait then wait(pause) else raw.run_wait_for_calls(run, pause) end
  end
end

-- The next update of a run that is no call of a tool; nil after the last one.
function Tools:next_update(run)
  while true do
    self:serve()
    local update = raw.run_wait_update(run, self.pending[1] and PAUSE or nil)
    if update == nil then
      if raw.run_is_drained(run) then return nil end
    elseif update.type == "tool_call" and self.handlers[update.name] then
      self:begin(update)
    else
      return update
    end
  end
end

-- Offers a function of this script to the agent: client:tool { name, description, parameters, timeout_ms, handler }. The
-- handler gets the arguments and the call. What it returns is the answer; `nil, message` is a failure, as an error is. One
-- that returns nothing answers later, by call:reply or call:fail. It may yield: every poll goes on with it.
-- The namespace of the server's own operations has this name too: client.tool.list().
function shared.callable.tool(_, self, options)
  check_self(self, "tool", 2)
  expect(options, "table", "client:tool: the tool", 2)
  shared.expect_options(options, "client:tool", 2)
  expect(options.handler, "function", "client:tool: the handler", 2)
  local rest = {}
  for name, value in pairs(options) do rest[name] = value end
  rest.handler = nil
  local is_ok, message, err = finish(2, raw.tool_add(self.raw, rest))
  if not is_ok then return nil, message, err end
  local tools = self.toolbox.tools
  if not tools then
    tools = setmetatable({ raw = self.first, handlers = {}, pending = {} }, Tools)
    self.toolbox.tools = tools
  end
  tools.handlers[options.name] = options.handler
  return true
end

-- Lets handlers answer the calls that wait: for loops that poll no run. How many began. Never blocks.
function Client:poll_tools()
  check_self(self, "poll_tools", 2)
  local tools = self.toolbox.tools
  return tools and tools:serve() or 0
end
