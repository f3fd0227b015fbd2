-- Whatever is wrong: one line that says what to do.

local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

check.test("no server", function()
  local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9" })
  local err = check.fails("connection", "opencode serve", nobody.session.list())
  check.equal(err.retryable, true)
  check.equal(err.sent, false)
  check.fails("connection", "no server listens", nobody:ask("x", { server_timeout_ms = 300 }))
end)

check.test("ask with a policy that nobody could answer", function()
  local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9" })
  check.raises("permission is 'ask'", function() nobody:ask("x", { permission = "ask" }) end)
  check.raises("question is 'ask'", function() nobody:ask("x", { question = "ask" }) end)
  local rules = { { permission = "bash", reply = "ask" } }
  check.raises("use run", function() nobody:ask("x", { permission = rules }) end)
end)

check.test("wrong password", function()
  local stranger = assert(opencode.client { password = "wrong" })
  local err = check.fails("unauthorized", "OPENCODE_SERVER_PASSWORD", stranger.session.list())
  check.equal(err.status, 401)
  check.fails("unauthorized", "password", stranger:ask("x"))
end)

check.test("wrong address", function()
  check.raises("base_url", opencode.client, { base_url = "ftp://x" })
  check.raises("base_url", opencode.client, { base_url = "http://" })
  check.raises("did you mean 'base_url'", opencode.client, { base_ulr = "x" })
end)

check.test("unknown session", function()
  local err = check.fails("not_found", "Session not found: ses_none", client.session.get("ses_none"))
  check.equal(err.operation, "session.get")
  check.equal(err.code, "NotFoundError")
  check.fails("not_found", "ses_none", client:ask("x", { session = "ses_none" }))
end)

check.test("unknown operation", function()
  check.raises("did you mean 'session.list'", function() client:call("session.lst") end)
  check.raises("no operation 'lst'", function() return client.session.lst end)
end)

check.test("wrong arguments", function()
  local message = check.raises("'sessionID' is missing", function() client.session.get() end)
  check.contains(message, "mistakes.lua:")
  check.raises("did you mean 'title'", function() client.session.update("ses_1", { tilte = "x" }) end)
  check.raises("must be a text", function() client.session.get(true) end)
  check.raises("given twice", function() client.session.get("a", { sessionID = "b" }) end)
  check.raises("by position", function() client.session.get("a", "b") end)
  check.raises("with a colon", function() client.run("x") end)
end)

check.test("a span of the script's own tracing has the form of W3C", function()
  local right = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  check.raises("has not four parts", function() client:run("x", { traceparent = "00-abc-01" }) end)
  check.raises("has not four parts", function() client:call("global.health", {}, { traceparent = "00-abc-01" }) end)
  assert(client:call("global.health", {}, { traceparent = right }))
  assert(client:ask("Say pong", { traceparent = right }))
end)

check.test("a list, an export, a sum and a terminal have a span too", function()
  local right = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  local session = assert(client.session.create()).id
  local path = os.tmpname()
  local ways = {
    function(options) return client:messages(session, options):next() end,
    function(options) return assert(client:sessions(options):next()) end,
    function(options) return assert(client:export(session, options):next()) end,
    function(options) return assert(client:export_to(session, path, options)) end,
    function(options) return assert(client:usage(session, options)) end,
    function(options) return assert(client:usage(options)) end,
    function(options) return assert(client:wait_until_ready(options)) end,
    function(options)
      options.command, options.args = "sh", { "-c", "exit 3" }
      local pty = assert(client:pty(options))
      pty:kill()
      return true
    end,
    function(options)
      options.command, options.args = nil, nil
      return assert(client:pty_connect("pty_none", options)):close()
    end,
  }
  for i, way in ipairs(ways) do
    check.raises("has not four parts", function() way { traceparent = "00-abc-01" } end, i)
    way { traceparent = right }
  end
  os.remove(path)
end)

check.test("wrong options and times", function()
  for _, f in ipairs {
    function() client:call("session.list", nil, 5) end,
    function() client:start("session.list", nil, "x") end,
    function() client:request("GET", "/path", "x") end,
    function() client.session.list(nil, true) end,
  } do
    check.contains(check.raises("the options must be a table", f), "mistakes.lua:")
  end
  check.raises("the query must be a table", function() client:request("GET", "/path", { query = "x" }) end)
  check.raises("query must be a table of texts", function() client:request("GET", "/path", { query = { a = {} } }) end)
  check.raises("'BREW' is no HTTP method", function() client:request("BREW", "/path") end)
  local call = assert(client:start("global.health"))
  check.contains(check.raises("call:wait: the time in milliseconds must be a number", function() call:wait("soon") end), "mistakes.lua:")
  check.equal(call:wait(60000).healthy, true)
end)

check.test("wrong prompts", function()
  check.raises("empty", function() client:run("") end)
  check.raises("must be a string", function() client:run(nil) end)
  check.raises("unknown option 'sesion'", function() client:run("x", { sesion = "y" }) end)
  check.raises("not UTF-8", function() client:run("\255") end)
  check.raises("provider/model", function() client:run("x", { model = "gpt" }) end)
end)

check.test("unknown model and agent", function()
  check.fails("agent", "no/such", client:ask("x", { model = "no/such" }))
  check.fails("agent", "nobody", client:ask("x", { agent = "nobody" }))
end)

check.test("a server that goes away ends the run", function()
  local url = assert(os.getenv("OPENCODE_DOOMED_URL"))
  local doomed = assert(opencode.client { base_url = url })
  local steps = '[{"text":"a b c d e f g h i j k l m n o p","delay_ms":500}]'
  local reply, message, err = doomed:ask("doomed @@" .. steps, { server_timeout_ms = 500 })
  check.fails("connection", "out of reach", reply, message, err)
  doomed:close()
end)

check.test("what is wrong is raised by start, at the script's line", function()
  local message = check.raises("colour", function() client:start("session.list", { colour = 1 }) end)
  check.contains(message, "mistakes.lua:")
  check.contains(check.raises("no operation", function() client:start("session.gett") end), "mistakes.lua:")
  check.raises("sessionID", function() client:start("session.get") end)
end)

check.test("names that are nearly right are told, and words of other languages need no mark", function()
  check.contains(check.raises("did you mean 'session'", function() return client.sesion.get end), "mistakes.lua:")
  check.contains(check.raises("did you mean 'get'", function() return client.session.gett end), "mistakes.lua:")
  check.raises("a client has no 'nonsense'", function() return client.nonsense end)
  check.equal(client._nonsense, nil)
  check.equal(client[1], nil)
  local named = "global"
  check.equal(client[named].health().healthy, true)
  check.equal(client.global_.health().healthy, true)
end)

check.test("what the module does not have is named, and where it is", function()
  for name, part in pairs {
    run = "write client:run(...): that is a method of what opencode.client() gives",
    connect = "the module has no 'connect'", Client = "did you mean 'client'?", server = "did you mean 'Server'?",
  } do
    check.contains(check.raises(part, function() return opencode[name] and nil end), "mistakes.lua:")
  end
  check.equal(opencode.__name, nil)
  check.equal(rawget(opencode, "run"), nil)
  check.contains(check.raises("did you mean 'base_url'?", function()
    local made = opencode.client { url = "http://h" }
    return made
  end), "mistakes.lua:")
  check.contains(check.raises("on_update and on_done", function()
    local run = client:run("x", { on_text = print })
    return run
  end), "mistakes.lua:")
  local run = assert(client:run "Say pong")
  for _, answers in ipairs { "a", { "a" }, { { 1 } } } do
    check.raises('such as { { "yes" } }', function() run:reply_question("que_x", answers) end)
  end
  assert(run:wait())
end)

check.test("functions of the module are called with a dot, methods with a colon", function()
  for name, f in pairs {
    ["opencode.client"] = function() opencode:client() end,
    ["opencode.attach"] = function() opencode:attach("x") end,
    ["opencode.attach_bytes"] = function() opencode:attach_bytes("x", "y") end,
    ["opencode.array"] = function() opencode:array({}) end,
    ["opencode.await"] = function() opencode:await(client) end,
    ["opencode.discover"] = function() opencode:discover(1) end,
    ["opencode.doctor"] = function() opencode:doctor() end,
    ["opencode.replay"] = function() opencode:replay("x") end,
    ["opencode.Server.start"] = function() opencode.Server:start() end,
    ["opencode.Server.launch"] = function() opencode.Server:launch {} end,
  } do
    check.contains(check.raises("write " .. name .. "(...) with a dot", f), "mistakes.lua:")
  end
end)

-- The classes of the annotations, and what a method says that is called on nothing, or on something else.
check.test("every method names the colon that is missing", function()
  local run = assert(client:run "Say pong")
  assert(run:wait())
  local objects = {
    Client = client, Run = run, Call = assert(client:start "global.health"), EventStream = assert(client:events()),
    Opening = assert(client:start_pty { command = "true" }), Messages = client:messages(run:session_id()),
    Sessions = client:sessions(), Export = client:export(run:session_id()), TuiControl = client:tui_control(),
    Server = assert(opencode.Server.launch { binary = "/bin/false" }),
  }
  objects.Pty = assert(objects.Opening:wait())
  local meta = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" .. "/../../bindings-lua/meta/libopencode"
  local count = 0
  for _, file in ipairs { "", "_drift", "_host_tools", "_pty", "_run", "_server", "_streams", "_tools" } do
    for line in io.lines(meta .. file .. ".lua") do
      local class, method = line:match "^function (%w+):([%w_]+)%("
      local object = objects[class]
      if object then
        local other = class == "Client" and run or client
        for _, wrong in ipairs { false, "x", {}, other, opencode, object.raw } do
          local message = check.raises(":" .. method .. "(...) with a colon", function()
            local given = object[method](wrong)
            return given
          end)
          check.contains(message, "mistakes.lua:")
          count = count + 1
        end
      end
    end
  end
  check.equal(count > 400, true, count .. " calls")
end)

check.test("what only shows at run time is told and not raised", function()
  local run = assert(client:run("x @@" .. '[{"hang_ms":60000}]'))
  assert(run:detach())
  check.fails("closed", "detached", run:wait(5000))
  local other = assert(opencode.client())
  local left = assert(other:run("x @@" .. '[{"hang_ms":60000}]'))
  other:close()
  check.fails("closed", "closed", left:wait(5000))
  local control = client:tui_control()
  control:close()
  check.equal(control:next(0), nil)
  check.fails("invalid_argument", "is a directory", client:run("x", { files = { "/tmp" } }))
  check.fails("invalid_argument", "more than 1 bytes", client:ask("x", { files = { path = "/etc/passwd", max_bytes = 1 } }))
  check.fails("invalid_argument", "has the lines 1 to", client:run("x", { files = { { path = "/etc/passwd", lines = "7-9999" } } }))
  check.fails("not_found", "there is no file", client:run("x", { files = "/no/such" }))
  -- How it is asked for is the script's own.
  check.raises("mime", function() client:run("x", { files = { path = "/etc/passwd", mime = "text" } }) end)
end)

check.test("a table whose fields are behind its metatable is refused", function()
  local behind = setmetatable({}, { __index = { title = "x" }, __pairs = function(t) return next, { title = "x" } end })
  check.raises("behind a metatable", function() client.session.create(behind) end)
  check.raises("behind a metatable", function() client:run("x", behind) end)
  check.raises("behind a metatable", function() opencode.client(behind) end)
  check.raises("behind its metatable", function()
    client.app.log { service = "x", level = "info", message = "m", extra = { deep = behind } }
  end)
  -- One with fields of its own is what it holds.
  local class = setmetatable({ title = "mine" }, { __index = { other = 5 } })
  check.equal(assert(client.session.create(class)).title, "mine")
end)
