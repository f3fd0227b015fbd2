-- Sends a prompt and shows the answer as it comes: `lua ask.lua PROMPT`.

local opencode = require "libopencode"

local prompt = #arg > 0 and table.concat(arg, " ") or "Say pong"
local client = assert(opencode.client())
local run = assert(client:run(prompt))

for update in run:updates() do
  if update.type == "text" then
    io.write(update.delta)
    io.flush()
  elseif update.type == "done" then
    local reply = update.reply
    print(("\n[cost %.4f, %d tokens, %.1f s]"):format(reply.cost, reply.tokens.total, reply.time.total_ms / 1000))
  elseif update.type == "failed" then
    io.stderr:write(update.message, "\n")
    os.exit(1)
  end
end
client:close()
