local check = require "check"
local opencode = require "libopencode"

check.test("the server of the environment is found", function()
  local found
  for _, one in ipairs(opencode.discover(4000)) do
    if one.source == "environment" then found = one end
  end
  check.equal(found.url, os.getenv "OPENCODE_BASE_URL")
  check.equal(found.version, "1.18.33")
  check.equal(found.dialect, "1.x")
  check.equal(found.needs_password, true)
  check.raises("must be a number", opencode.discover, "soon")
end)

check.test("a client tells what its server is", function()
  local info = assert(assert(opencode.client()):server())
  check.equal(info.version, "1.18.33")
  check.equal(info.dialect, "1.x")
  local dead = assert(opencode.client { base_url = "http://127.0.0.1:9" })
  local none, message, err = dead:server()
  check.equal(none, nil)
  check.equal(err.kind, "connection")
  local second = assert(opencode.client { dialect = 2 })
  none, message, err = second.session.list()
  check.equal(err.kind, "unsupported")
  check.raises("dialect", opencode.client, { dialect = 3 })
end)

check.test("a doctor says what works", function()
  local client = assert(opencode.client())
  local found = client:doctor()
  check.equal(found.ok, true)
  check.equal(#found.checks, 8)
  check.equal(found.checks[1].check, "server")
  check.equal(found.checks[1].status, "ok")
  check.contains(found.text, "1.18.33 (1.x)")
  check.raises("with a colon", client.doctor)
  local dead = assert(opencode.client { base_url = "http://127.0.0.1:9" }):doctor()
  check.equal(dead.ok, false)
  check.contains(dead.checks[1].advice, "opencode serve")
  local printed
  local before = print
  print = function(text) printed = text end
  opencode.doctor { base_url = "http://127.0.0.1:9" }
  print = before
  check.equal(printed:match "^%w+ server", "fail server")
end)
