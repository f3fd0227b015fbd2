-- A host that is killed while a tool of its server runs.

local opencode = require "opencode"

local server = assert(opencode.Server.start { start_timeout_ms = 60000 })
io.stdout:write("pid " .. server:pid() .. ".\n")
io.stdout:flush()
local command = "setsid sh -c 'echo $$ > " .. os.getenv "TOOL" .. "; exec sleep 4321' & sleep 4321"
local call = '{"name":"bash","arguments":{"command":"' .. command .. '","description":"Wait"}}'
local run = assert(server:client()):run('wait @@[{"tools":[' .. call .. ']},{"text":"never"}]', { permission = "once" })
run:wait()
