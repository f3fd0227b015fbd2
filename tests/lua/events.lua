local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

local function take(stream)
  local event, message = stream:next(60000)
  if not event then error(message or "no event came", 2) end
  return event
end

local function connected(stream)
  check.equal(take(stream).type, "stream.connected")
end

check.test("a stream tells what happens, tick by tick", function()
  local stream = assert(client:events())
  local first
  repeat first = stream:next(0) until first
  check.equal(first.type, "stream.connected")
  assert(client.session.create { title = "seen by lua" })
  local event
  repeat event = stream:next(0) until event and event.type == "session.created"
  check.equal(event.properties.info.title, "seen by lua")
  check.equal(event.directory, event.properties.info.directory)
  check.equal(type(event.id), "string")
  stream:close()
end)

check.test("a stream of everything is iterated, and the loop ends on close", function()
  local stream = assert(client:events { scope = "global" })
  connected(stream)
  assert(client.session.create { title = "loop", directory = "/tmp" })
  local seen = 0
  for event in stream:each() do
    if event.type == "session.created" and event.properties.info.title == "loop" then
      seen = seen + 1
      stream:close()
    end
  end
  check.equal(seen, 1)
  check.equal(stream:is_over(), true)
  check.fails("closed", "closed", stream:next(0))
end)

check.test("types are chosen", function()
  local stream = assert(client:events { types = { "session.u*" } })
  connected(stream)
  local made = assert(client.session.create { title = "chosen" })
  assert(client.session.update(made.id, { title = "changed" }))
  check.equal(take(stream).type, "session.updated")
  stream:close()
  -- An empty table is a list here: nothing but the stream's own.
  connected(assert(client:events { types = {} }))
end)

check.test("another directory is silent", function()
  local stream = assert(client:events { directory = "/tmp" })
  connected(stream)
  assert(client.session.create { title = "not here" })
  assert(client.session.create { title = "here", directory = "/tmp" })
  for event in stream:each() do
    if event.type == "session.created" then
      check.equal(event.properties.info.title, "here")
      break
    end
  end
end)

check.test("closing the client ends its streams", function()
  local other = assert(opencode.client())
  local stream = assert(other:events())
  other:close()
  for _ in stream:each() do error("an event of a closed client") end
  check.raises("closed", function() other:events() end)
end)

check.test("a server that is away is a gap, a wrong password an error", function()
  local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9" })
  local gap = take(assert(nobody:events()))
  check.equal(gap.type, "stream.gap")
  check.equal(gap.properties.kind, "connection")
  check.contains(gap.properties.reason, "no server listens")
  nobody:close()
  local stranger = assert(opencode.client { password = "wrong" })
  local stream = assert(stranger:events())
  check.fails("unauthorized", "OPENCODE_SERVER_PASSWORD", stream:next(60000))
  check.raises("unauthorized", function() for _ in stream:each() do error("an event") end end)
end)

check.test("wrong options of a stream", function()
  check.raises("directory, global", function() client:events { scope = "all" } end)
  check.raises("did you mean 'scope'", function() client:events { scop = "global" } end)
  check.raises("must be a number", function() assert(client:events()):next("soon") end)
  check.raises("with a colon", function() client.events() end)
end)
