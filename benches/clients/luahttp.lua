-- lua-http and lua-cjson, in Lua 5.1: Debian has what it needs for that one. `lua5.1 luahttp.lua ROW URL COUNT`

local row, url, count = arg[1], arg[2], tonumber(arg[3])
local request, cjson = require "http.request", require "cjson"
local bench = require "bench"

local paths = {
  get_health = "/global/health",
  get_session = "/session/ses_1",
  sessions = "/session?limit=" .. count,
  history = "/session/ses_" .. count .. "/message",
}
local path = paths[row] or "/global/event"

local function get()
  local headers, stream = assert(request.new_from_uri(url .. path):go())
  assert(headers:get ":status" == "200")
  return cjson.decode(assert(stream:get_body_as_string()))
end

local function events(wanted)
  local _, stream = assert(request.new_from_uri(url .. path):go())
  local got, rest = 0, ""
  for chunk in stream:each_chunk() do
    rest = rest .. chunk
    local from = 1
    while got < wanted do
      local stop = rest:find("\n\n", from, true)
      if not stop then break end
      assert(cjson.decode(rest:sub(from + 6, stop - 1)))
      got, from = got + 1, stop + 2
    end
    rest = rest:sub(from)
    if got >= wanted then break end
  end
  return got, 0
end

if row == "history" then
  bench.history(get)
elseif row == "events" then
  bench.events(events, count)
else
  bench.get(get, row == "sessions" and bench.rounds(count) or count)
end
