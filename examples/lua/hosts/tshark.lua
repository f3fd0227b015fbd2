-- tshark: `tshark -q -X lua_script:tshark.lua -r FILE`: counts what a capture holds, and has the agent explain it.
-- At the end of a capture nobody waits for anything else: here it blocks.

local opencode = require "libopencode"
local tap = Listener.new "frame"
local counts = {}
local protocols = Field.new "frame.protocols"

function tap.packet()
  local name = tostring(protocols())
  counts[name] = (counts[name] or 0) + 1
end

function tap.draw()
  local lines = {}
  for name, count in pairs(counts) do lines[#lines + 1] = count .. " " .. name end
  table.sort(lines)
  local question = os.getenv "TSHARK_QUESTION" or "What goes on in this network?"
  local client = assert(opencode.client())
  local reply, message = client:ask(question .. "\n\nFrames by protocol:\n" .. table.concat(lines, "\n"))
  print(reply and reply.text or message)
  client:close()
end
