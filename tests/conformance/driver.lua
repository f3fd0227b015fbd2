-- Calls operations from Lua for the conformance run: reads `operation TAB arguments TAB options` per line and
-- prints one JSON object per line.

local here = arg[0]:match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path
local json = require "json"
local opencode = require "opencode"

local client = assert(opencode.client())

-- client.session.update for "session.update"; a segment may be a keyword.
local function find(name)
  local node = client
  for segment in name:gmatch("[^.]+") do
    local ok, found = pcall(function() return node[segment] end)
    if not ok or found == nil then found = node[segment .. "_"] end
    node = found
  end
  return node
end

for line in io.lines() do
  local operation, arguments, options = line:match("^(.-)\t(.-)\t(.*)$")
  local ok, value, message, err = pcall(find(operation), json.decode(arguments), json.decode(options))
  local seen
  if not ok then
    -- Misuse is raised with the line of the caller; the kind is that of all misuse.
    seen = { error = { kind = "invalid_argument", message = (value:gsub("^[^:]+:%d+: ", "")) } }
  elseif message then
    seen = { error = err }
  else
    seen = { answer = value == nil and opencode.null or value }
  end
  io.write(json.encode(seen), "\n")
  io.flush()
end
