-- Gives handles of a server that says nothing to the collector, one after the other, between marks for a tracer.

local opencode = require "libopencode"

-- A name of a file that is not there.
local function mark(name) io.open("/" .. name) end

local function make()
  local client = assert(opencode.client())
  local made = { client = client }
  made.run = assert(client:run 'x @@[{"text":"a b","stall":{"after":1,"ms":60000}}]')
  repeat until made.run:wait(100) or made.run:text() ~= ""
  made.call = assert(client:start("tui.control.next"))
  made.stream = assert(client:events())
  assert(made.stream:next(60000))
  made.pty = assert(client:pty { command = "cat" })
  return made
end

local worlds = { make(), make() }
print "ready"
io.stdout:flush()
-- The server is stopped meanwhile.
io.read()
for number, order in ipairs { { "run", "call", "stream", "pty", "client" }, { "client", "pty", "stream", "call", "run" } } do
  for _, noun in ipairs(order) do
    collectgarbage()
    collectgarbage "stop"
    mark("begin-of-drop " .. noun)
    worlds[number][noun] = nil
    collectgarbage()
    mark("end-of-drop " .. noun)
    collectgarbage "restart"
  end
end
print "done"
io.stdout:flush()
io.read()
