local check = require "check"
local opencode = require "libopencode"

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function is_alive(pid)
  return shell("grep -c '^State:[[:space:]]*[^ZX[:space:]]' /proc/" .. pid .. "/status 2>/dev/null"):match "1" ~= nil
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

-- Looks every 50 ms, for a minute.
local function eventually(what, look)
  for _ = 1, 1200 do
    local found = look()
    if found then return found end
    os.execute "sleep 0.05"
  end
  error("waited a minute for " .. what, 2)
end

check.test("a started server answers its client and ends when it is closed", function()
  local server = assert(opencode.Server.start { start_timeout_ms = 60000 })
  check.equal(server:poll(), "ready")
  check.contains(server:output(), "listening on " .. server:url())
  check.contains(tostring(server), server:url())
  local client = assert(server:client { timeout_ms = 30000 })
  check.equal(client.base_url, server:url())
  check.equal(assert(client:ask('Say pong @@[{"text":"pong"}]')).text, "pong")
  local variables = assert(server:environment())
  check.equal(variables.OPENCODE_BASE_URL, server:url())
  assert(variables.OPENCODE_SERVER_PASSWORD ~= os.getenv "OPENCODE_SERVER_PASSWORD")
  local stranger = assert(opencode.client { base_url = server:url() })
  check.fails("unauthorized", "401", stranger.global_.health())
  local pid = server:pid()
  check.equal(is_alive(pid), true)
  server:close()
  server:close()
  check.equal(is_alive(pid), false)
  check.equal(server:pid(), nil)
  check.equal(server:poll(), "closed")
  check.raises("it was closed", server.client, server)
end)

check.test("a program of 2.x is started as well", function()
  local server = assert(opencode.Server.start { binary = os.getenv "OPENCODE_BIN_2", start_timeout_ms = 60000 })
  local client = assert(server:client())
  local info = assert(client:server())
  check.equal(info.version .. " " .. info.dialect, "2.0.15 2.x")
  local made = assert(client.v2.session.create { title = "two" })
  check.equal(assert(client.v2.session.get(made.data.id)).data.title, "two")
  local pid = server:pid()
  server:close()
  check.equal(is_alive(pid), false)
end)

check.test("a launched server is polled in ticks", function()
  local server = assert(opencode.Server.launch {
    start_timeout_ms = 60000, hostname = "0.0.0.0", arguments = { "--mdns" },
  })
  check.equal(server:poll(), "starting")
  check.fails("start", "still starting", server:client())
  eventually("the server", function() return server:poll() == "ready" end)
  check.equal(assert(server:client()).global_.health().healthy, true)
  eventually("the announcement in the network", function()
    for _, found in ipairs(opencode.discover(2000)) do
      if found.source == "mdns" and found.url:match ":%d+$" == server:url():match ":%d+$" then return found end
    end
  end)
  local pid = server:pid()
  server = nil
  -- Garbage ends it in the background.
  collectgarbage()
  collectgarbage()
  eventually("its end", function() return not is_alive(pid) end)
end)

check.test("a server that cannot start says why", function()
  local err = check.fails("start", "npm install -g opencode-ai", opencode.Server.start { binary = "/no/opencode" })
  check.equal(err.code, "missing")
  err = check.fails("start", "exit status: 1", opencode.Server.start { binary = "/bin/false" })
  check.equal(err.code, "exited")
  local server = assert(opencode.Server.launch { binary = "/bin/false" })
  local state, message, why = server:wait(60000)
  check.equal(state, "failed")
  check.contains(message, "exit status: 1")
  check.equal(why.kind, "start")
  check.equal(server:poll(), "failed")
end)

check.test("wrong options are raised", function()
  check.raises("did you mean 'binary'", opencode.Server.start, { bianry = "x" })
  check.raises("must be a table", opencode.Server.launch, 7)
  check.raises("no directory '/no/place'", opencode.Server.launch, { directory = "/no/place" })
  local server = assert(opencode.Server.launch { binary = "/bin/false" })
  check.raises("with a colon", server.poll)
end)

-- Starts a host and ends it as told; nothing of its server may stay.
local function end_host(ending)
  local file = os.tmpname()
  local command = check.host "server.lua"
  os.execute("END=" .. ending .. " TOOL=" .. file .. ".tool " .. command .. " > " .. file .. " 2>&1 & echo $! > " .. file .. ".host")
  local server = eventually("the server", function() return (read(file) or ""):match "pid (%d+)%." end)
  local tool = eventually("the tool", function() return (read(file .. ".tool") or ""):match "(%d+)\n" end)
  local bash = assert(read(file .. ".tool.bash")):match "%d+"
  if ending == "kill" then
    assert(is_alive(server) and is_alive(tool) and is_alive(bash))
    os.execute("kill -9 " .. read(file .. ".host"))
  end
  eventually("the end of the server", function() return not is_alive(server) end)
  eventually("the end of bash", function() return not is_alive(bash) end)
  eventually("the end of the tool", function() return not is_alive(tool) end)
  os.execute("rm -f " .. file .. " " .. file .. ".*")
end

check.test("nothing is left of a server whose host was killed", function() end_host "kill" end)

-- The end of a state is the same in all versions; two show it.
if not vim and (jit or _VERSION == "Lua 5.4") then
  check.test("nothing is left of a server whose host ends or fails", function()
    end_host "end"
    end_host "raise"
  end)
end
