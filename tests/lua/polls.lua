-- The loop of the README against a server that answers at once: the end of a run meets it at any moment.

local check = require "check"
local opencode = require "libopencode"

local rounds = tonumber(os.getenv "OPENCODE_LOOPS") or 1000
-- Runs at a time: each takes a while, and most of that is waiting.
local BATCH = 200

-- One turn of the loop; whether it was the last one.
local function turn(loop)
  local state, updates = loop.run:poll()
  for _, update in ipairs(updates) do
    if update.type == "text" then loop.text = update.replaces and update.delta or loop.text .. update.delta end
    loop.last = update.type
  end
  return state == "done" or state == "failed"
end

for _, events in ipairs { false, true } do
  check.test("a loop of polls loses nothing " .. (events and "with" or "without") .. " a stream", function()
    local client = assert(opencode.client { base_url = assert(os.getenv "OPENCODE_SWIFT_URL"), events = events })
    for round = 1, events and 1 or rounds / BATCH do
      local loops, open = {}, BATCH
      for i = 1, BATCH do loops[i] = { run = assert(client:run("x")), text = "" } end
      while open > 0 do
        for _, loop in ipairs(loops) do
          if not loop.is_over and turn(loop) then
            loop.is_over, open = true, open - 1
            check.equal(loop.text, "the whole answer", "round " .. round)
            check.equal(loop.last, "done", "round " .. round)
          end
        end
      end
    end
    client:close()
  end)
end
