-- Gives the agent two functions of this script: `lua tools.lua PROMPT`. It keeps a shopping list with them.

local opencode = require "libopencode"

if #arg == 0 then
  io.stderr:write("usage: lua tools.lua PROMPT\n")
  os.exit(2)
end

local client = assert(opencode.client())
local list = {}

client:tool {
  name = "add_item",
  description = "Adds to the shopping list",
  parameters = {
    type = "object",
    properties = { item = { type = "string" }, count = { type = "integer", minimum = 1 } },
    required = { "item", "count" },
  },
  handler = function(arguments)
    list[#list + 1] = ("%d x %s"):format(arguments.count, arguments.item)
    print("added " .. list[#list])
    return "added"
  end,
}
client:tool {
  name = "list_items",
  description = "Reads the shopping list",
  handler = function()
    if #list == 0 then return nil, "the list is empty" end
    return opencode.array(list)
  end,
}

-- Handlers run in here, on this thread.
local reply, message = client:run(table.concat(arg, " ")):wait()
client:close()
if not reply then
  io.stderr:write(tostring(message), "\n")
  os.exit(1)
end
print(reply.text)
