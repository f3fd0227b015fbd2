local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

-- Reads until the output holds something.
local function until_(pty, wanted)
  local all = ""
  local stop = os.time() + 60
  while not all:find(wanted, 1, true) do
    local text = assert(pty:read(1000))
    all = all .. text
    if os.time() > stop then error("waited for " .. wanted .. ", got " .. all, 2) end
  end
  return all
end

check.test("a shell is driven, resized and ends", function()
  local pty = assert(client:pty { command = "bash", args = { "--norc", "--noprofile" }, env = { PS1 = "> " }, cols = 101, rows = 33 })
  until_(pty, "> ")
  assert(pty:write("stty size; echo $((6*7))-ä😀\n"))
  check.contains(until_(pty, "42-ä😀"), "33 101")
  assert(pty:resize(90, 20))
  assert(pty:write("stty size\n"))
  until_(pty, "20 90")
  check.equal(pty:exit_code(), nil)
  pty:write("exit 3\n")
  while true do
    local text, message = pty:read(1000)
    check.equal(message, nil)
    if not text then break end
  end
  check.equal(pty:exit_code(), 3)
  check.equal(pty:is_over() and pty:is_complete(), true)
  check.fails("closed", "takes no input", pty:write("x"))
  check.fails("closed", "takes no input", pty:resize(80, 24))
end)

check.test("a tick never waits for a terminal", function()
  local pty = assert(client:pty { command = "cat" })
  pty:write("hello\n")
  local all = ""
  check.never_waits(function()
    all = all .. assert(pty:read(0))
    return select(2, all:gsub("hello", "")) == 2
  end, 200)
  local other = assert(client:pty_connect(pty:id(), { cursor = pty:cursor() }))
  pty:write("more\n")
  until_(other, "more")
  assert(pty:kill())
  while other:read() do end
  check.equal(other:is_over(), true)
  check.fails("not_found", "PTY", pty:kill())
  other:close()
end)

check.test("a terminal is made while the tick goes on", function()
  local opening = assert(client:start_pty { command = "cat" })
  local state, pty
  check.never_waits(function()
    state, pty = opening:poll()
    return state ~= "pending"
  end)
  check.equal(state, "done")
  check.equal(select(2, opening:poll()), pty, "there is one terminal")
  check.equal(opening:wait(0), pty)
  pty:write("begun\n")
  until_(pty, "begun")
  pty:kill()
  local nobody = assert(opencode.client { base_url = "http://127.0.0.1:9", max_retries = 0 })
  check.fails("connection", "no server", assert(nobody:start_pty { command = "sh" }):wait())
  local cancelled = assert(client:start_pty { command = "sleep", args = { "600" } })
  cancelled:cancel()
  check.fails("cancelled", "cancelled", cancelled:wait())
  check.fails("timeout", "within 0 ms", assert(client:start_pty { command = "true" }):wait(0))
  check.raises("did you mean 'command'", function() client:start_pty { comand = "x" } end)
  check.raises("with a colon", opening.poll)
end)

check.test("mistakes with terminals are named", function()
  check.raises("did you mean 'command'", function() client:pty { comand = "x" } end)
  check.raises("colon", function() client.pty { command = "x" } end)
  check.raises("must be a string", function() client:pty_connect(1) end)
  check.raises("no id of a terminal", function() client:pty_connect("ses_1") end)
  check.fails("not_found", "pty_nobody", assert(client:pty_connect("pty_nobody")):read())
  check.fails("server", "500", client:pty { command = "no-such-program" })
  check.equal(type(client.pty.list()), "table", "the operations are still there")
end)

client:close()
