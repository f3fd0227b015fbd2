-- Decides what the agent may do: `lua permissions.lua [--yes | --no | --rules] PROMPT`.
-- Without an option it asks you; --rules decides by a list of rules, and asks only what they leave open.

local opencode = require "libopencode"

local RULES = {
  -- The last one that fits decides.
  { reply = "ask" },
  { permission = "bash", pattern = "echo *", reply = "once" },
  { permission = "bash", pattern = "rm *", reply = "reject" },
}

local mode = arg[1] and arg[1]:match("^%-%-(%a+)$")
if mode then table.remove(arg, 1) end
if #arg == 0 or mode and mode ~= "yes" and mode ~= "no" and mode ~= "rules" then
  io.stderr:write("usage: lua permissions.lua [--yes | --no | --rules] PROMPT\n")
  os.exit(2)
end

local function decide(request)
  io.write(("%s: %s\n"):format(request.permission, table.concat(request.patterns, ", ")))
  if mode == "yes" then return "once" end
  if mode == "no" then return "reject" end
  io.write("Allow it? [y]es, [a]lways, [n]o: ")
  io.flush()
  local answer = (io.read("*l") or ""):sub(1, 1)
  print()
  return answer == "y" and "once" or answer == "a" and "always" or "reject"
end

local client = assert(opencode.client())
local run = assert(client:run(table.concat(arg, " "), { permission = mode == "rules" and RULES or "ask" }))
for update in run:updates() do
  if update.type == "permission" then
    run:reply_permission(update.id, decide(update.request), "The user does not want that.")
  elseif update.type == "failed" then
    io.stderr:write(update.message, "\n")
    os.exit(1)
  elseif update.type == "done" then
    print(update.reply.text)
    for _, decision in ipairs(update.reply.decisions) do
      print(("[%s %s: %s by %s]"):format(
        decision.permission, table.concat(decision.patterns, ", "), decision.reply, decision.by))
    end
  end
end
client:close()
