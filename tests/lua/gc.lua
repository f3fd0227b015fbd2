-- What is left to the collector holds nothing up.

local check = require "check"
local opencode = require "libopencode"

check.test("clients with prompts that are not sent are collected at once", function()
  for _ = 1, 10 do
    local client = assert(opencode.client { base_url = "http://127.0.0.1:9" })
    assert(client:run("x"))
    client = nil
  end
  local began = check.now()
  collectgarbage()
  collectgarbage()
  local took = check.now() - began
  -- Each of the ten gets a second for its prompt, elsewhere.
  check.equal(took < 5, true, "it took " .. took .. " s")
end)
