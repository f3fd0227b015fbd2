-- Waiting as the host waits: with a function of its own, in a coroutine, by callbacks, by one descriptor for all.

local check = require "check"
local opencode = require "libopencode"

local slow = 'slow @@[{"text":"a b c","delay_ms":40}]'
local silent = 'silent @@[{"hang_ms":60000}]'

-- A call that nobody answers, to sleep by: a host does something else while its scripts wait.
local sleeper = assert(opencode.client { events = false })
local nap = assert(sleeper:start("tui.control.next"))

-- A host that lets nobody sleep but itself: everything runs in a coroutine, and waits by yielding.
local function hosted(f)
  local yields = 0
  local client = assert(opencode.client {
    wait = function(ms)
      check.equal(ms > 0 and ms <= 20, true, "a short time: " .. tostring(ms))
      yields = yields + 1
      coroutine.yield("waits", ms)
    end,
  })
  local thread = coroutine.create(function() return f(client) end)
  local said
  repeat
    local is_ok, word = coroutine.resume(thread)
    if not is_ok then error(debug.traceback(thread, tostring(word)), 0) end
    said = word
    if said == "waits" then nap:wait(5) end
  until coroutine.status(thread) == "dead"
  client:close()
  return yields
end

check.test("every function that blocks waits by the client's own function", function()
  local names = {
    operation = function(client) check.equal(client.session.list { limit = 1 } ~= nil, true) end,
    call = function(client) check.equal(client:call("global.health").healthy, true) end,
    raw = function(client) check.equal(client.global_.health(nil, { raw = true }).status, 200) end,
    request = function(client) check.equal(client:request("GET", "/global/health").healthy, true) end,
    ask = function(client) check.equal(client:ask(slow).text, "a b c") end,
    wait = function(client) check.equal(assert(client:run(slow)):wait().text, "a b c") end,
    updates = function(client)
      local text, last = "", nil
      -- Lua 5.1 cannot yield in the iterator of a `for`.
      local take = assert(client:run(slow)):updates()
      local update = take()
      while update do
        if update.type == "text" then text = text .. update.delta end
        last = update.type
        update = take()
      end
      check.equal(text .. last, "a b cdone")
    end,
    detach = function(client)
      local ids = assert(assert(client:run(slow)):detach())
      check.equal(client:resume(ids):wait().text, "a b c")
    end,
    cancel = function(client)
      local run = assert(client:run(silent))
      check.equal(run:cancel(), "failed")
      check.equal(select(2, run:error()).kind, "cancelled")
    end,
    background = function(client) check.equal(assert(client:start("global.health")):wait().healthy, true) end,
    stream = function(client)
      local stream = assert(client:events())
      check.equal(stream:each()().type, "stream.connected")
      stream:close()
    end,
    pty = function(client)
      local pty = assert(client:pty { command = "cat" })
      assert(pty:write "here\n")
      local text = ""
      repeat text = text .. assert(pty:read()) until text:find("here", 1, true)
      check.equal(pty:kill(), true)
    end,
    opening = function(client)
      local pty = opencode.await(assert(client:start_pty { command = "sh" }))
      check.equal(pty:kill(), true)
      check.equal(client:pty { command = "true" }:kill(), true)
    end,
    lists = function(client)
      local id = client.session.create().id
      client.session.prompt(id, { noReply = true, parts = { { type = "text", text = "1" } } })
      local messages = client:messages(id)
      check.equal(messages:next().parts[1].text, "1")
      check.equal(messages:next(), nil)
      check.fails("not_found", "ses_none", client:messages("ses_none"):next())
      check.contains(client:export(id):next(), id)
    end,
    control = function(client)
      local control = client:tui_control()
      local request, message = control:next(30)
      check.equal(request, nil)
      check.equal(message, nil)
      check.equal(control:respond { ok = true }, true)
      control:close()
    end,
    usage = function(client) check.equal(type(assert(client:usage(assert(client.session.create()).id)).cost), "number") end,
    drift = function(client) check.equal(type(assert(client:drift()).new), "table") end,
    server = function(client) check.equal(assert(client:server()).dialect, "1.x") end,
    doctor = function(client) check.equal(assert(client:doctor()).ok, true) end,
  }
  for name, f in pairs(names) do
    -- A server may answer before anybody waits, but not always.
    local yields, tries = 0, 0
    while yields == 0 and tries < 10 do yields, tries = hosted(f), tries + 1 end
    check.equal(yields > 0, true, name .. " yielded")
  end
end)

check.test("with a function of the host's own a time that is up is told as without", function()
  hosted(function(client)
    local run = assert(client:run(silent))
    check.fails("timeout", "run: not finished within 30 ms", run:wait(30))
    check.fails("timeout", "run: not finished within 0 ms", run:wait(0))
    check.fails("timeout", "run: not finished within 0.5 ms", run:wait(0.5))
    check.fails("timeout", "run: not finished within 1.5 ms", run:wait(1.5))
    local call = assert(client:start("tui.control.next"))
    check.fails("timeout", "within 30 ms", call:wait(30))
    call:cancel()
    check.fails("not_found", "ses_none", client.session.get("ses_none"))
    check.fails("timeout", "100 ms", client.tui.control.next(nil, { timeout_ms = 100 }))
    local stream = assert(client:events { directory = "/tmp" })
    local event, message
    repeat event, message = stream:next(20) until not event
    check.equal(message, nil)
    stream:close()
    check.fails("closed", "the stream is closed", stream:next(20))
    run:cancel(0)
  end)
end)

check.test("what the host's own function raises arrives, and misuse has the script's line", function()
  local stop = {}
  local client = assert(opencode.client { wait = function() error(stop, 0) end })
  local is_ok, raised = pcall(client.session.list)
  check.equal(is_ok, false)
  check.equal(raised, stop)
  check.contains(check.raises("unknown", function() client.session.list { colour = 1 } end), "waiting.lua:")
  check.contains(check.raises("must be a function", function() opencode.client { wait = 5 } end), "waiting.lua:")
  client:run("x"):cancel(0)
end)

check.test("a coroutine awaits runs and calls", function()
  local client = assert(opencode.client())
  local log, open = {}, 0
  local threads = {}
  for i = 1, 3 do
    threads[i] = coroutine.create(function()
      local reply = assert(opencode.await(assert(client:run(slow))))
      log[#log + 1] = reply.text
      log[#log + 1] = assert(opencode.await(assert(client:start("global.health")))).healthy
      check.fails("not_found", "ses_none", opencode.await(assert(client:start("session.get", { sessionID = "ses_none" }))))
    end)
  end
  repeat
    open = 0
    nap:wait(5)
    for _, thread in ipairs(threads) do
      if coroutine.status(thread) ~= "dead" then
        open = open + 1
        assert(coroutine.resume(thread))
      end
    end
  until open == 0
  check.equal(#log, 6)
  check.raises("a run or a call is wanted", opencode.await, {})
  if not coroutine.isyieldable or not coroutine.isyieldable() then
    check.contains(check.raises("run:wait()", function() opencode.await(client:run(slow)) end), "waiting.lua:")
  end
  client:close()
end)

check.test("callbacks are called by dispatch, and nothing else", function()
  local client = assert(opencode.client())
  local text, done, seen = "", {}, 0
  local run = assert(client:run(slow, {
    on_update = function(update, of)
      seen = seen + 1
      check.equal(type(of.poll), "function")
      if update.type == "text" then text = text .. update.delta end
    end,
    on_done = function(reply, message)
      done[#done + 1] = reply and reply.text or message
      -- A callback may begin another one.
      if #done == 1 then
        assert(client:run('fails @@[{"status":401,"body":"no"}]', { on_done = function(...)
          done[#done + 1] = select(3, ...).kind
        end }))
      end
    end,
  }))
  run:wait()
  check.equal(seen, 0)
  repeat
    nap:wait(5)
    local open = client:dispatch()
  until open == 0
  check.equal(text, "a b c")
  check.equal(done[1], "a b c")
  check.equal(type(done[2]), "string")
  check.equal(#done, 2)
  check.equal(client:dispatch(), 0)
  check.raises("on_done must be a function", client.run, client, "x", { on_done = 5 })
  client:close()
end)

check.test("a callback may dispatch, as one does that waits for its user", function()
  local client = assert(opencode.client())
  local text, over = "", 0
  local run = assert(client:run(slow, {
    on_update = function(update)
      if update.type == "text" then text = text .. update.delta end
      client:dispatch()
    end,
    on_done = function() over = over + 1 end,
  }))
  run:wait()
  repeat local open = client:dispatch() until open == 0
  check.equal(text, "a b c")
  check.equal(over, 1)
  client:close()
end)

check.test("a callback that raises loses no update", function()
  local client = assert(opencode.client())
  local types, raised = {}, 0
  local run = assert(client:run(slow, {
    on_update = function(update)
      types[#types + 1] = update.type
      if #types % 2 == 1 then error "mine" end
    end,
    on_done = function() types[#types + 1] = "over" end,
  }))
  run:wait()
  repeat
    local is_ok, open = pcall(client.dispatch, client)
    if not is_ok then
      check.contains(open, "mine")
      raised = raised + 1
    end
  until is_ok and open == 0
  check.equal(types[#types], "over")
  check.equal(types[#types - 1], "done")
  check.equal(raised >= 1, true)
  client:close()
end)

check.test("ready tells who has something, once until there is more", function()
  local client = assert(opencode.client())
  local first, second = assert(client:run(slow)), assert(client:run(slow))
  local call = assert(client:start("global.health"))
  local told = {}
  local function look()
    for _, handle in ipairs(client:ready()) do told[handle] = (told[handle] or 0) + 1 end
  end
  first:wait()
  second:wait()
  call:wait(60000)
  look()
  check.equal((told[first] or 0) >= 1 and (told[second] or 0) >= 1, true)
  local state, updates = first:poll()
  check.equal(state, "done")
  check.equal(#updates > 0, true)
  second:poll()
  check.equal(#client:ready(), 0)
  local stream = assert(client:events())
  repeat
    nap:wait(5)
    local ready = client:ready()
  until ready[1] == stream
  check.equal(stream:next(0).type, "stream.connected")
  check.raises("with a colon", client.ready)
  client:close()
end)

check.test("a client whose descriptor was asked for is not collected", function()
  local descriptor = assert(assert(opencode.client { base_url = "http://127.0.0.1:9" }):fd())
  for _ = 1, 5 do collectgarbage() end
  local list = io.popen("readlink /proc/$PPID/fd/" .. descriptor)
  local target = list:read "*a"
  list:close()
  check.contains(target, "socket:")
end)
