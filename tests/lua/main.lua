-- The Lua binding in the hands of a real interpreter, against a real server.

local here = (arg and arg[0] or debug.getinfo(1, "S").source:sub(2)):match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path

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
