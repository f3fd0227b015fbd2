-- Event streams.

local raw, _, shared = ...
local Client, finish, handle = shared.Client, shared.finish, shared.handle

local EventStream = { __name = "opencode.stream" }
EventStream.__index = EventStream
EventStream.__close = function(stream) stream:close() end

-- The next event; nil when none came within timeout_ms. Without a time it waits as long as it takes.
function EventStream:next(timeout_ms)
  handle(self, EventStream, "next", 2)
  shared.expect_time(timeout_ms, "stream:next", 2)
  local event, message, err = finish(2, raw.events_next(self.raw, timeout_ms))
  return event, message, err
end

-- An iterator over all events; blocks between them, and ends when the stream is closed.
function EventStream:each()
  local stream = handle(self, EventStream, "each", 2)
  return function()
    local event, message, err = finish(1, raw.events_next(stream))
    if err and err.kind ~= "closed" then error(message, 2) end
    return event
  end
end

function EventStream:is_over() return raw.events_is_over(handle(self, EventStream, "is_over", 2)) end
function EventStream:close() raw.events_close(handle(self, EventStream, "close", 2)) end

function Client:events(options)
  shared.check_self(self, "events", 2)
  shared.expect_options(options, "client:events", 2)
  local stream, message, err = finish(2, raw.events_open(self.raw, options))
  if not stream then return nil, message, err end
  return shared.hold(self, stream, EventStream)
end

shared.EventStream = EventStream
