-- Ctrl-C ends a script that waits, as it does one that computes. The interpreters set a hook when it comes, which raises
-- when the next line of Lua runs: nothing may block until then.

local check = require "check"

-- Neovim has its own way, and the interpreter of Lua 5.5 that the tests build has none.
if rawget(_G, "vim") or _VERSION == "Lua 5.5" then return end

local ways = { "ask", "wait", "wait_for_a_time", "updates", "operation", "request", "call", "stream", "pty", "control", "tools" }

check.test("Ctrl-C ends what blocks", function()
  local begin, children = check.now(), {}
  for _, way in ipairs(ways) do
    -- All wait at once.
    children[way] = io.popen("timeout --foreground -s KILL 60 " .. check.host "interrupted.lua" .. " " .. way .. " 2>&1")
  end
  for _, way in ipairs(ways) do
    local said = children[way]:read "*a"
    children[way]:close()
    check.equal(said:match "ended%s+false%s+.*interrupted!" ~= nil, true, way .. ": " .. said)
  end
  local took = check.now() - begin
  check.equal(took < 40, true, "it took " .. took .. " s")
end)
