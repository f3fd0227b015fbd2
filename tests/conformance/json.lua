-- As much JSON as the driver needs, with the module's null and its lists.

local opencode = require "libopencode"

local json = {}
local list_metatable = getmetatable(opencode.array {})

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- Only what serde_json writes is read: no `\u` but for control characters.
local function decode(text, at)
  at = text:find("%S", at)
  local first = text:sub(at, at)
  if first == "{" or first == "[" then
    local is_list = first == "["
    local made, count = {}, 0
    at = text:find("%S", at + 1)
    while not text:find("^[%]}]", at) do
      local key
      if not is_list then
        key, at = decode(text, at)
        at = text:find(":", at, true) + 1
      end
      local value
      value, at = decode(text, at)
      count = count + 1
      made[is_list and count or key] = value
      at = text:find("[^%s,]", at)
    end
    if is_list then setmetatable(made, list_metatable) end
    return made, at + 1
  elseif first == '"' then
    local finish = at + 1
    while text:sub(finish, finish) ~= '"' do
      finish = finish + (text:sub(finish, finish) == "\\" and 2 or 1)
    end
    local content = text:sub(at + 1, finish - 1)
    content = content:gsub("\\u00(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    content = content:gsub("\\(.)", function(mark) return escapes[mark] or mark end)
    return content, finish + 1
  end
  local word, finish = text:match("^([%w+.-]+)()", at)
  if word == "true" then return true, finish end
  if word == "false" then return false, finish end
  if word == "null" then return opencode.null, finish end
  return tonumber(word), finish
end

function json.decode(text) return (decode(text, 1)) end

local function quote(text)
  return '"' .. text:gsub('[%c"\\\127]', function(mark) return ("\\u%04x"):format(mark:byte()) end) .. '"'
end

function json.encode(value)
  local kind = type(value)
  if value == opencode.null then return "null" end
  if kind == "string" then return quote(value) end
  if kind == "number" then return (("%.17g"):format(value)) end
  if kind ~= "table" then return tostring(value) end
  local parts = {}
  if getmetatable(value) == list_metatable or #value > 0 then
    for i = 1, #value do parts[i] = json.encode(value[i]) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for name, field in pairs(value) do
    parts[#parts + 1] = quote(tostring(name)) .. ":" .. json.encode(field)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return json
