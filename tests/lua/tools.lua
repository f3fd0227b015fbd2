local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())
local path = os.tmpname()
local file = assert(io.open(path, "wb"))
file:write("first\nsecond\nthird\n")
file:close()

check.test("agents and models are waited for", function()
  local ready = assert(client:wait_until_ready { agents = { "build" }, models = { "local/test" }, mcp = {} })
  check.contains(table.concat(ready.agents, " "), "build")
  -- A busy machine may need longer until the server says whom it has.
  local limit, _, message, err = 100, nil, nil, nil
  repeat
    _, message, err = client:wait_until_ready { agents = { "nobody" }, timeout_ms = limit }
    limit = limit * 4
  until not message:find("has not answered yet", 1, true) or limit > 100000
  check.fails("timeout", "there is no agent 'nobody'", nil, message, err)
  local call = assert(client:start("wait_until_ready", { agents = { "build" } }))
  check.contains(table.concat(assert(call:wait()).agents, " "), "build")
end)

check.test("a local file is a part of a prompt", function()
  local part = assert(opencode.attach(path, { lines = "2-3", name = "notes" }))
  check.equal(part.filename, "notes:2-3")
  check.equal(part.mime, "text/plain")
  local reply = assert(client:ask({ 'look @@[{"text":"seen"}]', part }, { files = { path } }))
  check.equal(reply.text, "seen")
  local texts = {}
  for _, message in ipairs(assert(client.session.messages(reply.sessionID))) do
    for _, stored in ipairs(message.parts) do texts[#texts + 1] = stored.text or "" end
  end
  local all = table.concat(texts, "\n")
  check.contains(all, "second\nthird")
  check.contains(all, "first\nsecond\nthird")
  check.equal(assert(opencode.attach_bytes("x", "\0\1")).mime, "application/octet-stream")
end)

check.test("a file that cannot be attached is told", function()
  check.fails("not_found", "/no/such/file", opencode.attach("/no/such/file"))
  check.fails("invalid_argument", "has the lines 1 to 3", opencode.attach(path, { lines = "3-9" }))
  check.fails("invalid_argument", "more than 3 bytes", opencode.attach(path, { max_bytes = 3 }))
  check.fails("invalid_argument", "is a directory", opencode.attach("/tmp"))
  check.fails("invalid_argument", "more than 3 bytes", opencode.attach_bytes("x", "12345", { max_bytes = 3 }))
  check.raises("mime 'nonsense'", function() opencode.attach(path, { mime = "nonsense" }) end)
  check.raises("must be a string", function() opencode.attach() end)
  check.fails("not_found", "/no/such/file", client:run("x", { files = { "/no/such/file" } }))
end)

check.test("what a session cost", function()
  local reply = assert(client:ask('spend @@[{"text":"x","usage":{"input":100,"output":20,"reasoning":0,"cached":0}}]'))
  local usage = assert(client:usage(reply.sessionID, { messages = true }))
  check.equal(usage.tokens.input, 100)
  check.equal(usage.count, 1)
  check.equal(usage.models[1].tokens.output, 20)
  check.equal(usage.messages[1].cost, usage.cost)
  -- Without blocking, by name.
  check.equal(assert(client:start("usage", { sessionID = reply.sessionID }):wait()).tokens.input, 100)
  check.equal(math.abs(usage.cost - assert(client.session.get(reply.sessionID)).cost) < 1e-9, true)
  check.fails("not_found", "ses_none", client:usage("ses_none"))
  check.raises("did you mean 'tree'", function() client:usage(reply.sessionID, { tre = true }) end)
end)

check.test("prompts for the terminal interface are accepted", function()
  check.equal(client:tui_prompt("hello"), true)
  check.raises("empty", function() client:tui_prompt("") end)
  local control = client:tui_control()
  local request, message = control:next(20)
  check.equal(request, nil)
  check.equal(message, nil)
  check.equal(control:respond { ok = true }, true)
  control:close()
end)

check.test("usage of all sessions", function()
  local all = assert(client:usage { since = "2020-01-01" })
  check.equal(all.count >= 1, true)
  check.equal(all.sessionID, nil)
  check.equal(all.days[1].name:match("^%d%d%d%d%-%d%d%-%d%d$") ~= nil, true)
  check.equal(assert(client:usage()).count >= all.count, true)
  check.raises("since must be a day", function() client:usage { since = "yesterday" } end)
end)

check.test("a question is answered from a recording", function()
  local tape = os.tmpname()
  local recording = assert(opencode.client { record = tape })
  local real = assert(recording:ask('Say pong @@[{"text":"pong at last"}]'))
  recording:close()
  local replay = assert(opencode.replay(tape))
  local player = assert(opencode.client { base_url = replay:url() })
  check.equal(assert(player:ask('Say pong @@[{"text":"pong at last"}]')).text, real.text)
  check.fails("not_found", "nothing is recorded", player.find.text { pattern = "x" })
  player:close()
  replay:close()
  check.equal(replay:url(), nil)
  os.remove(tape)
  check.fails("not_found", tape, opencode.replay(tape))
end)

os.remove(path)
client:close()
