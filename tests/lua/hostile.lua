-- Whatever is passed, and wherever from: an error is one line of text with the place of the mistake, and nothing else
-- happens.

local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())
local unpack = unpack or table.unpack

-- Raised errors are strings that name a line of this file; other failures are `nil, message, err`.
local function judge(what, is_ok, ...)
  local first, message, err = ...
  if not is_ok then
    if type(first) ~= "string" then error(what .. " raised a " .. type(first) .. ": " .. tostring(first), 3) end
    if first:find("\n") then error(what .. ": more than one line: " .. first, 3) end
    if not first:find("hostile.lua:%d+: ") then error(what .. ": not the caller's line: " .. first, 3) end
  elseif first == nil and message ~= nil then
    if type(message) ~= "string" or type(err) ~= "table" then
      error(what .. " gave nil, " .. type(message) .. ", " .. type(err), 3)
    end
  end
end

local cycle = {}
cycle.cycle = cycle
local deep = {}
for _ = 1, 5000 do deep = { deep } end
local values = {
  { "nil", nil }, { "true", true }, { "a number", -1 }, { "NaN", 0 / 0 }, { "infinity", math.huge }, { "a text", "x" },
  { "no UTF-8", "\255" }, { "NUL", "a\0b" }, { "a table", {} }, { "a list", { 1 } }, { "mixed", { 1, x = 2 } },
  { "a cycle", cycle }, { "depth", deep }, { "a function", print }, { "a thread", coroutine.create(function() end) },
  { "null", opencode.null }, { "a client", client }, { "keys", { [true] = 1 } }, { "holes", { 1, nil, 3 } },
}

-- Every function with every value at every place. `good` are arguments with which it does no harm.
local function attack(name, f, ...)
  local good, count = { ... }, select("#", ...)
  for place = 1, count + 1 do
    for _, value in ipairs(values) do
      local arguments = { unpack(good, 1, count) }
      arguments[place] = value[2]
      local most = math.max(count, place)
      judge(name .. " with " .. value[1] .. " at " .. place, pcall(function()
        -- No tail call: the line is the one of this call.
        local a, b, c = f(unpack(arguments, 1, most))
        return a, b, c
      end))
    end
  end
end

-- The same function, with another value at one place where a value would start something, or wait for ever.
local function except(place, is_bad, otherwise, f)
  return function(...)
    local arguments, count = { ... }, select("#", ...)
    if is_bad(arguments[place]) then arguments[place] = otherwise end
    local a, b, c = f(unpack(arguments, 1, math.max(count, place)))
    return a, b, c
  end
end
local function is_endless(time) return time == nil or time == math.huge end
local function is_empty(options) return options == nil or type(options) == "table" and next(options) == nil end

local run = assert(client:run("Say pong"))
assert(run:wait(60000))
local call = assert(client:start("global.health"))
assert(call:wait(60000))
local stream = assert(client:events { directory = "/tmp" })
local pages = client:messages(run:session_id())
local control = client:tui_control()
local pty = assert(client:pty { command = "true" })
local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9", max_retries = 0 })
local path = os.tmpname()

check.test("functions of the module take nothing that is wrong", function()
  attack("opencode.client", opencode.client, { max_retries = 0 })
  attack("opencode.attach", opencode.attach, path, {})
  attack("opencode.attach_bytes", opencode.attach_bytes, "x", "y", {})
  attack("opencode.replay", opencode.replay, "/no/such/tape")
  local nothing = { binary = "/no/such/program" }
  attack("opencode.Server.launch", except(1, is_empty, nothing, opencode.Server.launch), nothing)
  check.raises("must be a table", function() opencode.array(5) end)
  attack("opencode.discover", opencode.discover, 1)
end)

check.test("methods of a client take nothing that is wrong", function()
  attack("call", client.call, client, "global.health", {}, {})
  attack("start", client.start, nobody, "global.health", {}, {})
  attack("request", client.request, client, "GET", "/global/health", { query = {}, timeout_ms = 60000 })
  attack("request.query", function(query)
    local a, b, c = client:request("GET", "/global/health", { query = query })
    return a, b, c
  end, {})
  attack("resume", client.resume, nobody, "ses_x", "msg_x", {})
  attack("compact", client.compact, nobody, "ses_x", {})
  attack("events", client.events, nobody, {})
  attack("messages", client.messages, nobody, "ses_x", {})
  attack("sessions", client.sessions, nobody, {})
  attack("usage", client.usage, nobody, "ses_x", {})
  attack("tui_prompt", client.tui_prompt, nobody, "x")
  attack("pty_connect", client.pty_connect, nobody, "pty_x", {})
  attack("pty", function(options)
    local a, b, c = nobody:pty(options)
    return a, b, c
  end, {})
  attack("start_pty", client.start_pty, nobody, {})
  attack("ask", except(3, is_empty, { server_timeout_ms = 1 }, client.ask), nobody, "x", { server_timeout_ms = 1 })
  attack("run", client.run, nobody, "x", {})
  for _, name in ipairs { "tui_control", "log", "fd", "drift" } do attack(name, client[name], client) end
end)

check.test("operations take nothing that is wrong", function()
  attack("session.get", client.session.get, run:session_id(), {}, {})
  attack("session.children", client.session.children, { sessionID = run:session_id() }, {})
  attack("v2.session.list", client.v2.session.list, {}, {})
end)

check.test("methods of handles take nothing that is wrong", function()
  for _, name in ipairs { "poll", "state", "text", "why", "session_id", "message_id", "reply", "error", "updates" } do
    attack("run:" .. name, run[name], run)
  end
  for _, name in ipairs { "wait", "cancel", "detach" } do attack("run:" .. name, run[name], run, 0) end
  attack("run:reply_permission", run.reply_permission, run, "per_x", "once", "why")
  attack("run:reply_question", run.reply_question, run, "que_x", { { "a" } })
  attack("call:poll", call.poll, call)
  attack("call:wait", call.wait, call, 0)
  attack("call:cancel", call.cancel, call)
  attack("stream:next", except(2, is_endless, 0, stream.next), stream, 0)
  attack("stream:is_over", stream.is_over, stream)
  attack("stream:each", stream.each, stream)
  attack("stream:close", stream.close, stream)
  attack("pages:next", pages.next, pages)
  attack("pages:is_complete", pages.is_complete, pages)
  attack("pages:poll", pages.poll, pages)
  attack("pty:read", except(2, is_endless, 0, pty.read), pty, 0)
  attack("pty:write", pty.write, pty, "x")
  attack("pty:resize", pty.resize, pty, 80, 24)
  for _, name in ipairs { "id", "cursor", "is_over", "is_complete", "exit_code", "kill", "close" } do
    attack("pty:" .. name, pty[name], pty)
  end
  attack("control:respond", control.respond, control, {})
  attack("control:next", except(2, is_endless, 0, control.next), control, 0)
  attack("control:close", control.close, control)
end)

check.test("an operation that is called as a method says so", function()
  check.raises("write client.session.list(...) with a dot", function() client.session:list() end)
  check.raises("write run:poll(...) with a colon", function() run.poll() end)
  check.raises("write call:wait(...) with a colon", function() call.wait(5) end)
end)

check.test("a query may hold numbers and booleans", function()
  local all = assert(client:request("GET", "/session", { query = { limit = 1, roots = true } }))
  check.equal(#all, 1)
end)

check.test("everything works in a coroutine, and between two of its steps", function()
  local other = coroutine.create(function()
    local mine = assert(client:run('coroutine @@[{"text":"a b c","delay_ms":50}]'))
    while mine:poll() == "pending" do coroutine.yield(mine) end
    for _ in client:messages(mine:session_id()) do coroutine.yield(mine) end
    return assert(client:ask("Say pong")).text, mine:text()
  end)
  local steps, is_ok, a, b = 0, nil, nil, nil
  repeat
    is_ok, a, b = coroutine.resume(other)
    steps = steps + 1
    if not is_ok then error(a) end
  until coroutine.status(other) == "dead"
  check.equal(b, "a b c")
  check.equal(steps > 3, true)
  local wrong = coroutine.wrap(function() client:call(5) end)
  check.raises("hostile.lua:", wrong)
end)

check.test("the module may be loaded again", function()
  package.loaded.libopencode = nil
  local again = require "libopencode"
  package.loaded.libopencode = opencode
  local other = assert(again.client())
  local made = assert(other.session.create { metadata = { list = opencode.array {} } })
  -- What one copy gave, the other takes.
  local body = assert(client:call("session.get", { sessionID = made.id }, { raw = true })).body
  check.contains(body, '"list":[]')
  check.raises("with a colon", function() other.call(client.raw) end)
end)

-- Copies the file of the module into a folder of its own, under another name.
local function copied_as(name)
  local path
  for template in package.cpath:gmatch "[^;]+" do
    local candidate = template:gsub("%?", "libopencode")
    local file = io.open(candidate, "rb")
    if file then
      path = candidate
      file:close()
      break
    end
  end
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir %s && cp %s %s/%s"):format(folder, path, folder, name)))
  return folder
end

check.test("the file may be called opencode.so", function()
  local folder, before = copied_as "opencode.so", package.cpath
  package.cpath = folder .. "/?.so"
  local other = require "opencode"
  package.cpath = before
  os.execute("rm -r " .. folder)
  check.equal(other.version, opencode.version)
  check.equal(assert(other.client()).global_.health().healthy, true)
end)

check.test("a finalizer may use what is left", function()
  local seen
  local newproxy = rawget(_G, "newproxy")
  local function arm(f)
    if newproxy then
      getmetatable(newproxy(true)).__gc = f
    else
      setmetatable({}, { __gc = f })
    end
  end
  do
    local mine = assert(opencode.client())
    local held = assert(mine:run("Say pong"))
    arm(function() seen = { held:poll() } end)
  end
  for _ = 1, 5 do collectgarbage() end
  check.equal(type(seen), "table")
end)

check.test("a loop keeps alive what it needs", function()
  local last
  for update in assert(assert(opencode.client()):run('loop @@[{"text":"a b c","delay_ms":50}]')):updates() do
    collectgarbage()
    last = update
  end
  check.equal(last.type, "done")
  for event in assert(assert(opencode.client()):events()):each() do
    collectgarbage()
    if event.type == "stream.connected" then break end
  end
  local call = assert(assert(opencode.client()):start("global.health"))
  collectgarbage()
  check.equal(assert(call:wait(60000)).healthy, true)
  for session in assert(opencode.client()):sessions { page = 1 } do
    collectgarbage()
    check.equal(type(session.id), "string")
    break
  end
end)

check.test("deep recursion is an error and not a crash", function()
  local depth = 0
  local function fall()
    depth = depth + 1
    if depth % 5000 == 0 then local _ = run:reply() end
    return 1 + fall()
  end
  -- Each step of a collector that never rests would walk the whole stack.
  collectgarbage "stop"
  local is_ok, message = pcall(fall)
  collectgarbage "restart"
  check.equal(is_ok, false)
  check.contains(tostring(message), "overflow")
  check.equal(run:reply().text ~= nil, true)
end)

nobody:close()
pty:close()
os.remove(path)
