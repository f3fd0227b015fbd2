-- Event streams.

local raw, _, shared = ...
local Client, finish, expect = shared.Client, shared.finish, shared.expect

local EventStream = {}
EventStream.__index = EventStream
EventStream.__close = function(stream) stream:close() end

-- The next event; nil when none came within timeout_ms. Without a time it waits as long as it takes.
function EventStream:next(timeout_ms)
  if timeout_ms ~= nil then expect(timeout_ms, "number", "stream:next: the time", 2) end
  local event, message, err = finish(2, raw.events_next(self.raw, timeout_ms))
  return event, message, err
end

-- An iterator over all events; blocks between them, and ends when the stream is closed.
function EventStream:each()
  return function()
    local event, message, err = finish(1, raw.events_next(self.raw))
    if err and err.kind ~= "closed" then error(message, 2) end
    return event
  end
end

function EventStream:is_over() return raw.events_is_over(self.raw) end
function EventStream:close() raw.events_close(self.raw) end

function Client:events(options)
  shared.check_self(self, "events", 2)
  if options ~= nil then expect(options, "table", "client:events: the options", 2) end
  local stream, message, err = finish(2, raw.events_open(self.raw, options))
  if not stream then return nil, message, err end
  return setmetatable({ raw = stream, client = self }, EventStream)
end
