-- A game that goes on while the agent works: the tick polls, and never waits. `lua poll_in_tick.lua PROMPT`

local opencode = require "libopencode"

local client = assert(opencode.client())
local run = assert(client:run(#arg > 0 and table.concat(arg, " ") or "Say pong"))
local ticks, slowest, is_over, is_failed = 0, 0.0, false, false

local function tick()
  local before = os.clock()
  local state, updates = run:poll()
  slowest = math.max(slowest, os.clock() - before)
  for _, update in ipairs(updates) do
    if update.type == "text" then
      io.write(update.delta)
      io.flush()
    elseif update.type == "failed" then
      io.stderr:write(update.message, "\n")
    end
  end
  ticks = ticks + 1
  is_failed = state == "failed"
  is_over = state == "done" or is_failed
end

-- The host: it draws a frame, and calls its scripts.
local function draw_frame()
  local next_frame = os.clock() + 1 / 60
  while os.clock() < next_frame do end
end

repeat
  draw_frame()
  tick()
until is_over
print(("\n[%d ticks, the slowest poll took %d us]"):format(ticks, math.ceil(slowest * 1e6)))
client:close()
os.exit(is_failed and 1 or 0)
