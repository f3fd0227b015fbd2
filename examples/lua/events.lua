-- What happens on the server, event by event: makes a session and sees it come. `lua events.lua`

local opencode = require "libopencode"

local client = assert(opencode.client())
local stream = assert(client:events())
for event in stream:each() do
  print(event.type)
  -- From here on nothing is missed; a gap would be told.
  if event.type == "stream.connected" then assert(client.session.create { title = "seen" }) end
  if event.type == "session.created" and event.properties.info.title == "seen" then break end
end
client:close()
