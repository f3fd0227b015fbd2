-- The Lua binding in the hands of a real interpreter, against a real server.

local here = (arg and arg[0] or debug.getinfo(1, "S").source:sub(2)):match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path

-- The collector never rests: each allocation takes a step of it, and a cycle begins where the last one ends. What lies
-- about without an owner does not survive that.
if os.getenv "OPENCODE_COLLECT" then
  if _VERSION == "Lua 5.5" then
    collectgarbage "incremental"
    for name, value in pairs { pause = 0, stepmul = 1000, stepsize = 1 } do collectgarbage("param", name, value) end
  elseif _VERSION == "Lua 5.4" then
    collectgarbage("incremental", 1, 1000, 1)
  else
    collectgarbage("setpause", 0)
    collectgarbage("setstepmul", 1000)
  end
end

local check = require "check"
local names = { "client", "values", "run", "polls", "costs", "waiting", "events", "pages", "pty", "tools", "host_tools", "mistakes", "hostile", "collector", "gc", "forks", "lists", "times", "server", "discover", "drift" }
-- A program in a shell may name those that it wants, or, after "but", those that it does not want.
local but = {}
if arg and arg[1] == "but" then
  for place = 2, #arg do but[arg[place]] = true end
elseif arg and arg[1] then
  names = arg
end
for _, name in ipairs(names) do
  if not but[name] then require(name) end
end
if rawget(_G, "vim") then require "nvim" end
check.done()
