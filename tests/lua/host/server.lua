-- A host that is killed, or ends as END says, while a tool of its server runs.

local opencode = require "libopencode"

local server = assert(opencode.Server.start { start_timeout_ms = 60000 })
io.stdout:write("pid " .. server:pid() .. ".\n")
io.stdout:flush()
local command = "echo $$ > " .. os.getenv "TOOL" .. ".bash; setsid sh -c 'echo $$ > " .. os.getenv "TOOL" .. "; exec sleep 4321' & sleep 4321"
local call = '{"name":"bash","arguments":{"command":"' .. command .. '","description":"Wait"}}'
local run = assert(server:client()):run('wait @@[{"tools":[' .. call .. ']},{"text":"never"}]', { permission = "once" })
local ending = os.getenv "END"
if ending == "kill" then run:wait() end
repeat
  run:wait(20)
  local file = io.open(os.getenv "TOOL")
  local is_there = file and file:read "*a":match "%d+\n"
  if file then file:close() end
until is_there
if ending == "raise" then error "the host fails" end
