-- Calls operations from Lua for the conformance run: reads `operation TAB arguments TAB options` per line and
-- prints one JSON object per line. With `--raw` it asks for the raw answer, which has the status.

local here = arg[0]:match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path
local json = require "json"
local opencode = require "libopencode"

local client = assert(opencode.client())
local is_raw = arg[1] == "--raw"

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

-- What an operation gives of its own accord, from its raw answer.
local function read(raw)
  -- Nothing is true: `assert` must work.
  if raw.body == "" then return true end
  local kind = raw.headers["content-type"] or ""
  if kind:find("json", 1, true) then return json.decode(raw.body) end
  return raw.body
end

for line in io.lines() do
  local operation, arguments, text = line:match("^(.-)\t(.-)\t(.*)$")
  local options = json.decode(text)
  if is_raw then options.raw = true end
  local ok, value, message, err = pcall(find(operation), json.decode(arguments), options)
  local seen
  if not ok then
    -- Misuse is raised with the line of the caller; the kind is that of all misuse.
    seen = { error = { kind = "invalid_argument", message = (value:gsub("^[^:]+:%d+: ", "")) } }
  elseif message then
    seen = { error = err }
  elseif is_raw then
    seen = { status = value.status, answer = read(value) }
  else
    seen = { answer = value == nil and opencode.null or value }
  end
  io.write(json.encode(seen), "\n")
  io.flush()
end
