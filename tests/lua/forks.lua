-- A copy of the process, made by fork: what was begun before is closed there at once, and goes on in the first process.
-- LuaJIT can fork by itself; nvim stands on a loop that a copy would share.

local check = require "check"
local opencode = require "libopencode"

local has_ffi, ffi = pcall(require, "ffi")
if not has_ffi or rawget(_G, "vim") then return end
ffi.cdef [[int fork(void); int waitpid(int pid, int *status, int options); unsigned alarm(unsigned seconds);]]

-- What a function does in a copy of the process: nothing, or what it raised.
local function in_copy(f)
  local said = os.tmpname()
  local pid = ffi.C.fork()
  if pid == 0 then
    -- Whoever hangs is ended.
    ffi.C.alarm(60)
    local is_ok, why = pcall(f)
    local file = assert(io.open(said, "w"))
    file:write(is_ok and "fine" or tostring(why))
    file:close()
    -- With everything collected, and what is done at exit.
    os.exit(0, true)
  end
  local status = ffi.new "int[1]"
  check.equal(ffi.C.waitpid(pid, status, 0), pid)
  local file = assert(io.open(said))
  local text = file:read "*a"
  file:close()
  os.remove(said)
  check.equal(text, "fine", "in the copy")
  check.equal(status[0], 0, "how it ended")
end

check.test("what was begun before a fork is closed in the copy, and goes on here", function()
  local client = assert(opencode.client())
  local run = assert(client:run 'slow @@[{"text":"a b c d e f","delay_ms":1000}]')
  local call = assert(client:start "tui.control.next")
  local events = assert(client:events())
  local pty = assert(client:pty { command = "cat" })
  local pages = client:messages(client.session.create().id)
  in_copy(function()
    check.fails("closed", "forked", run:wait())
    local state, updates = run:poll()
    check.equal(state, "failed")
    check.equal(updates[#updates].type, "failed")
    check.equal(run:state(), "failed")
    check.fails("closed", "forked", run:detach())
    run:cancel(1000)
    for update in run:updates() do check.equal(update.type, "failed") end
    check.fails("closed", "forked", call:wait())
    check.equal(call:poll(), "failed")
    check.fails("closed", "forked", events:next())
    check.fails("closed", "forked", pty:read())
    check.fails("closed", "forked", pty:write "x")
    -- The client works, and so does one of its own.
    check.equal(client.path.get().directory ~= nil, true)
    check.equal(assert(client:ask "Say pong").text ~= "", true)
    local own = assert(opencode.client())
    check.equal(own.path.get().directory ~= nil, true)
    own:close()
    run, call, events, pty, pages = nil, nil, nil, nil, nil
    collectgarbage()
    client:close()
  end)
  check.equal(assert(run:wait()).text, "a b c d e f")
  check.equal(call:poll(), "pending")
  call:cancel()
  assert(pty:write "here\n")
  check.contains(assert(pty:read()), "here")
  check.equal(client.path.get().directory ~= nil, true)
  pty:kill()
  client:close()
end)
