-- The shipped Lua module. `lua ours.lua ROW URL COUNT`

local row, url, count = arg[1], arg[2], tonumber(arg[3]) // 1

local opencode = require "libopencode"
local client = assert(opencode.client { base_url = url })
local bench = require "bench"

local function events(wanted)
  local got, lost = 0, 0
  local stream = assert(client:events { scope = "global" })
  for event in stream:each() do
    if event.type == "stream.lagged" then
      lost = lost + event.properties.count
    elseif event.type:sub(1, 7) ~= "stream." then
      got = got + 1
    end
    if got + lost >= wanted then break end
  end
  stream:close()
  return got, lost
end

-- A script has one thread: measured is how soon a cancelled call is over.
local function cancel(now)
  local call = assert(client:start "global.health")
  call:wait(5)
  local before = now()
  call:cancel()
  call:wait()
  return now() - before
end

local rows = {
  get_health = function() bench.get(function() assert(client.global_.health()) end, count) end,
  get_session = function() bench.get(function() assert(client.session.get "ses_1") end, count) end,
  sessions = function()
    bench.get(function() assert(client.session.list { limit = count }) end, bench.rounds(count))
  end,
  history = function() bench.history(function() return assert(client.session.messages("ses_" .. count)) end) end,
  events = function() bench.events(events, count) end,
  cancel = function() bench.cancel(cancel, count) end,
}
rows[row]()
client:close()
