-- What makes no sense as a time or a number is refused before anything is sent: raised, with the script's line.

local check = require "check"
local opencode = require "libopencode"

-- Nobody listens there: what is not refused at once gives an error of kind `connection`, or a handle.
local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9", max_retries = 0 })
local client = assert(opencode.client())

local nonsense = { "soon", true, {}, -1, 0 / 0, -math.huge, print }

check.test("a time that makes no sense is refused by every function that takes one", function()
  local run = assert(nobody:run("x", { server_timeout_ms = 1 }))
  local call = assert(nobody:start("global.health"))
  local stream = assert(nobody:events())
  local control = nobody:tui_control()
  local pty = assert(client:pty { command = "true" })
  local opening = assert(nobody:start_pty {})
  local server = assert(opencode.Server.launch { binary = "/bin/true" })
  local functions = {
    ["Call:wait"] = function(time) call:wait(time) end,
    ["Run:wait"] = function(time) run:wait(time) end,
    ["Run:cancel"] = function(time) run:cancel(time) end,
    ["Run:detach"] = function(time) run:detach(time) end,
    ["EventStream:next"] = function(time) stream:next(time) end,
    ["TuiControl:next"] = function(time) control:next(time) end,
    ["Pty:read"] = function(time) pty:read(time) end,
    ["Opening:wait"] = function(time) opening:wait(time) end,
    ["Server:wait"] = function(time) server:wait(time) end,
    ["opencode.discover"] = function(time) opencode.discover(time) end,
  }
  for name, f in pairs(functions) do
    for _, value in ipairs(nonsense) do
      local message = check.raises("the time in milliseconds must be a number", f, value)
      if not message:find("times.lua:", 1, true) then error(name .. ": not the caller's line: " .. message) end
    end
  end
  -- The annotations name every function that takes a time.
  local meta = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" .. "/../../bindings-lua/meta/"
  local seen = 0
  for _, file in ipairs { "", "_run", "_pty", "_server", "_streams", "_tools" } do
    local takes = false
    for line in io.lines(meta .. "libopencode" .. file .. ".lua") do
      if line:find("^%-%-%-@param timeout_ms") then takes = true end
      local name = line:match "^function ([%w_.:]+)%("
      if name and takes then
        check.equal(functions[name] ~= nil, true, name .. " takes a time and is not in the list")
        seen = seen + 1
      end
      if name then takes = false end
    end
  end
  check.equal(seen >= 9, true, "functions that take a time: " .. seen)
  stream:close()
  server:close()
end)

check.test("an option that makes no sense is refused by every function that takes it", function()
  local call = { "timeout_ms", "max_retries" }
  local run = {
    "deadline_ms", "start_timeout_ms", "server_timeout_ms", "max_cost", "max_tokens", "max_steps", "max_retries",
  }
  local path = os.tmpname()
  for _, row in ipairs {
    { opencode.client, { "connect_timeout_ms", "timeout_ms", "stall_timeout_ms", "max_retries", "max_body_bytes" } },
    { function(options) return nobody:call("session.list", {}, options) end, call },
    { function(options) return nobody:start("session.list", {}, options) end, call },
    { function(options) return nobody:request("GET", "/session", options) end, call },
    { function(options) return nobody.session.list({}, options) end, call },
    { function(options) return nobody:run("x", options) end, run },
    { function(options) return nobody:ask("x", options) end, run },
    { function(options) return nobody:resume("ses_x", "msg_x", options) end, run },
    { function(options) return nobody:pty(options) end, { "server_timeout_ms", "cols", "rows" } },
    { function(options) return nobody:start_pty(options) end, { "server_timeout_ms", "cols", "rows" } },
    { function(options) return nobody:pty_connect("pty_x", options) end, { "server_timeout_ms", "cols", "rows" } },
    { function(options) return nobody:events(options) end, { "max_events" } },
    { function(options) return nobody:messages("ses_x", options) end, { "page" } },
    { function(options) return nobody:sessions(options) end, { "page" } },
    { opencode.Server.launch, { "start_timeout_ms", "port" } },
    { opencode.Server.start, { "start_timeout_ms", "port" } },
    { function(options) return opencode.attach(path, options) end, { "max_bytes" } },
  } do
    for _, name in ipairs(row[2]) do
      for _, value in ipairs(nonsense) do
        local message = check.raises(name, row[1], { [name] = value })
        check.equal(message:find("connection", 1, true), nil, "it was sent")
      end
    end
  end
  os.remove(path)
end)

nobody:close()
