-- No line of this may be called wrong.
local opencode = require "libopencode"

local client = assert(opencode.client { base_url = "http://127.0.0.1:4096", permission = "once" })

local session = assert(client.session.create { title = "x", directory = "/tmp" })
client.session.update(session.id, { title = "y" }, { timeout_ms = 3000, headers = { x = "y" } })
client.session.update(session.id, nil, { raw = true })
client.session.update({ sessionID = session.id, title = "y" }, { timeout_ms = 3000 })
client.session.get { sessionID = session.id }
client.permission.reply { requestID = "per_1", reply = "once" }
client.session.prompt(session.id, { parts = { { type = "text", text = "hi" } }, model = "a/b" })
client.session.prompt(session.id, { parts = {}, model = { providerID = "a", modelID = "b" } })
client.session.summarize(session.id, { model = "a/b" })
client.permission.reply("per_1", { reply = "once" })
client.worktree.remove { directory = "/w" }
client.config.update { username = "me", brand_new = 1 }
client.v2.session.prompt(session.id, { prompt = { text = "x" }, delivery = "queue" })
print(client.global_.health(nil, { raw = true }))

for _, message in ipairs(assert(client.session.messages(session.id, { limit = 20 }))) do
  local info = message.info
  if info.role == "assistant" then
    print(info.cost)
  end
  for _, part in ipairs(message.parts) do
    if part.type == "text" then
      local text = part.text ---@type string
      print(text)
    end
  end
end

local part = assert(opencode.attach("main.c", { lines = "1-9" }))
local run = assert(client:run({ "Look at", part }, {
  session = session.id,
  model = "a/b",
  permission = { { permission = "bash", pattern = "git *", reply = "once" }, { reply = "ask" } },
  files = { "a.txt", { path = "b.txt", lines = 3 } },
  deadline_ms = 1000,
}))
for update in run:updates() do
  if update.type == "text" then
    io.write(update.delta)
  elseif update.type == "tool" then
    print(update.part.tool, update.part.state.status)
  elseif update.type == "permission" then
    run:reply_permission(update.id, "reject", table.concat(update.request.patterns, " "))
  elseif update.type == "question" then
    run:reply_question(update.id, { { update.request.questions[1].options[1].label } })
  elseif update.type == "retry" then
    print(update.attempt + 1, update.reason, update.next)
  elseif update.type == "done" then
    print(update.reply.text, update.reply.tokens.cache.read, update.reply.decisions[1].by)
  elseif update.type == "failed" then
    print(update.message, update.error.kind, update.error.retryable)
  end
end

local reply, message, err = client:ask("hi", { title = "x", max_cost = 0.5 })
if not reply then
  print(message, err and err.kind)
else
  print(reply.text, reply.time.total_ms)
end
local ids = assert(run:detach())
print(client:resume(ids, { deadline_ms = 5 }), client:resume(ids.sessionID, ids.messageID))

local call = assert(client:start("session.list", { limit = 1 }))
local state, answer = call:poll()
print(state == "done" and answer[1])

local pty = assert(client:pty { command = "sh", cols = 100, rows = 30 })
pty:write("exit\n")
print(pty:read(0), client.pty.list(), client:pty_connect(pty:id(), { cursor = -1 }))

local stream = assert(client:events { scope = "global" })
for event in stream:each() do print(event.type, event.properties.sessionID) end
for old in client:messages(session.id, { page = 5 }) do print(old.info.id) end
for other in client:sessions { roots = true } do print(other.title) end

local server = assert(opencode.Server.launch { environment = { A = "b", C = opencode.null } })
if server:poll() == "ready" then print(assert(server:client()):doctor().ok) end
print(opencode.discover(0)[1].url, assert(client:usage(session.id, { tree = false })).models[1].cost)
client:close()
