-- A server of 2.x in the hands of Lua: what runs do there, once each. Started with `opencode-stack --server 2`.

local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

local function scripted(words, steps) return words .. " @@" .. steps end

local function shell(command)
  return '{"tools":[{"name":"shell","arguments":{"command":"' .. command .. '"}}]}'
end

-- A session in which every command is asked for.
local function asking()
  local rules = { { action = "shell", resource = "*", effect = "ask" } }
  return assert(client.v2.session.create { permissions = rules }).data.id
end

local function update_of(run, type)
  for update in run:updates() do
    if update.type == type then return update end
  end
  error("no " .. type, 2)
end

check.test("2.x: a prompt is answered piece by piece, with files, and summed up", function()
  check.equal(assert(client:server()).dialect, "2.x")
  local steps = '[{"text":"one two three four","delay_ms":100,"usage":{"input":1000,"output":20}}]'
  local run = assert(client:run(scripted("say", steps), { files = { { path = "/etc/hostname" } } }))
  local pieces, text = 0, ""
  for update in run:updates() do
    if update.type == "text" then pieces, text = pieces + 1, text .. update.delta end
  end
  local reply = assert(run:wait(60000))
  check.equal(text, "one two three four")
  check.equal(reply.text, text)
  check.equal(pieces > 1, true, "text came in pieces")
  local newest = assert(client:messages(reply.sessionID):next())
  check.equal(newest.parts[1].text, text)
  check.equal(assert(client:usage(reply.sessionID)).tokens.input, 1000)
end)

check.test("2.x: the host is asked for permissions and forms", function()
  local steps = "[" .. shell("echo yes") .. ',{"text":"done"}]'
  local run = assert(client:run(scripted("ask", steps), { session = asking(), permission = "ask" }))
  local asked = update_of(run, "permission")
  check.equal(asked.request.patterns[1], "echo yes")
  run:reply_permission(asked.id, "once")
  check.equal(assert(run:wait(60000)).decisions[1].by, "host")
  local question = '{"questions":[{"question":"Which?","header":"h","options":[{"label":"A","description":"a"}]}]}'
  steps = '[{"tools":[{"name":"question","arguments":' .. question .. '}]},{"text":"thanks"}]'
  run = assert(client:run(scripted("form", steps), { question = "ask" }))
  asked = update_of(run, "question")
  check.equal(asked.request.questions[1].question, "Which?")
  run:reply_question(asked.id, { { "A" } })
  check.equal(assert(run:wait(60000)).text, "thanks")
end)

check.test("2.x: a run is cancelled, or left and picked up", function()
  local slow = scripted("slow", '[{"text":"a b c d e f","delay_ms":200}]')
  local run = assert(client:run(slow))
  update_of(run, "text")
  check.equal(run:cancel(60000), "failed")
  check.equal(assert(client.v2.session.active()).data[run:session_id()], nil)
  local left = assert(assert(client:run(slow)):detach())
  check.equal(assert(assert(client:resume(left.sessionID, left.messageID)):wait(60000)).text, "a b c d e f")
end)

check.test("2.x: a session is summarized, once", function()
  local session = assert(client:ask(scripted("sum up", '[{"text":"answer"}]'))).sessionID
  check.contains(assert(assert(client:compact(session)):wait(60000)).text, "A scripted summary")
  local reply, _, err = assert(client:compact(session)):wait(60000)
  check.equal(reply, nil)
  check.equal(err.code, "compaction.unavailable")
end)

check.test("2.x: what it cannot do is told", function()
  check.fails("unsupported", "ask for JSON in the prompt", client:ask("x", { format = { type = "object" } }))
  check.fails("unsupported", "use v2.session.create", client.session.create())
end)

check.test("2.x: events, a terminal and a recording", function()
  local stream = assert(client:events { scope = "global" })
  check.equal(assert(stream:next(60000)).type, "stream.connected")
  local id = assert(client.v2.session.create { title = "seen" }).data.id
  local event
  repeat event = assert(stream:next(60000)) until event.type == "session.created" and event.properties.sessionID == id
  stream:close()
  local pty, all = assert(client:pty { command = "bash", args = { "--norc", "-c", "read x; echo got-$x; exit 3" } }), ""
  assert(pty:write("this\n"))
  while true do
    local text = pty:read(60000)
    if not text then break end
    all = all .. text
  end
  check.contains(all, "got-this")
  check.equal(pty:exit_code(), 3)
  local tape = os.tmpname()
  local recording = assert(opencode.client { record = tape })
  local prompt = scripted("tape", '[{"text":"kept"}]')
  check.equal(assert(recording:ask(prompt)).text, "kept")
  recording:close()
  local replay = assert(opencode.replay(tape))
  local player = assert(opencode.client { base_url = replay:url() })
  check.equal(assert(player:ask(prompt)).text, "kept")
  player:close()
  os.remove(tape)
end)

local SHELL = { command = "sh", args = { "-c", "echo x; read y" } }

-- What a client may do first: it knows nothing of its server then.
local FIRST = {
  { "an operation", function(fresh) return fresh.v2.session.active() end },
  { "ask", function(fresh) return fresh:ask "hello" end },
  { "a run", function(fresh) return assert(fresh:run "hello"):wait(60000) end },
  { "resume", function(fresh, known) return assert(fresh:resume(known.sessionID, known.messageID)):wait(60000) end },
  { "events", function(fresh) return assert(fresh:events()):next(60000) end },
  { "messages", function(fresh, known) return assert(fresh:messages(known.sessionID)):next() end },
  { "sessions", function(fresh) return assert(fresh:sessions { scope = "global" }):next() end },
  { "usage", function(fresh, known) return fresh:usage(known.sessionID) end },
  { "export", function(fresh, known) return assert(fresh:export(known.sessionID)):next() end },
  { "pty", function(fresh) return assert(fresh:pty(SHELL)):read(60000) end },
  { "ready", function(fresh) return fresh:wait_until_ready {} end },
  { "doctor", function(fresh) return assert(fresh:doctor()).ok end },
  { "server", function(fresh) return fresh:server() end },
}

check.test("2.x: whatever a client does first works", function()
  local known = assert(client:ask "hello")
  for _, first in ipairs(FIRST) do
    local fresh = assert(opencode.client())
    local found, message = first[2](fresh, known)
    check.equal(found and true or message, true, first[1])
    fresh:close()
  end
  check.fails("unsupported", "2.0.15", assert(opencode.client()):tui_prompt "x")
end)
