-- The collector of the host, its finalizers and its hooks may run in the middle of any call.

local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())
local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9", max_retries = 0 })

-- A scope guard: Lua 5.1 and LuaJIT have finalizers for userdata only.
local function guard(finish)
  local newproxy = rawget(_G, "newproxy")
  if newproxy then
    getmetatable(newproxy(true)).__gc = finish
  else
    setmetatable({}, { __gc = finish })
  end
end

-- Calls a function again and again while the collector never rests; how slow that is depends on the Lua.
local function hurried(most, f)
  -- Lua 5.5 has other names for them.
  local is_new = _VERSION == "Lua 5.5"
  local function set(name, value) return is_new and collectgarbage("param", name, value) or collectgarbage("set" .. name, value) end
  local pause = set("pause", 1)
  local multiplier = set("stepmul", 100000)
  local begin = os.clock()
  local is_ok, message
  for number = 1, most do
    is_ok, message = pcall(f)
    if not is_ok or number >= 10 and os.clock() - begin > 1 then break end
  end
  set("pause", pause)
  set("stepmul", multiplier)
  if not is_ok then error(message, 2) end
end

local run = assert(client:run('collect @@[{"text":"a b c"}]'))
assert(run:wait(60000))
local dead = assert(nobody:run("x", { server_timeout_ms = 1 }))
dead:wait(60000)

check.test("a finalizer may call the module in the middle of a call", function()
  local finished = 0
  local function finish()
    dead:cancel(0)
    check.equal(run:reply().text, "a b c")
    finished = finished + 1
  end
  hurried(3000, function()
    guard(finish)
    check.equal(run:poll(), "done")
    check.equal(run:reply().text, "a b c")
    check.equal(type(nobody:log()), "table")
    check.equal(select(2, dead:error()).kind, "connection")
  end)
  -- As a host runs that sets nothing.
  local begin = os.clock()
  repeat
    guard(finish)
    run:poll()
    nobody:log()
  until os.clock() - begin > 1
  collectgarbage()
  check.equal(finished > 10, true, "finalizers: " .. finished)
end)

check.test("a hook may collect at every call", function()
  local collected = 0
  local function collect()
    collected = collected + 1
    collectgarbage()
  end
  debug.sethook(collect, "cr")
  for _ = 1, 20 do
    guard(function() dead:cancel(0) end)
    check.equal(run:poll(), "done")
    check.equal(run:reply().text, "a b c")
    check.equal(type(dead:error()), "string")
    check.raises("opencode.attach: the path must be a string", opencode.attach)
  end
  debug.sethook()
  check.equal(collected > 100, true)
end)

check.test("handles are made while the collector never rests", function()
  hurried(50, function()
    guard(function() dead:cancel(0) end)
    local other = assert(opencode.client { base_url = "http://127.0.0.1:9", headers = { ["x-a"] = "b" } })
    local call = assert(other:start("global.health"))
    other, call = nil, nil
    local page = client:messages(run:session_id())
    check.equal(type(page:next().info.id), "string")
  end)
  collectgarbage()
end)

-- Plays a function, and raises a value at the call of that number in it. That of itself does not count.
local function stopped_at(number, value, play)
  local calls = -1
  local is_ok, raised = pcall(function()
    debug.sethook(function()
      calls = calls + 1
      if calls == number then
        debug.sethook()
        error(value, 0)
      end
    end, "c")
    play()
    debug.sethook()
  end)
  debug.sethook()
  return is_ok, raised
end

-- The host's own value: a hook by which it ends a script, such as that of Ctrl-C or of a time limit, may raise any.
check.test("what a hook raises arrives unchanged", function()
  local stop = setmetatable({}, { __tostring = function() return "STOP" end })
  for _, value in ipairs { stop, "a text", 42, false, print, coroutine.create(function() end) } do
    local stopped = 0
    for number = 1, 60 do
      local is_ok, raised = stopped_at(number, value, function()
        run:poll()
        run:wait(0)
        run:reply()
        nobody:log()
        pcall(type, 1)
      end)
      if not is_ok then
        stopped = stopped + 1
        check.equal(raised, value, "stopped at call " .. number)
      end
    end
    check.equal(stopped > 10, true, "stopped " .. stopped .. " times")
    -- A poll with news is another way into the module. The news stays until a poll gets through.
    local news = assert(client:run('news @@[{"text":"d"}]'))
    assert(news:wait(60000))
    for number = 1, 3 do
      local is_ok, raised = stopped_at(number, value, function() news:poll() end)
      check.equal(is_ok, false, "news, stopped at call " .. number)
      check.equal(raised, value, "news, stopped at call " .. number)
    end
    local state, updates = news:poll()
    check.equal(state, "done")
    check.equal(updates[#updates].type, "done")
  end
end)

-- LuaJIT itself crashes when a finalizer raises, also in a program without any module.
local may_raise = not rawget(_G, "jit")
if may_raise then check.test("what a finalizer raises harms no call", function()
  local finished = 0
  local function finish()
    finished = finished + 1
    error { from = "a finalizer" }
  end
  local function attempt()
    guard(finish)
    return run:reply().text
  end
  for _ = 1, 300 do
    -- Where the collector hands errors on, they are the host's own.
    local is_ok, got = pcall(attempt)
    if is_ok then
      check.equal(got, "a b c")
    elseif type(got) == "table" then
      check.equal(got.from, "a finalizer")
    else
      check.contains(tostring(got), "__gc")
    end
  end
  -- None is left to those who come after.
  local before
  repeat
    before = finished
    for _ = 1, 10 do pcall(collectgarbage) end
  until finished == before
  check.equal(finished > 10, true, "finalizers: " .. finished)
end) end

nobody:close()
