-- HAProxy: a service that asks the agent. All that blocks waits by core.msleep, so that other requests go on.

local opencode = require "libopencode"
local client = assert(opencode.client { wait = core.msleep })

core.register_service("ask", "http", function(applet)
  local reply, message = client:ask(applet:receive())
  local body = reply and reply.text or message
  applet:set_status(reply and 200 or 502)
  applet:add_header("content-type", "text/plain; charset=utf-8")
  applet:add_header("content-length", #body)
  applet:start_response()
  applet:send(body)
end)
