-- The Lua binding in the hands of a real interpreter, against a real server.

local here = (arg and arg[0] or debug.getinfo(1, "S").source:sub(2)):match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path

local check = require "check"
for _, name in ipairs { "client", "values", "run", "pty", "tools", "mistakes", "server", "drift", "discover" } do
  require(name)
end
check.done()
