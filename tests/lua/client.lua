local check = require "check"
local opencode = require "libopencode"

local client = assert(opencode.client())

check.test("operations are found in their namespaces", function()
  check.equal(client.global_.health().healthy, true)
  local session = assert(client.session.create { title = "from lua" })
  check.equal(client.session.get(session.id).title, "from lua")
  check.equal(client.session.update(session.id, { title = "x" }).title, "x")
  check.equal(client:call("session.get", { sessionID = session.id }).title, "x")
  check.equal(type(client.v2.session.list()), "table")
  check.equal(client.session.delete(session.id), true)
end)

check.test("an operation that answers nothing gives true", function()
  local session = assert(client.session.create())
  check.equal(client.session.prompt_async(session.id, { noReply = true, parts = { { type = "text", text = "x" } } }), true)
end)

check.test("the raw answer has status, headers and bytes", function()
  local answer = assert(client.global_.health(nil, { raw = true }))
  check.equal(answer.status, 200)
  check.contains(answer.headers["content-type"], "application/json")
  check.contains(answer.body, '"healthy":true')
  check.equal(client:request("GET", "/global/health").healthy, true)
end)

check.test("calls in the background are polled and waited for", function()
  local call = assert(client:start("session.list", { limit = 1 }))
  while call:poll() == "pending" do end
  local state, sessions = call:poll()
  check.equal(state, "done")
  check.equal(type(sessions), "table")
  check.equal(type(call:wait()), "table")
  local failing = assert(client:start("session.get", { sessionID = "ses_none" }))
  check.fails("not_found", "Session not found", failing:wait(10000))
  check.equal((failing:poll()), "failed")
end)

-- How many threads this process has.
local function threads()
  for line in io.lines("/proc/self/status") do
    local count = line:match("^Threads:%s+(%d+)")
    if count then return tonumber(count) end
  end
end

check.test("a thousand calls share a few threads, and finish", function()
  local other = assert(opencode.client())
  local before, calls = threads(), {}
  for i = 1, 1000 do calls[i] = assert(other:start("global.health")) end
  local most = threads()
  for i = 1, 1000 do check.equal(assert(calls[i]:wait(60000)).healthy, true) end
  most = math.max(most, threads())
  check.equal(most > before and most - before <= 8, true, most - before .. " threads")
  other:close()
end)

check.test("a call that waits for ever is cancelled", function()
  local call = assert(client:start("tui.control.next"))
  check.fails("timeout", "within 50 ms", call:wait(50))
  call:cancel()
  check.fails("cancelled", "cancelled", call:wait(5000))
end)

check.test("a call has its own time limit", function()
  check.fails("timeout", "100 ms", client.tui.control.next(nil, { timeout_ms = 100 }))
end)

check.test("a closed client says so", function()
  local closed = assert(opencode.client())
  closed:close()
  closed:close()
  check.raises("closed", closed.session.list)
  check.raises("closed", closed.run, closed, "x")
end)

check.test("handles go in any order", function()
  for _ = 1, 20 do
    local client = assert(opencode.client())
    local run = assert(client:run("Say pong"))
    local call = assert(client:start("global.health"))
    client, run, call = nil, nil, nil
    collectgarbage()
  end
  collectgarbage()
end)
