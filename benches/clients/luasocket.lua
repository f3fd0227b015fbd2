-- LuaSocket and lua-cjson. `lua luasocket.lua ROW URL COUNT`

local row, url, count = arg[1], arg[2], tonumber(arg[3]) // 1
local http, ltn12, cjson = require "socket.http", require "ltn12", require "cjson"
local bench = require "bench"

local paths = {
  get_health = "/global/health",
  get_session = "/session/ses_1",
  sessions = "/session?limit=" .. count,
  history = "/session/ses_" .. count .. "/message",
}
local path = paths[row] or "/global/event"

local function get()
  local body, status = http.request(url .. path)
  assert(status == 200, status)
  return cjson.decode(body)
end

local function events(wanted)
  local got, rest = 0, ""
  http.request {
    url = url .. path,
    sink = function(chunk)
      if not chunk then return 1 end
      rest = rest .. chunk
      local from = 1
      while got < wanted do
        local stop = rest:find("\n\n", from, true)
        if not stop then break end
        assert(cjson.decode(rest:sub(from + 6, stop - 1)))
        got, from = got + 1, stop + 2
      end
      rest = rest:sub(from)
      if got >= wanted then return nil, "enough" end
      return 1
    end,
  }
  return got, 0
end

http.TIMEOUT = 60
if row == "history" then
  bench.history(get)
elseif row == "events" then
  bench.events(events, count)
else
  bench.get(get, row == "sessions" and bench.rounds(count) or count)
end
