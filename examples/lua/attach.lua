-- Asks about a file on this machine; its content travels with the prompt: `lua attach.lua FILE PROMPT`.

local opencode = require "libopencode"

if #arg < 2 then
  io.stderr:write("usage: lua attach.lua FILE PROMPT\n")
  os.exit(2)
end

local function fail(message)
  io.stderr:write(message, "\n")
  os.exit(1)
end

local client = assert(opencode.client())
local part, message = opencode.attach(arg[1])
if not part then return fail(message) end
print(("[%s, %s]"):format(part.filename, part.mime))

local reply
reply, message = client:ask { table.concat(arg, " ", 2), part }
if not reply then return fail(message) end
print(reply.text)
client:close()
