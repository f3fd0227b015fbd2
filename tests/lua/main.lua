-- The Lua binding in the hands of a real interpreter, against a real server.

local here = (arg and arg[0] or debug.getinfo(1, "S").source:sub(2)):match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path

-- The collector never rests: each allocation takes a step of it, and a cycle begins where the last one ends. What lies
-- about without an owner does not survive that. Gives what lets it rest again.
local function hurry()
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental", 1, 1000, 1)
    return function() collectgarbage("incremental", 200, 100, 13) end
  end
  local is_new, before = _VERSION == "Lua 5.5", {}
  local function set(name, value)
    return is_new and collectgarbage("param", name, value) or collectgarbage("set" .. name, value)
  end
  for name, value in pairs { pause = 0, stepmul = 1000, stepsize = is_new and 1 or nil } do before[name] = set(name, value) end
  return function()
    for name, value in pairs(before) do set(name, value) end
  end
end

local check = require "check"
local names = { "client", "values", "run", "polls", "costs", "waiting", "events", "pages", "pty", "tools", "host_tools", "mistakes", "hostile", "collector", "interrupts", "gc", "forks", "lists", "times", "server", "discover", "drift" }
-- A program in a shell may name those that it wants, or, after "but", those that it does not want. An editor has a variable
-- for that.
local words, but = {}, {}
for word in (os.getenv "OPENCODE_LUA_TESTS" or ""):gmatch "%S+" do words[#words + 1] = word end
if arg and arg[1] then words = arg end
if words[1] == "but" then
  for place = 2, #words do but[words[place]] = true end
elseif words[1] then
  names = words
end
-- The files that are played so, or "all".
local hurried = " " .. (os.getenv "OPENCODE_COLLECT" or "") .. " "
for _, name in ipairs(names) do
  if not but[name] then
    local rest = (hurried == " all " or hurried:find(" " .. name .. " ", 1, true)) and hurry()
    require(name)
    if rest then rest() end
  end
end
if rawget(_G, "vim") then require "nvim" end
check.done()
