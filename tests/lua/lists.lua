-- An empty table is a list wherever a list is wanted, and an object elsewhere.

local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

check.test("an empty table is a list in options", function()
  assert(opencode.client { permission = {}, headers = {} })
  local reply = assert(client:ask('lists @@[{"text":"pong"}]', { files = {}, permission = {}, tools = {} }))
  check.equal(reply.text, "pong")
  local pty = assert(client:pty { command = "true", args = {}, env = {} })
  pty:close()
  local server = assert(opencode.Server.launch { binary = "/bin/true", arguments = {}, environment = {}, config = {} })
  server:close()
  check.raises("prompt", client.run, client, {})
  assert(client:wait_until_ready { models = {}, mcp = {} })
  assert(assert(client:start("wait_until_ready", { agents = {} })):wait(60000))
end)

check.test("an empty table is a list in arguments", function()
  for _, create in ipairs {
    client.session.create,
    function(arguments) return client:call("session.create", arguments) end,
    function(arguments) return assert(client:start("session.create", arguments)):wait(60000) end,
  } do
    local session = assert(create { permission = {}, metadata = { object = {} } })
    local text = client:call("session.get", { sessionID = session.id }, { raw = true }).body
    check.contains(text, '"permission":[]')
    check.contains(text, '"object":{}')
  end
  -- Inside of other tables too: the server would refuse an object.
  local config = assert(client.config.get())
  check.fails("bad_request", "", client.config.update { watcher = { ignore = "x" } })
  assert(client.config.update { watcher = { ignore = {} }, instructions = {}, experimental = { primary_tools = {} } })
  check.equal(type(config), "table")
end)

check.test("an empty table is a list in answers and schemas", function()
  local run = assert(client:run('lists @@[{"text":"x"}]'))
  assert(run:wait(60000))
  check.equal(run:reply_question("que_none", {}), true)
  check.equal(run:reply_question("que_none", { {} }), true)
  check.raises("list of lists", run.reply_question, run, "que_none", { a = 1 })
  local format = { type = "object", properties = { a = { type = "string", enum = { "x" } } }, required = {} }
  assert(client:run('lists @@[{"text":"x"}]', { format = format })):cancel(0)
end)

-- Tables of some depth.
local function nested(levels)
  local made = { 1 }
  for _ = 2, levels do made = { made } end
  return made
end

check.test("tables that contain themselves, or are too deep, are refused with the script's line", function()
  local cycle = { list = {} }
  cycle.list[1] = cycle
  for _, attempt in ipairs {
    function(value) client.session.create { metadata = { m = value } } end,
    function(value) client:call("session.create", { metadata = { m = value } }) end,
    function(value) client:start("session.create", { metadata = { m = value } }) end,
    function(value) client:run { { type = "text", text = "x", metadata = value } } end,
    function(value) client:request("POST", "/session", { body = { metadata = value } }) end,
    function(value) client:tui_control():respond(value) end,
  } do
    check.contains(check.raises("a table that contains itself", attempt, cycle), "lists.lua:")
    check.contains(check.raises("deeper than 1000 levels", attempt, nested(1001)), "lists.lua:")
    check.contains(check.raises("deeper than 1000 levels", attempt, nested(100000)), "lists.lua:")
  end
end)

check.test("what is nested deeply comes back as it was", function()
  for _, levels in ipairs { 100, 130, 500 } do
    local session = assert(client.session.create { metadata = { deep = nested(levels) } })
    local value, depth = assert(client.session.get(session.id)).metadata.deep, 0
    while type(value) == "table" do value, depth = value[1], depth + 1 end
    check.equal(value, 1)
    check.equal(depth, levels)
  end
end)
