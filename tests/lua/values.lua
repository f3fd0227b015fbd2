local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

check.test("text survives, whatever is in it", function()
  local title = "ä €😀 \"quoted\" \\ back\tslash\nline"
  local session = assert(client.session.create { title = title })
  check.equal(session.title, title)
  check.equal(client.session.get(session.id).title, title)
end)

check.test("null is nil and can be sent", function()
  local session = assert(client.session.create())
  check.equal(session.parentID, nil)
  check.fails("bad_request", "BadRequest", client.session.create { title = opencode.null })
end)

check.test("times in milliseconds are exact numbers", function()
  local session = assert(client.session.create())
  local created = session.time.created
  check.equal(type(created), "number")
  check.equal(created, math.floor(created))
  check.equal(created > 1.7e12, true)
end)

check.test("whole numbers keep their digits up to 2^53", function()
  for _, number in ipairs { 0, 1, -1, 2 ^ 31, 2 ^ 32 + 1, 1795217121941, 2 ^ 53 - 1, 2 ^ 53, -(2 ^ 53) } do
    local session = assert(client.session.create { metadata = { n = number } })
    local answer = client:call("session.get", { sessionID = session.id }, { raw = true })
    check.contains(answer.body, '"n":' .. string.format("%.0f", number) .. "}")
    local got = client.session.get(session.id).metadata.n
    check.equal(got, number)
    check.equal(type(got), "number")
  end
  local session = assert(client.session.create { metadata = { n = 0.1 } })
  check.equal(client.session.get(session.id).metadata.n, 0.1)
end)

check.test("whole numbers beyond lose no digit", function()
  -- The server knows no odd ones there: 2^53 + 2 is the first.
  local session = assert(client.session.create { metadata = { n = 2 ^ 53 + 2 } })
  local got = client.session.get(session.id).metadata.n
  check.equal(type(got), math.type and "number" or "string")
  check.equal(math.type and ("%d"):format(got) or got, "9007199254740994")
end)

check.test("a session that was read is sent back as it was", function()
  local made = assert(client.session.create { permission = {}, metadata = { none = opencode.array {}, deep = { { none = opencode.array {} } } } })
  local read = client.session.get(made.id)
  local again = assert(client.session.create { metadata = read.metadata, permission = read.permission, title = read.title })
  local body = client:call("session.get", { sessionID = again.id }, { raw = true }).body
  check.contains(body, '"deep":[{"none":[]}]')
  check.contains(body, '"none":[]')
end)

check.test("empty lists go back as lists", function()
  local session = assert(client.session.create { permission = {} })
  check.equal(type(session.id), "string")
  local metadata = { list = opencode.array {}, object = {} }
  session = assert(client.session.create { metadata = metadata })
  local text = client:call("session.get", { sessionID = session.id }, { raw = true }).body
  check.contains(text, '"list":[]')
  check.contains(text, '"object":{}')
  -- What came from the server is sent back as it was.
  local again = assert(client.session.create { metadata = session.metadata })
  text = client:call("session.get", { sessionID = again.id }, { raw = true }).body
  check.contains(text, '"list":[]')
  check.contains(text, '"object":{}')
end)

check.test("what JSON cannot say is refused with its place", function()
  check.raises("metadata.f: a function", function() client.session.create { metadata = { f = print } } end)
  check.raises("has other keys", function() client.session.create { metadata = { 1, x = 2 } } end)
  check.raises("not finite", function() client.session.create { metadata = { n = 0 / 0 } } end)
  check.raises("not UTF-8", function() client.session.create { title = "\255" } end)
end)
