-- Every line with `-- wrong` must be called wrong, and no other line.
local opencode = require "libopencode"

local client = assert(opencode.client())
local run = assert(client:run("hi"))

client.session.update("ses_1", { titel = "y" }) -- wrong
client.session.update("ses_1", { title = 5 }) -- wrong
client.session.update(5) -- wrong
client.session.update() -- wrong
client.session.update({ title = "y" }) -- wrong
client.session.update({ sessionID = "ses_1", titel = "y" }) -- wrong
client.session.updat("ses_1") -- wrong
client.sesion.update("ses_1") -- wrong
client.session.update("ses_1", { title = "y" }, { timeout = 5 }) -- wrong
client.session.list({ directry = "/tmp" }) -- wrong
client.global_.health({ deep = true }) -- wrong
client.permission.reply("per_1", { reply = "perhaps" }) -- wrong
client.permission.reply("per_1") -- wrong
client.session.prompt("ses_1", { parts = { { type = "text", txet = "hi" } } }) -- wrong
print(assert(client.session.get("ses_1")).titel) -- wrong
client:runn("hi") -- wrong
client:run(5) -- wrong
client:run("hi", { sesion = "ses_1" }) -- wrong
client:run("hi", { permission = "allways" }) -- wrong
client:run("hi", { deadline_ms = "5" }) -- wrong
opencode.client({ base_ulr = "http://127.0.0.1" }) -- wrong
opencode.clint() -- wrong
opencode.Server.start({ prot = 5 }) -- wrong
opencode.attach("main.c", { line = 5 }) -- wrong
client:events({ scope = "world" }) -- wrong
client:sessions({ root = true }) -- wrong
client:pty({ comand = "sh" }) -- wrong
client:usage(5) -- wrong
run:wait("5") -- wrong
run:reply_permission("per_1", "perhaps") -- wrong
for update in run:updates() do
  print(update.dleta) -- wrong
  if update.type == "tool" then print(update.part.tol) end -- wrong
  if update.type == "done" then print(update.reply.txt) end -- wrong
  if update.type == "failed" then print(update.error.knd) end -- wrong
  if update.type == "txet" then print(update) end -- wrong
end
client.config.update({ brand_new = 1 })
