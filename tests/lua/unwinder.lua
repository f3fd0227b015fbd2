-- Errors pass through a library that is linked as the modules are that are shipped: `luajit unwinder.lua LIBRARY`.

local raise = assert(package.loadlib(arg[1], "opencode_unwinder_raise"))
local pass = assert(package.loadlib(arg[1], "opencode_unwinder_pass"))

for number = 1, 1000 do
  local value = { number }
  local is_ok, raised = pcall(raise, value)
  assert(not is_ok and raised == value)
  is_ok, raised = pcall(pass, function() error(value, 0) end)
  assert(not is_ok and raised == value)
end
print "ok"
