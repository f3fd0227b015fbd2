local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

check.test("the pinned server has just what the module knows", function()
  local drift = assert(client:drift())
  check.equal(#drift.new, 0)
  check.equal(#drift.gone, 0)
  check.equal(#drift.changed, 0)
end)

check.test("drift of a server that is not there", function()
  local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9", max_retries = 0 })
  check.fails("connection", "doc.get: ", nobody:drift())
  check.raises("colon", nobody.drift)
end)

check.test("a request that is no operation", function()
  check.equal(client:request("GET", "/global/health").healthy, true)
  local made = assert(client:request("POST", "/session", { body = { title = "by hand" }, query = { directory = "/" } }))
  check.equal(made.title, "by hand")
  check.equal(made.directory, "/")
  check.fails("not_found", "GET /session/ses_none: 404", client:request("GET", "/session/ses_none"))
  check.raises("must begin with '/'", client.request, client, "GET", "session")
end)

check.test("retries are set for a client and for a call", function()
  local other = assert(opencode.client { max_retries = 7 })
  check.equal(other.global_.health(nil, { max_retries = 0 }).healthy, true)
  check.raises("max_retries must be a number", opencode.client, { max_retries = "many" })
  check.raises("max_retries must be a number", other.global_.health, nil, { max_retries = {} })
end)

check.test("a stream is no call", function()
  check.raises("event.subscribe: is a stream of events", client.event.subscribe)
  check.raises("pty.connect: is a websocket", client.pty.connect, "pty_1")
end)
