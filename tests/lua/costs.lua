-- What a tick pays while nothing happens: no memory, so no work for the collector.

local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

-- Kilobytes of many calls. Should something happen meanwhile, that is paid for; so the best of some tries counts.
local function growth(f, calls)
  local least
  for _ = 1, 5 do
    collectgarbage()
    collectgarbage "stop"
    -- The collector takes the place that Lua notes calls in, too.
    f()
    local before = collectgarbage "count"
    for _ = 1, calls do f() end
    local grown = collectgarbage "count" - before
    collectgarbage "restart"
    least = math.min(least or grown, grown)
    if least < 4 then break end
  end
  return least
end

check.test("a poll without news makes no garbage", function()
  local run = assert(client:run 'idle @@[{"text":"a b","stall":{"after":1,"ms":600000}}]')
  repeat until run:wait(100) or run:text() == "a "
  local stream = assert(client:events())
  repeat until not stream:next(500)
  local call = assert(client:start("tui.control.next"))
  local control = client:tui_control()
  local pty = assert(client:pty { command = "sh" })
  repeat until pty:read(500) == ""
  for name, poll in pairs {
    ["run:poll"] = function() run:poll() end,
    ["run:state"] = function() run:state() end,
    ["stream:next"] = function() stream:next(0) end,
    ["call:poll"] = function() call:poll() end,
    ["pty:read"] = function() pty:read(0) end,
    -- What this says is there already: a call leaves nothing but its results.
    ["run:session_id"] = function() run:session_id() end,
    ["control:next"] = function() control:next(0) end,
  } do
    -- Lua 5.2 and 5.3 take about a kilobyte now and then, for whatever is called, also for `getmetatable`.
    check.equal(math.floor(growth(poll, name == "run:poll" and 200000 or 20000) / 4), 0, name)
  end
  call:cancel()
  control:close()
  stream:close()
  pty:kill()
  run:cancel(0)
end)

check.test("the list of a poll without news is empty, whatever a script did to another one", function()
  local quiet = assert(client:run 'idle @@[{"hang_ms":600000}]')
  -- What is new has a type; a script gave none to what it has put there.
  local function without_news()
    local updates
    repeat updates = select(2, quiet:poll()) until not (type(updates[1]) == "table" and updates[1].type)
    return updates
  end
  local first = without_news()
  check.equal(next(first), nil)
  first[1] = "mine"
  rawset(first, "key", "mine")
  local second = without_news()
  check.equal(next(second), nil)
  check.equal(first[1], "mine")
  second[1], second[1] = 1, nil
  check.equal(next(without_news()), nil)
  -- It is a list for JSON too.
  local made = assert(client.session.create { metadata = { list = without_news() } })
  check.contains(assert(client.session.get(made.id, nil, { raw = true })).body, '"list":[]')
  quiet:cancel(0)
end)

check.test("a poll is a method of runs alone", function()
  local run = assert(client:run "Say pong")
  for _, wrong in ipairs { false, 1, "x", {}, print, client, setmetatable({}, getmetatable(run)) } do
    local message = check.raises("", run.poll, wrong)
    check.equal(message:find("internal", 1, true), nil, message)
  end
  check.raises("costs.lua:", function() run.poll() end)
  check.raises("write run:poll(...) with a colon", function() run.poll() end)
  check.raises("this is no run", function() setmetatable({ raw = io.stdout }, getmetatable(run)):poll() end)
  local state, updates, more = run:poll("anything")
  check.equal(type(state), "string")
  check.equal(type(updates), "table")
  check.equal(more, nil)
end)

client:close()
