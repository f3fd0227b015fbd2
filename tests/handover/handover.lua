-- Starts a run and leaves it, or picks one up: `handover.lua start PROMPT`, `handover.lua resume SESSION MESSAGE`.
local opencode = require "libopencode"
local client = assert(opencode.client())
if arg[1] == "start" then
  local ids = assert(assert(client:run(arg[2])):detach())
  print(ids.sessionID .. " " .. ids.messageID)
else
  print(assert(assert(client:resume(arg[2], arg[3])):wait(60000)).text)
end
