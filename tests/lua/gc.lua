-- What is left to the collector holds nothing up.

local check = require "check"
local opencode = require "libopencode"

-- A clock that goes on while this thread sleeps: `os.clock` counts its work alone.
local function now()
  local file = assert(io.open "/proc/uptime")
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "^(%S+)")
end

check.test("clients with prompts that are not sent are collected at once", function()
  for _ = 1, 10 do
    local client = assert(opencode.client { base_url = "http://127.0.0.1:9" })
    assert(client:run("x"))
    client = nil
  end
  local began = now()
  collectgarbage()
  collectgarbage()
  local took = now() - began
  -- Each of them gets a second for its prompt, elsewhere.
  check.equal(took < 1, true, "it took " .. took .. " s")
end)
