local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

local function scripted(words, steps) return words .. " @@" .. steps end

check.test("a prompt gets its answer", function()
  local reply = assert(client:ask(scripted("say", '[{"text":"pong\\n\\"ä\\""}]')))
  check.equal(reply.text, 'pong\n"ä"')
  check.equal(reply.transcript, reply.text)
  check.equal(reply.finish, "stop")
  check.equal(reply.tokens.input, 10)
  check.equal(reply.cost > 0, true)
  check.equal(#reply.messages, 2)
  check.equal(client.session.get(reply.sessionID).id, reply.sessionID)
end)

check.test("a tick never waits and sees every piece", function()
  local run = assert(client:run(scripted("count", '[{"text":"1 2 3 4 5 6","delay_ms":250}]'), { title = "tick" }))
  local text, pieces, state = "", 0, nil
  check.never_waits(function()
    local updates
    state, updates = run:poll()
    for _, update in ipairs(updates) do
      if update.type == "text" then
        text = text .. update.delta
        pieces = pieces + 1
      end
    end
    return state ~= "pending"
  end, 1000)
  check.equal(state, "done")
  check.equal(text, "1 2 3 4 5 6")
  check.equal(run:text(), text)
  check.equal(run:reply().text, text)
  check.equal(pieces > 1, true, "text came in pieces")
  check.equal(client.session.get(run:session_id()).title, "tick")
end)

check.test("updates can be iterated", function()
  local seen = {}
  for update in assert(client:run("Say pong")):updates() do seen[update.type] = true end
  check.equal(seen.text and seen.message and seen.done, true)
end)

check.test("the text alone is iterated, and what fails is raised in the end", function()
  local pieces = {}
  local run = assert(client:run(scripted("count", '[{"text":"1 2 3 4 5 6","delay_ms":250}]')))
  for text in run:text_stream() do pieces[#pieces + 1] = text end
  check.equal(table.concat(pieces), "1 2 3 4 5 6")
  check.equal(#pieces > 1, true, "text came in pieces")
  local failing = assert(client:run(scripted("fail", '[{"status":401,"body":"no"}]')))
  local is_ok, message = pcall(function()
    for _ in failing:text_stream() do end
  end)
  check.equal(is_ok, false)
  local why = failing:error()
  check.contains(message, why)
  local asking = assert(client:with { permission = "ask" }:run("Say pong"))
  is_ok, message = pcall(asking.text_stream, asking)
  check.equal(is_ok, false)
  check.contains(message, "permission is 'ask'")
  assert(asking:wait())
end)

check.test("a client with other settings shares everything", function()
  local project = assert(client:with { directory = "/tmp", timeout_ms = 30000, headers = { ["x-a"] = "b" } })
  check.equal(client:fd(), project:fd())
  local reply = assert(project:ask(scripted("where", '[{"text":"here"}]')))
  check.equal(client.session.get(reply.sessionID).directory, "/tmp")
  local run = assert(project:run("Say pong"))
  assert(run:wait())
  local is_found = false
  for _, handle in ipairs(client:ready()) do is_found = is_found or handle == run end
  check.equal(is_found, true, "either one tells who is ready")
  assert(project:close())
  check.raises("the client is closed", function() project.session.list() end)
  check.equal(client.global_.health().healthy, true)
  for name, value in pairs { base_url = "http://h:1", password = "x", dialect = 1, record = "/x" } do
    check.raises(name .. " belongs to the connection", function() client:with { [name] = value } end)
  end
  local first = assert(opencode.client())
  local second = assert(first:with { max_retries = 0 })
  first:close()
  check.raises("the client is closed", function() second.session.list() end)
end)

check.test("a rejected permission is reported and the agent goes on", function()
  local steps = '[{"tools":[{"name":"bash","arguments":{"command":"touch no","description":"d"}}]},{"text":"I could not"}]'
  local reply = assert(client:ask(scripted("try", steps)))
  check.equal(reply.text, "I could not")
  check.equal(reply.decisions[1].permission, "bash")
  check.equal(reply.decisions[1].reply, "reject")
  check.equal(reply.decisions[1].by, "policy")
end)

check.test("the host can be asked", function()
  local steps = '[{"tools":[{"name":"bash","arguments":{"command":"echo yes","description":"d"}}]},{"text":"done"}]'
  local run = assert(client:run(scripted("ask me", steps), { permission = "ask" }))
  local asked
  for update in run:updates() do
    if update.type == "permission" then
      asked = update
      check.equal(run:state(), "waiting")
      check.contains(run:why(), "bash")
      run:reply_permission(update.id, "once")
    end
  end
  check.equal(asked.request.patterns[1], "echo yes")
  check.equal(run:reply().decisions[1].by, "host")
  local output
  for _, message in ipairs(run:reply().messages) do
    for _, part in ipairs(message.parts) do
      if part.type == "tool" then output = part.state.output end
    end
  end
  check.contains(output, "yes")
end)

check.test("a run is cancelled and settles", function()
  local run = assert(client:run(scripted("slow", '[{"text":"a b c d e f g h","delay_ms":500}]')))
  for update in run:updates() do
    if update.type == "text" then break end
  end
  check.equal(run:cancel(), "failed")
  local message, err = run:error()
  check.contains(message, "cancelled")
  check.equal(err.kind, "cancelled")
  check.equal(client.session.status()[run:session_id()], nil)
end)

check.test("a run is handed over and picked up", function()
  local run = assert(client:run(scripted("later", '[{"text":"one two","delay_ms":200}]')))
  local ids = assert(run:detach())
  local reply = assert(assert(client:resume(ids)):wait(20000))
  check.equal(reply.text, "one two")
  check.fails("not_found", "has no message", assert(client:resume(ids.sessionID, "msg_none")):wait(20000))
end)

check.test("a session is summarized, once", function()
  local script = [==[sum up @@[{"text":"answer"}] @summary[{"text":"## Objective\n- all of it"}]]==]
  local session = assert(client:ask(script)).sessionID
  local shown, done = {}, nil
  local run = assert(client:compact(session, { deadline_ms = 60000, on_done = function(reply) done = reply end }))
  for text in run:text_stream() do shown[#shown + 1] = text end
  check.contains(table.concat(shown), "all of it")
  check.contains(assert(run:reply()).text, "all of it")
  client:dispatch()
  check.equal(done.sessionID, session)
  local reply, message, err = assert(client:compact(session)):wait(60000)
  check.equal(reply, nil)
  check.contains(message, "nothing was said")
  check.equal(err.code, "compaction.unavailable")
  check.fails("not_found", "ses_none", assert(client:compact("ses_none")):wait(60000))
  check.raises("the session", client.compact, client)
  check.raises("did you mean 'model'", client.compact, client, session, { modle = "local/test" })
end)

check.test("the descriptor is there", function()
  check.equal(client:fd() >= 0, true)
end)

-- Starts a run with a client of its own and gives neither away.
local function start_and_leave(title, closes)
  local other = assert(opencode.client())
  assert(other:run("hello", { title = title }))
  return not closes or other:close()
end

check.test("a prompt that is started and left is sent", function()
  for _, closes in ipairs { true, false } do
    local title
    -- A machine that has much to do may need longer than the second that there is; then it is told.
    for n = 1, 5 do
      title = "left by Lua " .. tostring(closes) .. n
      if start_and_leave(title, closes) then break end
    end
    collectgarbage()
    collectgarbage()
    local until_ = os.time() + 30
    local sessions
    -- What is collected is sent a moment later.
    repeat
      sessions = assert(client.session.list { search = title })
      check.equal(os.time() < until_, true, "the session was never made")
    until #sessions > 0
    while #assert(client.session.messages(sessions[1].id)) == 0 do
      check.equal(os.time() < until_, true, "it was never sent")
    end
  end
end)

check.test("what a close loses is told", function()
  local other = assert(opencode.client { base_url = "http://127.0.0.1:9" })
  local run = assert(other:run("x"))
  check.fails("timeout", "1 prompt was not sent", other:close())
  local _, err = run:error()
  check.equal(err.kind, "closed")
  check.equal(err.sent, false)
  check.equal(other:close(), true)
end)

-- A host ends a script that runs for too long, and `lua` one that gets Ctrl-C, by a hook that raises an error. It may
-- come in the middle of a call; swallowed there, the script would go on, with values that are missing.
check.test("an error of a hook is never swallowed", function()
  local run = assert(client:run(scripted("hook", '[{"text":"a"}]')))
  assert(run:wait(60000))
  local reached = 0
  for number = 1, 60 do
    local calls = 0
    local function count()
      calls = calls + 1
      if calls == number then
        debug.sethook()
        error("the host says stop")
      end
    end
    local is_ok, message = pcall(function()
      debug.sethook(count, "c")
      run:wait(0)
      run:reply()
      -- Counted too: what raises here is seen like all else.
      debug.sethook()
    end)
    if calls >= number then
      reached = number
      check.equal(is_ok, false, "stopped at call " .. number)
      check.contains(tostring(message), "the host says stop")
    end
  end
  check.equal(reached > 3, true, "the hook was reached")
end)
