-- Types a command into a shell on the server's machine and shows the screen: `lua pty.lua COMMAND`.
-- Ends with the exit code of the command.

local opencode = require "libopencode"

local command = #arg > 0 and table.concat(arg, " ") or "echo $((6 * 7))"
local client = assert(opencode.client())
local pty = assert(client:pty { command = "sh", cols = 100, rows = 30 })
assert(pty:write(command .. "; exit\n"))

while not pty:is_over() do
  local text, message = pty:read(1000)   -- "" when nothing came in time; 0 in a tick
  if text then
    io.write(text)
    io.flush()
  elseif message then
    io.stderr:write(message, "\n")
    os.exit(1)
  end
end
local code = pty:exit_code() or 1
print(("[exit code %d]"):format(code))
client:close()
os.exit(code)
