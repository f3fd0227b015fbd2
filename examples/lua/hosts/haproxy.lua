-- HAProxy: a service that asks the agent. All that blocks waits by core.msleep, so that other requests go on.

local opencode = require "libopencode"
local client = assert(opencode.client { wait = core.msleep })

local function answer(applet, status, body)
  applet:set_status(status)
  applet:add_header("content-type", "text/plain; charset=utf-8")
  applet:add_header("content-length", #body)
  applet:start_response()
  applet:send(body)
end

core.register_service("ask", "http", function(applet)
  local prompt = applet:receive()
  if prompt == "" then return answer(applet, 400, "send a prompt as the body") end
  local reply, message = client:ask(prompt)
  answer(applet, reply and 200 or 502, reply and reply.text or message)
end)
